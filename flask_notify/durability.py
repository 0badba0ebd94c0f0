"""What need not wait for the disk: what would be done again, with the same end, if it were lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

_FULL = 2
"""SQLite's default for ``PRAGMA synchronous``: each commit waits for the disk."""


def without_waiting(connection: Connection) -> None:
    """Let the commit of the current transaction not wait for the disk, on PostgreSQL.

    For a batch that takes work off a list and does it: lost together, they are done again. What
    is built on it, such as a mail's claim, waits at its own commit, and for all that came before.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")


@contextmanager
def stamping(connection: Connection) -> Iterator[None]:
    """Let stamps be quick: each is one statement where that is possible, and none waits for the disk.

    A stamp is safe from the end of the process in any case. One that is lost with the power, or
    with the database server, leaves a mail that goes out again, byte for byte. What must not be
    lost, the mail itself, was stored before, and waited for.
    """
    if connection.dialect.name == "postgresql":
        with _without_waiting_postgresql(connection):
            yield
    elif connection.dialect.name == "sqlite":
        with _without_waiting_sqlite(connection):
            yield
    else:
        yield


@contextmanager
def _without_waiting_postgresql(connection: Connection) -> Iterator[None]:
    connection.execution_options(isolation_level="AUTOCOMMIT")
    try:
        with connection.begin():
            connection.exec_driver_sql("SET synchronous_commit TO off")
        yield
    finally:
        try:
            with connection.begin():
                connection.exec_driver_sql("RESET synchronous_commit")
            connection.execution_options(isolation_level="READ COMMITTED")
        except DBAPIError:
            connection.invalidate()  # nobody else is to be given it as it is


@contextmanager
def _without_waiting_sqlite(connection: Connection) -> Iterator[None]:
    # Past SQLAlchemy, which would begin a transaction, in which this cannot be set.
    driver: Any = connection.connection.driver_connection
    (journal,) = driver.execute("PRAGMA journal_mode").fetchone()
    (before,) = driver.execute("PRAGMA synchronous").fetchone()
    # In any other mode, not to wait would put the database itself at risk.
    if journal != "wal" or before < _FULL:
        yield
        return
    driver.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        driver.execute(f"PRAGMA synchronous = {before:d}")
