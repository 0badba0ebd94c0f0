"""Whether a session has writes that its transaction has yet to commit, however they were made.

An open transaction alone tells nothing: a session begins one for any read, and nobody need ever
commit it. So what each connection of a session writes is noted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session, SessionTransaction, SessionTransactionOrigin

from .. import emission

_KEY = "flask_notify.connections"

_READS = re.compile(
    r"(?:\s|\(|/\*.*?\*/|--[^\n]*\n)*"
    r"(?:SELECT|VALUES|TABLE|SHOW|EXPLAIN|DESC|DESCRIBE|PRAGMA|SET|RESET|SAVEPOINT|RELEASE|ROLLBACK|BEGIN|START)\b",
    re.IGNORECASE | re.DOTALL,
)
_WITH = re.compile(r"\s*WITH\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(?:INSERT|DELETE|MERGE|(?<!FOR )(?<!KEY )UPDATE)\b", re.IGNORECASE)

_BEGINS = "SAVEPOINT "
_OF_SAVEPOINTS = (_BEGINS, "ROLLBACK TO ")


class _Written:
    """Whether a connection's transaction has written, now and when each open savepoint began."""

    __slots__ = ("before", "now")

    def __init__(self) -> None:
        self.now = False
        self.before: dict[str, bool] = {}


_written: WeakKeyDictionary[Connection, _Written] = WeakKeyDictionary()


def listen() -> None:
    """Note from now on what sessions write.

    A statement that reads pays for a look at its first word.
    """
    if event.contains(Session, "after_begin", _after_begin):
        return
    event.listen(Session, "after_begin", _after_begin)
    listeners: dict[str, Callable[..., None]] = {
        "after_cursor_execute": _after_cursor_execute,
        "commit": _end,
        "rollback": _end,
        "commit_twophase": _end,
        "rollback_twophase": _end,
    }
    for happening, listener in listeners.items():
        event.listen(Engine, happening, listener)


def has_uncommitted(session: Session) -> bool:
    """Return whether a session has something that its commit would write; asking sends no statement.

    It has, too, while somebody has begun a transaction or a savepoint by themselves: who does so
    means to end it. A transaction that has failed is only waiting for its rollback, and counts as none.
    """
    if not session.is_active:
        return False
    if session.new or session.deleted or emission.pending(session):
        return True
    if any(session.is_modified(instance) for instance in session.dirty):
        return True
    transaction = session.get_transaction()
    if transaction is None:
        return False
    if session.in_nested_transaction() or transaction.origin is not SessionTransactionOrigin.AUTOBEGIN:
        return True
    return any(_has_written(connection) for connection in session.info.get(_KEY, ()))


def _has_written(connection: Connection) -> bool:
    written = _written.get(connection)
    return written is not None and written.now and not connection.closed and connection.in_transaction()


def writes(statement: str) -> bool:
    """Return whether an SQL statement writes, as far as its words tell."""
    if _WITH.match(statement):
        return _WRITES.search(statement) is not None
    return _READS.match(statement) is None


def _after_begin(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    session.info.setdefault(_KEY, WeakSet()).add(connection)


def _after_cursor_execute(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    if writes(statement):
        _state(connection).now = True
    elif statement.startswith(_OF_SAVEPOINTS):
        # SQLAlchemy's own events of savepoints come before it has given them their names.
        state, name = _state(connection), statement.rsplit(maxsplit=1)[-1]
        if statement.startswith(_BEGINS):
            state.before[name] = state.now
        elif connection.dialect.name != "sqlite":  # whose one writer stays the writer until the transaction ends
            state.now = state.before.get(name, state.now)


def _end(connection: Connection, *_: Any) -> None:
    _written.pop(connection, None)


def _state(connection: Connection) -> _Written:
    return _written.setdefault(connection, _Written())
