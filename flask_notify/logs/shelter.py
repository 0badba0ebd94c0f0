"""Work inside a transaction that is somebody else's, which may fail without harming it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, NestedTransaction, event
from sqlalchemy.orm import Session

from .. import emission
from ..detour import emitting_into
from ..models import Models
from . import uncommitted


@contextmanager
def sheltered(session: Session, models: Models) -> Iterator[None]:
    """Let work be part of a session's transaction, and leave nothing of itself there if it raises.

    What the session has not written yet stays unwritten: were it written here, and refused by the
    database, the owner of the transaction would not get the error where they expect it. Where the
    work has to know the key of a new object, it is written all the same, and stays.
    """
    connection = session.connection(bind_arguments={"clause": models.inbox})
    box = emission._box_of(session)
    changes, afterwards = len(box.changes), len(box.afterwards)
    savepoint = _Savepoint(connection)
    # What is flushed is the owner's, and must not go with the work's own savepoint.
    event.listen(session, "before_flush", savepoint.release)
    event.listen(session, "after_flush", savepoint.begin)
    event.listen(connection, "before_cursor_execute", savepoint.before_execute)
    try:
        savepoint.begin()
        with session.no_autoflush, emitting_into(models, session):
            yield
        savepoint.release()
    except BaseException as error:
        if not box.stamped:
            del box.changes[changes:]
            del box.afterwards[afterwards:]
        if not savepoint.roll_back():
            # The database has undone the whole transaction, as MariaDB does with a deadlock. Its
            # owner does not see this error; a commit of what is left must not look like success.
            box.failure = error
        raise
    finally:
        event.remove(session, "before_flush", savepoint.release)
        event.remove(session, "after_flush", savepoint.begin)
        event.remove(connection, "before_cursor_execute", savepoint.before_execute)


class _Savepoint:
    """A savepoint of the connection, of which the session knows nothing: its own would flush."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._open: NestedTransaction | None = None
        self._at_first_write = False

    def begin(self, *_: Any) -> None:
        """Begin it."""
        # Python's driver for SQLite begins a transaction at the first write only: a savepoint
        # before that would be a transaction of its own, and its release a commit. To begin one
        # here would not do: one that reads before it writes may be refused its lock at once.
        if self._connection.dialect.name == "sqlite" and not _in_transaction(self._connection):
            self._at_first_write = True
        else:
            self._open = self._connection.begin_nested()

    def before_execute(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        """Begin one that had to wait for the first write."""
        if self._at_first_write and uncommitted.writes(statement):
            self._at_first_write = False
            connection.exec_driver_sql("BEGIN")
            self._open = connection.begin_nested()

    def release(self, *_: Any) -> None:
        """Keep what was done since it began."""
        found, self._open, self._at_first_write = self._open, None, False
        if found is not None and found.is_active:
            found.commit()

    def roll_back(self) -> bool:
        """Undo what was done since it began; return whether the transaction around it still stands."""
        found, self._open = self._open, None
        if found is None or not found.is_active:
            return True  # a flush has failed, of which the session itself tells, or the work has ended it all
        try:
            found.rollback()
        except Exception:  # noqa: BLE001  # of any driver: there is nothing to go back to
            return False
        return True


def _in_transaction(connection: Connection) -> bool:
    driver: Any = connection.connection.driver_connection
    return bool(driver.in_transaction)
