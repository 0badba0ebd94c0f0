"""Somebody else who writes: a message for one recipient after another, each in a transaction that is timed.

By plain statements on a connection of its own, so that nothing but the database is waited for.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from time import perf_counter, time
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

PAUSE = 0.005
"""Seconds between two messages: somebody who writes often, and not all the time."""

PATIENCE = 120
"""Seconds for which SQLite's lock is waited for."""

_STATEMENTS = (
    "UPDATE notify_inbox SET cursor = {0}, unseen_count = unseen_count + 1, unseen_cursor = {0} WHERE recipient_id = 1",
    "INSERT INTO notify_message (recipient_id, type, subject, cursor, created_at, mail_mode, rule, count) "
    "VALUES (1, 'system', 'And another', {0}, {0}, 'never', 'own', 1)",
)

_seconds: list[float] = []
_enough = threading.Event()
_thread: list[threading.Thread] = []


def begin() -> None:
    """Begin to write, and return when the first message is there."""
    connection, write = _connected()
    write()
    connection.commit()
    _enough.clear()
    _seconds.clear()
    _thread[:] = [threading.Thread(target=_write_on, args=(connection, write))]
    _thread[0].start()


def end() -> dict[str, float]:
    """Cease to write, and return how many messages it were, and how long the usual and the longest took."""
    _enough.set()
    _thread[0].join()
    times = sorted(_seconds)
    return {"count": len(times), "median": times[len(times) // 2], "longest": times[-1]}


def _connected() -> tuple[Any, Callable[[], None]]:
    url = make_url(os.environ["DATABASE_URL"])
    connection: Any
    if url.get_backend_name() == "sqlite":
        connection = sqlite3.connect(str(url.database), timeout=PATIENCE, check_same_thread=False)
        statements = [statement.format("?1") for statement in _STATEMENTS]
    else:
        connection = psycopg.connect(url.set(drivername="postgresql").render_as_string())
        statements = [statement.format("%(now)s") for statement in _STATEMENTS]

    def write() -> None:
        for statement in statements:
            connection.execute(statement, (time(),) if isinstance(connection, sqlite3.Connection) else {"now": time()})

    return connection, write


def _write_on(connection: Any, write: Callable[[], None]) -> None:
    while True:
        begun = perf_counter()
        write()
        connection.commit()
        _seconds.append(perf_counter() - begun)
        if _enough.wait(PAUSE):
            break
    connection.close()
