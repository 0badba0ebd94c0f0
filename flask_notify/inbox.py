"""The inbox row: the lock that orders writers to one recipient, and its cursor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import (
    ARRAY,
    Connection,
    Double,
    Integer,
    Result,
    ScalarSelect,
    Select,
    any_,
    bindparam,
    case,
    func,
    insert,
    literal,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from . import news
from .errors import ConfigurationError
from .models import Models, RecipientKey
from .statements import IntegerArray

STEP = 1e-6
"""Seconds between two timestamps of one recipient when the clock does not tell them apart."""

_SQLITE_BATCH = 10_000  # SQLite takes at most 32,766 values in one statement.
_RESET_BATCH = 1_000


class InboxState(NamedTuple):
    """What a locked inbox holds, with its new cursor."""

    cursor: float
    mail_due_at: float | None
    mail_mode: str | None
    timezone: str | None
    notify_myself: bool


Inboxes: TypeAlias = "dict[RecipientKey, InboxState]"
"""Locked inboxes, by the recipient's key."""


def cursors_of(inboxes: Inboxes) -> dict[RecipientKey, float]:
    """Return the cursors alone, to be told to :func:`.news.committed`."""
    return {key: state.cursor for key, state in inboxes.items()}


def advance(
    connection: Connection,
    models: Models,
    keys: Sequence[RecipientKey],
    *,
    now: float,
    steps: int = 1,
) -> Inboxes:
    """Lock the inboxes of some recipients until the commit, and move their cursors on.

    Missing inboxes are made. Locks are taken in the database's own key order, so that two
    transactions that name the same recipients wait for each other instead of deadlocking.

    :param now: Unix seconds. A cursor that is ahead of it (another host's clock, a clock that
        was set back) still goes forward.
    :param steps: how many timestamps are wanted per recipient. The last of them is the new
        cursor, those before it lie one :data:`STEP` apart.
    :return: each recipient's inbox; one whose user is gone is left out.
    """
    dialect = connection.dialect.name
    if dialect == "postgresql":
        return _advance_postgresql(connection, models, keys, steps * STEP, now)
    if dialect == "sqlite":
        return _advance_sqlite(connection, models, keys, steps * STEP, now)
    if dialect in ("mysql", "mariadb"):
        return _advance_mariadb(connection, models, keys, steps * STEP, now)
    raise ConfigurationError(f"Flask-Notify works on PostgreSQL, MariaDB and SQLite, got {dialect!r}")


def move_on(connection: Connection, models: Models, keys: Sequence[RecipientKey], *, now: float) -> None:
    """Do as :func:`advance` does for inboxes that are there, where nobody asks what they hold.

    :param now: Unix seconds.
    """
    if connection.dialect.name in ("mysql", "mariadb"):
        advance(connection, models, keys, now=now)
        return
    cursor = _greater(connection, literal(now, Double), models.inbox.c.cursor + STEP)
    for batch in _batches(keys, _SQLITE_BATCH):
        wanted = among(connection, models.inbox.c.recipient_id, batch)
        if connection.dialect.name == "postgresql":
            # An UPDATE takes its locks in any order: here all are taken before it begins.
            key = models.inbox.c.recipient_id
            ordered = select(key).where(wanted).order_by(key).with_for_update(key_share=True)
            wanted = key == any_(func.array(ordered.scalar_subquery()))
        connection.execute(update(models.inbox).where(wanted).values(cursor=cursor))


def lock(connection: Connection, models: Models, keys: Sequence[RecipientKey], *, now: float, make: bool) -> Inboxes:
    """Lock inboxes as :func:`advance` does, and leave it to :func:`count_messages` to move them on.

    So a row is written once and not twice, and one in which nothing is noted is not written at all.

    :param now: Unix seconds, the same as will be given to :func:`count_messages`.
    :param make: whether to make missing inboxes. To lock those that are there, and then to make the others, would
        be out of the order: who finds some missing begins anew, in a transaction that makes them.
    :return: each recipient's inbox, with the cursor that it will have then.
    """
    if connection.dialect.name in ("mysql", "mariadb"):
        locked = _lock_or_make_mariadb(connection, models, keys, now)
    elif make:
        locked = advance(connection, models, keys, now=now)
    else:
        return _lock(connection, models, keys, now)
    return {key: InboxState(max(now, state.cursor + STEP), *state[1:]) for key, state in locked.items()}


def _lock(connection: Connection, models: Models, keys: Sequence[RecipientKey], now: float) -> Inboxes:
    key, cursor, *settings = _state_columns(models)
    coming = _greater(connection, literal(now, Double), cursor + STEP)
    if connection.dialect.name == "sqlite":
        # Writing is its lock; a transaction that has written anything holds it already.
        connection.execute(update(models.inbox).where(key == keys[0]).values(cursor=models.inbox.c.cursor))
    states: Inboxes = {}
    for batch in _batches(keys, _SQLITE_BATCH):
        ordered = select(key, coming, *settings).where(among(connection, key, batch)).order_by(key)
        states.update(_states(connection.execute(ordered.with_for_update(key_share=True))))
    return states


def _advance_postgresql(
    connection: Connection, models: Models, keys: Sequence[RecipientKey], gap: float, now: float
) -> Inboxes:
    wanted = among(connection, models.key_column, keys)
    statement = postgresql.insert(models.inbox).from_select(_INSERTED, _rows(models, wanted, now))
    upsert = statement.on_conflict_do_update(
        index_elements=["recipient_id"],
        set_={"cursor": func.greatest(statement.excluded.cursor, models.inbox.c.cursor + gap)},
    ).returning(*_state_columns(models))
    return _states(connection.execute(upsert))


def _advance_sqlite(
    connection: Connection, models: Models, keys: Sequence[RecipientKey], gap: float, now: float
) -> Inboxes:
    # SQLite has one writer at a time, so the batches need no order among them.
    states: Inboxes = {}
    for batch in _batches(keys, _SQLITE_BATCH):
        statement = sqlite.insert(models.inbox).from_select(_INSERTED, _rows(models, models.key_column.in_(batch), now))
        upsert = statement.on_conflict_do_update(
            index_elements=["recipient_id"],
            set_={"cursor": func.max(statement.excluded.cursor, models.inbox.c.cursor + gap)},
        ).returning(*_state_columns(models))
        states.update(_states(connection.execute(upsert)))
    return states


def _advance_mariadb(
    connection: Connection, models: Models, keys: Sequence[RecipientKey], gap: float, now: float
) -> Inboxes:
    states = _lock_or_make_mariadb(connection, models, keys, now)
    if states:
        forward = func.greatest(literal(now, Double), models.inbox.c.cursor + gap)
        wanted = models.inbox.c.recipient_id.in_(list(states))
        connection.execute(update(models.inbox).where(wanted).values(cursor=forward))
    return {key: state._replace(cursor=max(now, state.cursor + gap)) for key, state in states.items()}


def _lock_or_make_mariadb(connection: Connection, models: Models, keys: Sequence[RecipientKey], now: float) -> Inboxes:
    # An upsert would take gap locks and deadlock with others. Here only what is missing is
    # inserted, and what is there is locked row by row, in the order of the primary key.
    states = _lock_mariadb(connection, models, keys)
    missing = [key for key in keys if key not in states]
    if missing and _make_mariadb(connection, models, missing, now):
        # From the beginning: what was locked now may come before what is locked already.
        states = _lock_mariadb(connection, models, keys)
    return states


def _lock_mariadb(connection: Connection, models: Models, keys: Sequence[RecipientKey]) -> Inboxes:
    wanted = models.inbox.c.recipient_id.in_(keys)
    lock = select(*_state_columns(models)).where(wanted).order_by(models.inbox.c.recipient_id)
    return _states(connection.execute(lock.with_for_update()))


def _make_mariadb(connection: Connection, models: Models, missing: Sequence[RecipientKey], now: float) -> int:
    rows = _rows(models, models.key_column.in_(missing), now)
    make = mysql.insert(models.inbox).prefix_with("IGNORE")
    # Those whose user is gone are not made, and not waited for.
    rows_made = make.from_select(_INSERTED, rows).execution_options(preserve_rowcount=True)
    return connection.execute(rows_made).rowcount


_INSERTED = ["recipient_id", "cursor", "created_at"]


def _rows(models: Models, wanted: ColumnElement[bool], now: float) -> Select[Any]:
    """Select from the user table: a user who was deleted meanwhile is no error, but no row."""
    key = models.key_column
    return select(key, literal(now, Double), literal(now, Double)).where(wanted).order_by(key)


def _state_columns(models: Models) -> list[ColumnElement[Any]]:
    return [models.inbox.c[name] for name in ("recipient_id", *InboxState._fields)]


def _states(result: Result[Any]) -> Inboxes:
    return {row[0]: InboxState._make(row[1:]) for row in result.all()}


def _batches(keys: Sequence[RecipientKey], size: int) -> Iterator[list[RecipientKey]]:
    rest = iter(keys)
    while batch := list(islice(rest, size)):
        yield batch


def among(
    connection: Connection, column: ColumnElement[RecipientKey], keys: Sequence[RecipientKey]
) -> ColumnElement[bool]:
    """Return the condition that a key is one of these."""
    if connection.dialect.name != "postgresql":
        return column.in_(keys)
    # One array, however many keys: a list of parameters would end at 65,535 of them.
    array: Any = IntegerArray.of(column.type) if isinstance(column.type, Integer) else ARRAY(column.type)
    return column == any_(type_coerce(bindparam(None, list(keys), array), array))


def count_messages(
    connection: Connection,
    models: Models,
    keys: Sequence[RecipientKey],
    unseen: int | ColumnElement[int],
    due_at: float | ColumnElement[float] | None = None,
    *,
    now: float | None = None,
    settle: bool = False,
) -> None:
    """Note that messages of locked inboxes have changed: pages are told the count anew.

    :param unseen: how many more, or fewer, are unseen now, for each of them (or a column that says it).
    :param due_at: Unix seconds at which a new one is to be mailed, or None.
    :param now: Unix seconds for inboxes whose cursors have not been moved on yet (see
        :func:`lock`), or None.
    :param settle: whether some may owe no mail any more; see :func:`settle_due`.
    """
    inbox = models.inbox.c
    cursor: ColumnElement[float] = inbox.cursor
    values: dict[str, Any] = {"unseen_count": inbox.unseen_count + unseen}
    if now is not None:
        cursor = values["cursor"] = _greater(connection, literal(now, Double), inbox.cursor + STEP)
    # MariaDB alone sets one column after the other, and would move it on once more.
    moved = now is not None and connection.dialect.name in ("mysql", "mariadb")
    values["unseen_cursor"] = inbox.cursor if moved else cursor
    if due_at is not None:
        due = type_coerce(due_at, Double)
        values["mail_due_at"] = case((inbox.mail_due_at < due, inbox.mail_due_at), else_=due)
    if settle:
        values["mail_due_at"] = _first_due(models)
    for batch in _batches(keys, _SQLITE_BATCH):
        wanted = among(connection, inbox.recipient_id, batch)
        connection.execute(update(models.inbox).where(wanted).values(values))


def _greater(connection: Connection, *values: ColumnElement[float]) -> ColumnElement[float]:
    return func.max(*values) if connection.dialect.name == "sqlite" else func.greatest(*values)


def adjust(connection: Connection, models: Models, deltas: Mapping[RecipientKey, int], *, settle: bool = False) -> None:
    """Add to the counts of unseen messages of locked inboxes, and let pages be told.

    :param settle: whether to set when their next mail is due, as :func:`settle_due` does.
    """
    by_delta: dict[int, list[RecipientKey]] = {}
    for key, delta in deltas.items():
        by_delta.setdefault(delta, []).append(key)
    for delta, keys in by_delta.items():
        count_messages(connection, models, keys, delta, settle=settle)


def settle_due(connection: Connection, models: Models, keys: Sequence[RecipientKey]) -> None:
    """Set when the next mail of locked inboxes is due: when the first unseen message that owes one is."""
    for batch in _batches(keys, _SQLITE_BATCH):
        wanted = among(connection, models.inbox.c.recipient_id, batch)
        connection.execute(update(models.inbox).where(wanted).values(mail_due_at=_first_due(models)))


def _first_due(models: Models) -> ScalarSelect[Any]:
    message = models.message.c
    mine = message.recipient_id == models.inbox.c.recipient_id
    return select(func.min(message.mail_due_at)).where(mine, message.seen_at.is_(None)).scalar_subquery()


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
    counted = select(func.count()).select_from(models.inbox)
    return models.db.session.scalar(counted, bind_arguments={"clause": models.inbox}) or 0


def reset_all(models: Models) -> Iterator[int]:
    """Move every cursor on, so that each client gets the whole state; yield each batch's size.

    The batches are committed one by one. One that was cut short can be run again.
    """
    session = models.db.session
    key = models.inbox.c.recipient_id
    after = select(key).order_by(key).limit(_RESET_BATCH)
    keys = session.scalars(after, bind_arguments={"clause": models.inbox}).all()
    while keys:
        connection = session.connection(bind_arguments={"clause": models.inbox})
        moved = advance(connection, models, keys, steps=1, now=models.clock())
        reset = {"reset_cursor": models.inbox.c.cursor}
        connection.execute(update(models.inbox).where(key.in_(keys)).values(reset))
        session.commit()
        news.committed(cursors_of(moved), spread=True)
        yield len(keys)
        keys = session.scalars(after.where(key > keys[-1]), bind_arguments={"clause": models.inbox}).all()
