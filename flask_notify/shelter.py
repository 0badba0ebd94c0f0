"""Work inside a transaction that is somebody else's, which may fail without harming it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, NestedTransaction, event
from sqlalchemy.orm import Session

from . import emission
from .detour import emitting_into
from .models import Models


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


class _Savepoint:
    """A savepoint of the connection, of which the session knows nothing: its own would flush."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._open: NestedTransaction | None = None

    def begin(self, *_: Any) -> None:
        """Begin it."""
        self._begin_on_sqlite()
        self._open = self._connection.begin_nested()

    def _begin_on_sqlite(self) -> None:
        # Python's driver begins a transaction at the first write only: a savepoint before that
        # would be a transaction of its own, and its release a commit.
        if self._connection.dialect.name == "sqlite":
            driver: Any = self._connection.connection.driver_connection
            if not driver.in_transaction:
                self._connection.exec_driver_sql("BEGIN")

    def release(self, *_: Any) -> None:
        """Keep what was done since it began."""
        found, self._open = self._open, None
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
