"""The messages that wait for the broker: which come next, which are done, how many there are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, select

from .. import inbox
from ..models import Models, RecipientKey

BATCH = 1_000
"""Messages that are read, delivered and deleted together."""


class Waiting(NamedTuple):
    """A message that waits.

    :param envelope: all that is sent, as JSON text.
    """

    id: int
    recipient_id: RecipientKey
    envelope: str


class Backlog(NamedTuple):
    """How much waits.

    :param since: Unix seconds of the oldest, or None if nothing does.
    """

    messages: int
    since: float | None


def first(
    connection: Connection, models: Models, limit: int, without: Collection[RecipientKey] = ()
) -> Sequence[Waiting]:
    """Return what comes next: the lowest keys there are, in their order.

    It begins at the lowest each time, and never where the last batch has ended: transactions of
    different recipients do not commit in the order of their keys. A row may appear below the last
    batch, and one of the same recipient above it; read from there on, the second would be first.

    :param without: recipients to leave out, all of theirs.
    """
    relay = models.relay.c
    query = select(relay.id, relay.recipient_id, relay.envelope).order_by(relay.id).limit(limit)
    if without:
        query = query.where(relay.recipient_id.not_in(without))
    return [Waiting._make(row) for row in connection.execute(query)]


def remove(connection: Connection, models: Models, ids: Sequence[int]) -> None:
    """Delete what the broker has confirmed, however often it did so."""
    if not ids:
        return
    key = models.relay.c.id
    if connection.dialect.name in ("mysql", "mariadb"):
        # One by one, by the whole key: with a list of keys MariaDB may read all of the table, and wait for
        # the rows of those who are writing, while they wait for ours.
        one = delete(models.relay).where(key == bindparam("one", type_=key.type))
        connection.execute(one, [{"one": number} for number in ids])
    else:
        connection.execute(delete(models.relay).where(inbox.among(connection, key, ids)))


def backlog(connection: Connection, models: Models) -> Backlog:
    """Return how much waits."""
    relay = models.relay.c
    oldest = select(relay.created_at).order_by(relay.id).limit(1)
    messages = connection.scalar(select(func.count()).select_from(models.relay)) or 0
    return Backlog(messages, connection.scalar(oldest))
