"""A message as the pages show it, and as JSON tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from zoneinfo import ZoneInfo

from flask import current_app, url_for
from markupsafe import Markup

from ..listing import Reader
from ..message_types import PRIVATE
from ..models import MessageColumns
from ..recipient import RecipientMixin, models_of
from ..targets import Shown, show
from . import times
from .access import settings
from .hooks import Hooks, name_of

_BRIEF = 140


@dataclass(frozen=True)
class When:
    """A time, for people and for machines."""

    relative: str
    absolute: str
    machine: str


@dataclass(frozen=True)
class Row:
    """One message, with the addresses of all that can be done with it."""

    shown: Shown
    when: When
    href: str
    """Where the message is opened, and marked seen by that."""
    sender_name: str | None
    reply_url: str | None

    @property
    def brief(self) -> str:
        """The text on one line: the body where there is one, else the subject."""
        text = " ".join((self.shown.body_text or self.shown.subject).split())
        return text if len(text) <= _BRIEF else text[: _BRIEF - 1].rstrip() + "…"

    @property
    def body(self) -> Markup | str:
        """The whole text: the body where there is one, else the subject."""
        return self.shown.body_html or self.shown.subject

    def as_json(self) -> dict[str, Any]:
        """Return what a client without a page is told."""
        shown = self.shown
        return {
            "id": shown.id,
            "type": shown.type,
            "subject": shown.subject,
            "body": shown.body_text,
            "url": shown.url,
            "sender": self.sender_name,
            "created_at": self.when.machine,
            "seen": shown.seen,
            "count": shown.count,
            "cursor": shown.cursor,
        }


def rows_of(user: RecipientMixin, reader: Reader, messages: Sequence[MessageColumns]) -> list[Row]:
    """Return the rows of a recipient's messages; targets and senders are read for all of them at once."""
    models = models_of(user)
    hooks = cast(Hooks, current_app.extensions["notify"].notify)
    zone = times.zone_of(reader.timezone, settings().timezone)
    now = models.clock()
    return [_row(hooks, shown, zone, now) for shown in show(models, user, messages)]


def when(moment: Any, zone: ZoneInfo, now: float) -> When:
    """Return a time in every form that a page needs."""
    return When(times.relative(moment, now), times.absolute(moment, zone), times.machine(moment))


def _row(hooks: Hooks, shown: Shown, zone: ZoneInfo, now: float) -> Row:
    name = None if shown.sender is None else name_of(hooks, shown.sender)
    private = shown.type == PRIVATE and name is not None
    return Row(
        shown,
        when(shown.created_at, zone, now),
        url_for("notify.message", id=shown.id),
        name,
        url_for("notify.send_message", recipient=name) if private else None,
    )
