"""gunicorn's configuration, the same for every contender.

With BENCHMARK_TRACE in the environment, which is never so while anything is measured, the workers
write each statement that SQLite runs to the file that it names. (PostgreSQL keeps a log itself.)
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any

worker_class = "sync"
loglevel = "warning"
control_socket_disable = True

_connect = sqlite3.connect


def post_fork(_server: Any, _worker: Any) -> None:
    """Trace every connection that the application opens from now on."""
    if os.environ.get("BENCHMARK_TRACE"):
        sqlite3.connect = sqlite3.dbapi2.connect = _connect_traced  # type: ignore[assignment]


def _connect_traced(*args: Any, **options: Any) -> sqlite3.Connection:
    connection: sqlite3.Connection = _connect(*args, **options)
    connection.set_trace_callback(_write)
    return connection


def _write(statement: str) -> None:
    # In the words of PostgreSQL's log, so that one reader reads both.
    with open(os.environ["BENCHMARK_TRACE"], "a", encoding="utf-8") as log:
        print("LOG:  statement:", statement, file=log)
