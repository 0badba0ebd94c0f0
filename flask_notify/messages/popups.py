"""Messages that show themselves: the page that is looked at opens its inbox by itself (row H4).

What asks for it is a live value, so it reaches pages with the poll that brings the message, costs nothing
where no message asks for it, and is over after a while: nobody is met by the pop-ups of yesterday.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from .. import inbox
from ..live import notifications

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ..models import Models

POPUP = "inbox_popup"
"""The name of the live value; its timestamp is what tells one from the next."""

_WAITS = 300
"""Seconds for which a page that is not looked at may still do so."""


def asked_by(content: Any) -> bool:
    """Return whether a message is to show itself: by its type, or by its data (OIOIOI's ``popup``)."""
    return getattr(content, "popup", False) is True


def write(connection: Connection, models: Models, entries: Sequence[Any], now: float) -> None:
    """Let the pages of recipients open the inbox; written along with the messages. Who is not to be disturbed is not.

    :param entries: the messages that were written (:class:`.message_rows.Entry`).
    :param now: Unix seconds.
    """
    keys = list({entry.copy.key: None for entry in entries})
    source = models.inbox.c
    undisturbed = select(source.recipient_id).where(inbox.among(connection, source.recipient_id, keys), source.muted)
    muted = set(connection.scalars(undisturbed))
    # What is critical cannot be masked.
    wanted = {entry.copy.key for entry in entries if entry.copy.key not in muted or entry.decision.rule == "critical"}
    keys = [key for key in keys if key in wanted]
    if keys:
        notifications.give_alike(connection, models, keys, name=POPUP, payload="true", expires_in=_WAITS, now=now)
