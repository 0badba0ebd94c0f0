"""The inbox row: the lock that orders writers to one recipient, and its cursor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import (
    ARRAY,
    Connection,
    Double,
    Result,
    Select,
    any_,
    bindparam,
    func,
    insert,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from .errors import ConfigurationError
from .models import Models, RecipientKey

STEP = 1e-6
"""Seconds between two timestamps of one recipient when the clock does not tell them apart."""

_SQLITE_BATCH = 10_000  # SQLite takes at most 32,766 values in one statement.
_RESET_BATCH = 1_000


def advance(
    connection: Connection,
    models: Models,
    keys: Sequence[RecipientKey],
    *,
    steps: int,
    now: float,
) -> dict[RecipientKey, float]:
    """Lock the inboxes of some recipients until the commit, and move their cursors on.

    Missing inboxes are made. Locks are taken in the database's own key order, so that two
    transactions that name the same recipients wait for each other instead of deadlocking.

    :param steps: how many timestamps are wanted per recipient. The last of them is the new
        cursor, those before it lie one :data:`STEP` apart.
    :param now: Unix seconds. A cursor that is ahead of it (another host's clock, a clock that
        was set back) still goes forward.
    :return: the new cursor of each recipient; one whose user is gone is left out.
    """
    dialect = connection.dialect.name
    if dialect == "postgresql":
        return _advance_postgresql(connection, models, keys, steps * STEP, now)
    if dialect == "sqlite":
        return _advance_sqlite(connection, models, keys, steps * STEP, now)
    if dialect in ("mysql", "mariadb"):
        return _advance_mariadb(connection, models, keys, steps * STEP, now)
    raise ConfigurationError(f"Flask-Notify works on PostgreSQL, MariaDB and SQLite, got {dialect!r}")


def _advance_postgresql(
    connection: Connection, models: Models, keys: Sequence[RecipientKey], gap: float, now: float
) -> dict[RecipientKey, float]:
    # One array, however many keys: a list of parameters would end at 65,535 of them.
    key_array = bindparam("keys", list(keys), ARRAY(models.key_column.type))
    wanted = models.key_column == any_(type_coerce(key_array, ARRAY(models.key_column.type)))
    statement = postgresql.insert(models.inbox).from_select(["recipient_id", "cursor"], _rows(models, wanted, now))
    upsert = statement.on_conflict_do_update(
        index_elements=["recipient_id"],
        set_={"cursor": func.greatest(statement.excluded.cursor, models.inbox.c.cursor + gap)},
    ).returning(models.inbox.c.recipient_id, models.inbox.c.cursor)
    return _cursors(connection.execute(upsert))


def _advance_sqlite(
    connection: Connection, models: Models, keys: Sequence[RecipientKey], gap: float, now: float
) -> dict[RecipientKey, float]:
    # SQLite has one writer at a time, so the batches need no order among them.
    cursors: dict[RecipientKey, float] = {}
    for batch in _batches(keys, _SQLITE_BATCH):
        statement = sqlite.insert(models.inbox).from_select(
            ["recipient_id", "cursor"], _rows(models, models.key_column.in_(batch), now)
        )
        upsert = statement.on_conflict_do_update(
            index_elements=["recipient_id"],
            set_={"cursor": func.max(statement.excluded.cursor, models.inbox.c.cursor + gap)},
        ).returning(models.inbox.c.recipient_id, models.inbox.c.cursor)
        cursors.update(_cursors(connection.execute(upsert)))
    return cursors


def _advance_mariadb(
    connection: Connection, models: Models, keys: Sequence[RecipientKey], gap: float, now: float
) -> dict[RecipientKey, float]:
    # An upsert would take gap locks and deadlock with others. Here only what is missing is
    # inserted, and what is there is locked row by row, in the order of the primary key.
    inbox = models.inbox.c
    wanted = inbox.recipient_id.in_(keys)
    present = set(connection.scalars(select(inbox.recipient_id).where(wanted)))
    missing = [key for key in keys if key not in present]
    if missing:
        _make_mariadb(connection, models, missing)
    lock = select(inbox.recipient_id).where(wanted).order_by(inbox.recipient_id)
    connection.execute(lock.with_for_update()).all()
    forward = func.greatest(literal(now, Double), inbox.cursor + gap)
    connection.execute(update(models.inbox).where(wanted).values(cursor=forward))
    cursors = select(inbox.recipient_id, inbox.cursor).where(wanted)
    return _cursors(connection.execute(cursors))


def _make_mariadb(connection: Connection, models: Models, missing: Sequence[RecipientKey]) -> None:
    rows = _rows(models, models.key_column.in_(missing), now=0.0)
    make = mysql.insert(models.inbox).prefix_with("IGNORE")
    connection.execute(make.from_select(["recipient_id", "cursor"], rows))


def _rows(models: Models, wanted: ColumnElement[bool], now: float) -> Select[tuple[Any, float]]:
    """Select from the user table: a user who was deleted meanwhile is no error, but no row."""
    key = models.key_column
    return select(key, literal(now, Double)).where(wanted).order_by(key)


def _cursors(result: Result[Any]) -> dict[RecipientKey, float]:
    return {row.recipient_id: row.cursor for row in result}


def _batches(keys: Sequence[RecipientKey], size: int) -> Iterator[list[RecipientKey]]:
    rest = iter(keys)
    while batch := list(islice(rest, size)):
        yield batch


def make(connection: Connection, models: Models, key: RecipientKey) -> None:
    """Make the inbox of a user who was inserted in this transaction.

    It is made with the user, and not with the first notification: then no emitter has to
    insert it, which would lock the user's row.
    """
    forget(connection, models, key)
    connection.execute(insert(models.inbox).values(recipient_id=key, created_at=models.clock()))


def forget(connection: Connection, models: Models, key: RecipientKey) -> None:
    """Delete every row of a recipient on SQLite, which gives a deleted user's key to the next.

    The other databases do it by their foreign keys, which SQLite usually ignores.
    """
    if connection.dialect.name == "sqlite":
        for table in models.of_a_recipient:
            connection.execute(table.delete().where(table.c.recipient_id == key))
        # What they have sent must not read as sent by whoever gets the key next.
        connection.execute(models.block.delete().where(models.block.c.sender_id == key))
        sent = update(models.message).where(models.message.c.sender_id == key)
        connection.execute(sent.values(sender_id=None))


def count(models: Models) -> int:
    """Return how many inboxes there are."""
    session = models.db.session
    return session.scalar(select(func.count()).select_from(models.inbox)) or 0


def reset_all(models: Models) -> Iterator[int]:
    """Move every cursor on, so that each client gets the whole state; yield each batch's size.

    The batches are committed one by one. One that was cut short can be run again.
    """
    session = models.db.session
    key = models.inbox.c.recipient_id
    after = select(key).order_by(key).limit(_RESET_BATCH)
    keys = session.scalars(after).all()
    while keys:
        connection = session.connection(bind_arguments={"clause": models.inbox})
        advance(connection, models, keys, steps=1, now=models.clock())
        reset = {"reset_cursor": models.inbox.c.cursor}
        connection.execute(update(models.inbox).where(key.in_(keys)).values(reset))
        session.commit()
        yield len(keys)
        keys = session.scalars(after.where(key > keys[-1])).all()
