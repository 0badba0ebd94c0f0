"""Mending what was done past the counts: by hand in SQL, or by a restore of some tables only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select, update

from .. import inbox, news
from ..models import Models, RecipientKey

BATCH = 1_000

_CLAIMED = 600
"""Seconds by which an inbox may be due later than its messages: a worker has it in hand."""


class Recounted(NamedTuple):
    """One batch of inboxes."""

    looked_at: int
    mended: int


def recount(models: Models) -> Iterator[Recounted]:
    """Compare each inbox with its messages, and set right those that are wrong; yield each batch.

    An inbox that is right is neither locked nor written. A batch is a transaction of its own.
    """
    session = models.db.session
    key = models.inbox.c.recipient_id
    ours = {"clause": models.inbox}
    after = select(key).order_by(key).limit(BATCH)
    keys = session.scalars(after, bind_arguments=ours).all()
    while keys:
        connection = session.connection(bind_arguments={"clause": models.inbox})
        wrong = wrong_ones(connection, models, keys)
        mended = _mend(connection, models, wrong) if wrong else {}
        session.commit()
        news.committed(mended, spread=True)
        yield Recounted(len(keys), len(wrong))
        keys = session.scalars(after.where(key > keys[-1]), bind_arguments=ours).all()


def wrong_ones(connection: Connection, models: Models, keys: Sequence[RecipientKey]) -> list[RecipientKey]:
    """Return those of the recipients whose inbox does not say what their messages do."""
    row = models.inbox.c
    unseen, due = _unseen(models), _due(models)
    query = select(row.recipient_id).where(
        inbox.among(connection, row.recipient_id, keys),
        (row.unseen_count != unseen)
        | (row.mail_due_at.is_(None) & due.is_not(None))
        | (row.mail_due_at > due + _CLAIMED),
    )
    return list(connection.scalars(query.order_by(row.recipient_id)))


def _mend(connection: Connection, models: Models, keys: Sequence[RecipientKey]) -> dict[RecipientKey, float]:
    # Under the lock, and counted again: what was read before it may be over.
    locked = inbox.advance(connection, models, keys, now=models.clock())
    row = models.inbox.c
    values = {"unseen_count": _unseen(models), "unseen_cursor": row.cursor, "mail_due_at": _due(models)}
    mine = inbox.among(connection, row.recipient_id, list(locked))
    connection.execute(update(models.inbox).where(mine).values(values))
    return inbox.cursors_of(locked)


def _unseen(models: Models) -> Any:
    message = models.message.c
    mine = message.recipient_id == models.inbox.c.recipient_id, message.seen_at.is_(None)
    return select(func.count()).select_from(models.message).where(*mine).scalar_subquery()


def _due(models: Models) -> Any:
    message = models.message.c
    mine = message.recipient_id == models.inbox.c.recipient_id, message.seen_at.is_(None)
    return select(func.min(message.mail_due_at)).where(*mine).scalar_subquery()
