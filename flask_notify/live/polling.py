"""What a client that has seen everything up to ``since`` is to be told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

from sqlalchemy import Connection, Double, Engine, bindparam, select
from sqlalchemy.engine import Dialect

from ..models import Models, RecipientKey
from ..statements import PlainStatement, Schemas, schemas_of
from .notifications import UNREAD_COUNT


class Item(NamedTuple):
    """One element of the answer. The data is JSON text, passed on as it was stored."""

    name: str
    data: str
    timestamp: float
    expires_in: float | None = None
    removed: bool = False

    def __str__(self) -> str:
        text = f'{{"name":{encode_basestring_ascii(self.name)},"data":{self.data},"timestamp":{self.timestamp!r}'
        if self.expires_in is not None:
            text += f',"expires_in":{self.expires_in:.3f}'
        return text + (',"removed":true}' if self.removed else "}")


@dataclass(frozen=True)
class Answer:
    """The items newer than ``since``, oldest first.

    :param cursor: the recipient's cursor, as it was *before* the items were read.
    :param reset: whether this is the whole state because ``since`` means nothing any more.
    """

    items: list[Item]
    cursor: float
    reset: bool = False

    @property
    def body(self) -> str:
        """The JSON array."""
        return f"[{','.join(map(str, self.items))}]"


def read(
    cursor: Any,
    bind: Engine | Connection,
    models: Models,
    key: RecipientKey,
    *,
    since: float,
    now: float,
    tombstone_age: float,
) -> Answer:
    """Read what a recipient's client has to be told: one primary-key read if it is nothing.

    :param cursor: a DBAPI cursor on the database of the user model.
    :param bind: what the cursor is of: it says how to ask, and in which schema.
    :param since: Unix seconds; 0 asks for the whole state.
    :param now: Unix seconds; what has expired by then is gone.
    :param tombstone_age: seconds for which removals are kept; an older ``since`` is reset.
    """
    statements = _statements(models, bind.dialect, schemas_of(bind))
    statements.inbox.execute(cursor, key=key)
    inbox = _Inbox(*(cursor.fetchone() or (0.0, 0.0, 0, 0.0)))
    if since == inbox.cursor:
        return Answer([], inbox.cursor)
    reset = since > inbox.cursor or 0 < since < max(inbox.reset_cursor, now - tombstone_age)
    whole = reset or since == 0
    after = 0.0 if whole else since
    # Only up to the cursor that was read: of a transaction that commits in between, the count
    # has been read without it, and its values must not carry the client past that count.
    statements.items.execute(cursor, key=key, after=after, upto=inbox.cursor)
    items = list(_items(cursor.fetchall(), whole, now))
    items += _unread(inbox, items, whole, after)
    return Answer(sorted(items, key=lambda item: item.timestamp), inbox.cursor, reset)


@dataclass(frozen=True)
class _Inbox:
    cursor: float
    reset_cursor: float
    unseen_count: int
    unseen_cursor: float


def _items(rows: Any, whole: bool, now: float) -> Iterator[Item]:
    for name, payload, timestamp, expires_at, removed in rows:
        if removed or (expires_at is not None and expires_at <= now):
            # An expired value may have replaced one that the client still shows, so it is
            # told as a removal; a client that asks for the whole state has nothing to drop.
            if not whole:
                yield Item(name, "null", timestamp, removed=True)
        elif expires_at is None:
            yield Item(name, payload, timestamp)
        else:
            yield Item(name, payload, timestamp, expires_in=expires_at - now)


def _unread(inbox: _Inbox, items: list[Item], whole: bool, after: float) -> list[Item]:
    """Return the count of unseen messages, where it is news.

    A whole state has to end at the cursor: what it left out would otherwise lie between the
    client's next ``since`` and the cursor for ever, and grow old enough to reset it each time.
    The count is known at the cursor, so it is what carries the client there.
    """
    timestamp = inbox.unseen_cursor
    if whole and all(item.timestamp < inbox.cursor for item in items):
        timestamp = inbox.cursor
    if timestamp <= after:
        return []
    return [Item(UNREAD_COUNT, str(inbox.unseen_count), timestamp)]


def read_cursor(cursor: Any, bind: Engine | Connection, models: Models, key: RecipientKey) -> float:
    """Read a recipient's cursor alone, 0 if they have no inbox yet."""
    _statements(models, bind.dialect, schemas_of(bind)).cursor.execute(cursor, key=key)
    row = cursor.fetchone()
    return row[0] if row else 0.0


@dataclass(frozen=True)
class _Statements:
    inbox: PlainStatement
    items: PlainStatement
    cursor: PlainStatement


@lru_cache(maxsize=64)
def _statements(models: Models, dialect: Dialect, schemas: Schemas = None) -> _Statements:
    inbox = models.inbox.c
    mine = inbox.recipient_id == bindparam("key")
    # No ORDER BY: the rows of a recipient are found by primary key, and a handful is sorted
    # here. An index on the timestamp would have to be kept up by every write.
    item = models.notification.c
    items = select(item.name, item.payload, item.timestamp, item.expires_at, item.removed).where(
        item.recipient_id == bindparam("key"),
        item.timestamp > bindparam("after", type_=Double),
        item.timestamp <= bindparam("upto", type_=Double),
    )
    state = select(inbox.cursor, inbox.reset_cursor, inbox.unseen_count, inbox.unseen_cursor)
    return _Statements(
        inbox=PlainStatement(state.where(mine), dialect, schemas),
        items=PlainStatement(items, dialect, schemas),
        cursor=PlainStatement(select(inbox.cursor).where(mine), dialect, schemas),
    )
