"""Moments: aware and in UTC, in Python as on the page."""

from __future__ import annotations

from datetime import datetime, timezone

from flask import Flask
from markupsafe import Markup
from sqlalchemy import DateTime
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

_STEPS = (
    (60, 1, "just now"),
    (3600, 60, "minute"),
    (86400, 3600, "hour"),
    (7 * 86400, 86400, "day"),
    (35 * 86400, 7 * 86400, "week"),
)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, kept in UTC, on databases without time zones, too."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Store the moment in UTC, without the zone."""
        return value and value.astimezone(timezone.utc).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the moment its zone back."""
        return value and value.replace(tzinfo=timezone.utc)


def utcnow() -> datetime:
    """Return the present moment."""
    return datetime.now(timezone.utc)


def in_words(moment: datetime, now: datetime) -> str:
    """Say how long before *now* the *moment* was: ``3 hours ago``."""
    seconds = max((now - moment).total_seconds(), 0)
    for limit, unit, word in _STEPS:
        if seconds < limit:
            count = int(seconds // unit)
            if word == "just now":
                return word
            return f"{count} {word}{'' if count == 1 else 's'} ago"
    return f"{moment.day} {moment:%B %Y}"


def time_tag(moment: datetime) -> Markup:
    """Render *moment* as a ``<time>`` that the page keeps up to date."""
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.isoformat(timespec="seconds"),
        f"{moment.day} {moment:%B %Y, %H:%M} UTC",
        in_words(moment, utcnow()),
    )


def init_app(app: Flask) -> None:
    """Offer ``time_tag`` to the templates."""
    app.add_template_filter(time_tag)
