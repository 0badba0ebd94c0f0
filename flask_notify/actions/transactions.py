"""All or nothing: what an action does stays within a savepoint of its caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, SessionTransaction

from ..errors import TransactionEnded

_KEY = "flask_notify.actions"
_ENDED = (
    "run() of an action must leave the transaction to its caller, got a {}. Take it out: the page commits when the "
    "action has succeeded, and code that calls run_for() does so itself."
)


@contextmanager
def savepoint(session: Session, *mapped: Any) -> Iterator[None]:
    """Keep what is done within it if it ends well; else take all of it back, and no more than it.

    :param mapped: classes whose databases are written to.
    :raises TransactionEnded: if the transaction was ended within it.
    """
    session.flush()
    for one in mapped:
        _begin_to_write(session, one)
    nested = session.begin_nested()
    session.info.setdefault(_KEY, []).append(nested)
    try:
        yield
        _check_open(session, nested)
        session.flush()  # what it raises is raised while all can be taken back
        _release(session, nested)
        nested.commit()
    except BaseException:
        _release(session, nested)
        if _is_open(session, nested):
            _take_back(session, nested)
        raise


def _release(session: Session, nested: SessionTransaction) -> None:
    guarded = session.info.get(_KEY, [])
    if nested in guarded:
        guarded.remove(nested)
    if not guarded:
        session.info.pop(_KEY, None)


def _take_back(session: Session, nested: SessionTransaction) -> None:
    try:
        nested.rollback()
    except DBAPIError:
        # MariaDB ends the whole transaction of the one whom it takes out of a deadlock, with its savepoints.
        session.rollback()


def _check_open(session: Session, nested: SessionTransaction) -> None:
    if not _is_open(session, nested):
        session.rollback()  # what came after it would be the caller's
        raise TransactionEnded(_ENDED.format("rollback"))


def _is_open(session: Session, nested: SessionTransaction) -> bool:
    transaction = session.get_nested_transaction()
    while transaction is not None and transaction is not nested:
        transaction = transaction.parent
    return transaction is nested


def _begin_to_write(session: Session, mapped: Any) -> None:
    """Begin SQLite's transaction as one that writes.

    Its driver begins none before the first change, so that the savepoint would be the transaction, and its
    release a commit. And of two who have read before they write one is refused at once; so one waits here.
    """
    connection = session.connection(bind_arguments={"mapper": mapped})
    if connection.dialect.name == "sqlite" and not connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]  # sqlite3's
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def listen() -> None:
    """Listen on every session for a commit within an action."""
    if not event.contains(Session, "before_commit", _refuse):
        event.listen(Session, "before_commit", _refuse, insert=True)


def _refuse(session: Session) -> None:
    guarded = session.info.get(_KEY)
    # A savepoint of the action's own may be released; the guarded one is by whoever made it.
    if guarded and session.get_nested_transaction() is guarded[-1]:
        raise TransactionEnded(_ENDED.format("commit"))
