"""When something was, as people say it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import current_app

from ..language import gettext, ngettext, say_when


def zone_of(name: str | None, default: str) -> ZoneInfo:
    """Return a recipient's time zone; one that this machine does not know is the application's."""
    try:
        return ZoneInfo(name or default)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(default)


def start_of_day(text: str, zone: ZoneInfo, *, after: int = 0) -> float:
    """Return when a day begins by a recipient's clock, in Unix seconds.

    :param text: the day, as in "2026-11-21".
    :param after: how many days later.
    :raises ValueError: if it is no day.
    """
    if len(text) != 10:
        raise ValueError(f"a day like 2026-11-21 was expected, got {text!r}")
    # fold=0: of a midnight that comes twice the first counts.
    day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone) + timedelta(days=after)
    if not 1971 <= day.year <= 9000:
        raise ValueError(f"a year from 1971 to 9000 was expected, got {day.year}")
    return day.timestamp()


def relative(moment: datetime, now: float) -> str:
    """Return how long ago something was: "5 minutes ago"."""
    seconds = max(0.0, now - moment.timestamp())
    if seconds < 60:
        return gettext("just now")
    babel = _babel()
    if babel is not None:
        return str(babel.format_timedelta(timedelta(seconds=-seconds), add_direction=True))
    if seconds < 3_600:
        return ngettext("%(num)d minute ago", "%(num)d minutes ago", int(seconds // 60))
    if seconds < 86_400:
        return ngettext("%(num)d hour ago", "%(num)d hours ago", int(seconds // 3_600))
    return ngettext("%(num)d day ago", "%(num)d days ago", int(seconds // 86_400))


def absolute(moment: datetime, zone: ZoneInfo) -> str:
    """Return when something was by a recipient's clock."""
    return say_when(moment.astimezone(zone))


def machine(moment: datetime) -> str:
    """Return what the attribute ``datetime`` takes."""
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def _babel() -> Any:
    """Return the module of Flask-Babel, where the application uses it."""
    if "babel" not in current_app.extensions:
        return None
    import flask_babel

    return flask_babel
