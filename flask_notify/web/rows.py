"""A message as the pages show it, and as JSON tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from zoneinfo import ZoneInfo

from flask import current_app, url_for
from markupsafe import Markup

from ..messages.listing import Reader
from ..messages.message_types import Private, name_of
from ..messages.targets import Shown, show
from ..models import MessageColumns
from ..recipient import RecipientMixin, models_of
from . import times
from .access import settings
from .hooks import Hooks, address_of

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
    sender_name: str | None
    sender: str | None
    """How the sender of a private message is addressed; None for all others."""

    @property
    def href(self) -> str:
        """Where the message is opened, and marked seen by that."""
        return url_for("notify.message", id=self.shown.id)

    @property
    def reply_url(self) -> str | None:
        """Where one answers a private message."""
        return None if self.sender is None else url_for("notify.send_message", recipient=self.sender)

    @property
    def block_url(self) -> str | None:
        """Where one wants no more from its sender."""
        return None if self.sender is None else url_for("notify.block_sender", sender=self.sender)

    @property
    def brief(self) -> str:
        """The text on one line: the body where there is one, else the subject."""
        text = self.shown.summary
        return text if len(text) <= _BRIEF else text[: _BRIEF - 1].rstrip() + "…"

    @property
    def text(self) -> Markup | str:
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
    zone, now = times.zone_of(reader.timezone, settings().timezone), models.clock()
    return [_row(shown, zone, now) for shown in show(models, user, messages)]


def when(moment: Any, zone: ZoneInfo, now: float) -> When:
    """Return a time in every form that a page needs."""
    return When(times.relative(moment, now), times.absolute(moment, zone), times.machine(moment))


def _row(shown: Shown, zone: ZoneInfo, now: float) -> Row:
    sender = shown.sender
    hooks = cast(Hooks, current_app.extensions["notify"].notify)
    return Row(
        shown,
        when(shown.created_at, zone, now),
        None if sender is None else name_of(sender),
        address_of(hooks, sender) if sender is not None and shown.type == Private.name else None,
    )
