"""The messages that wait for the broker: which come next, which are done, how many there are."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, any_, delete, func, literal_column, select

from .. import inbox
from ..durability import without_waiting
from ..models import Models, RecipientKey

BATCH = 500
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


def remove(connection: Connection, models: Models, rows: Sequence[Waiting]) -> list[Waiting]:
    """Delete what the broker has confirmed, without waiting for anybody.

    :return: those that somebody else has in hand, who may be about to delete them, too.
    """
    # Lost with the power of the database's server, they are repeated, with the same ids.
    without_waiting(connection)
    if _REMOVE.get(connection.dialect.name, _remove)(connection, models, rows) == len(rows):
        return []
    key = models.relay.c.id
    left = set(connection.scalars(select(key).where(inbox.among(connection, key, [row.id for row in rows]))))
    return [row for row in rows if row.id in left]


def _remove(connection: Connection, models: Models, rows: Sequence[Waiting]) -> int:
    return connection.execute(delete(models.relay).where(models.relay.c.id.in_([row.id for row in rows]))).rowcount


def _remove_postgresql(connection: Connection, models: Models, rows: Sequence[Waiting]) -> int:
    # By the rows' places, which do not move while the rows are locked.
    place: ColumnElement[Any] = literal_column("ctid")
    mine = inbox.among(connection, models.relay.c.id, [row.id for row in rows])
    locked = select(place).select_from(models.relay).where(mine).with_for_update(skip_locked=True)
    return connection.execute(delete(models.relay).where(place == any_(func.array(locked.scalar_subquery())))).rowcount


def _remove_mariadb(connection: Connection, models: Models, rows: Sequence[Waiting]) -> int:
    # Who deletes a user locks the inbox, and then these rows by another index than we do: whoever has
    # the inbox, has the rows.
    key = models.inbox.c.recipient_id
    free = select(key).where(key.in_({row.recipient_id for row in rows})).order_by(key)
    recipients = set(connection.scalars(free.with_for_update(skip_locked=True)))
    mine = [row.id for row in rows if row.recipient_id in recipients]
    if not mine:
        return 0
    # A small table would be scanned, and a scan waits for rows that others are inserting. MariaDB takes
    # the hint only where the rows to delete are said to be of an alias.
    done: Any = models.relay.alias("done")
    doomed = delete(done).where(done.c.id.in_(mine)).prefix_with("done").with_hint("FORCE INDEX (PRIMARY)")
    return connection.execute(doomed).rowcount


_REMOVE = {"postgresql": _remove_postgresql, "mysql": _remove_mariadb, "mariadb": _remove_mariadb}


def backlog(connection: Connection, models: Models) -> Backlog:
    """Return how much waits."""
    relay = models.relay.c
    oldest = select(relay.created_at).order_by(relay.id).limit(1)
    messages = connection.scalar(select(func.count()).select_from(models.relay)) or 0
    return Backlog(messages, connection.scalar(oldest))
