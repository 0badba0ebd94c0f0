"""A user's messages, received or sent, as a collection that one reads from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from ..models import MessageColumns, Models, RecipientKey


class Mailbox:
    """Messages that somebody has received or sent, newest first."""

    def __init__(self, session: Session, statement: Select[Any]) -> None:
        self._session = session
        self._statement = statement

    def select(self) -> Select[Any]:
        """Return a select of them, in no order, to be narrowed down and executed."""
        return self._statement

    def __iter__(self) -> Iterator[MessageColumns]:
        Message = self._statement.column_descriptions[0]["entity"]
        return iter(self._session.scalars(self._statement.order_by(Message.cursor.desc())))


def received(session: Session, models: Models, key: RecipientKey) -> Mailbox:
    """Return what a user was told."""
    Message: Any = models.Message
    return Mailbox(session, select(Message).where(Message.recipient_id == key))


def sent(session: Session, models: Models, key: RecipientKey) -> Mailbox:
    """Return what a user has caused others to be told, private messages among it."""
    Message: Any = models.Message
    return Mailbox(session, select(Message).where(Message.sender_id == key))


def last_read(session: Session, models: Models, key: RecipientKey) -> datetime | None:
    """Return when a user has last seen a message, or None."""
    message = models.message.c
    seconds = session.scalar(
        select(func.max(message.seen_at)).where(message.recipient_id == key),
        bind_arguments={"clause": models.message},
    )
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)
