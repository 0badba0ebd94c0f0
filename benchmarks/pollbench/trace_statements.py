"""A gunicorn configuration whose worker writes each statement that SQLite runs to a file."""

from __future__ import annotations

import os
import sqlite3
from typing import Any

_connect = sqlite3.connect


def post_fork(server: Any, worker: Any) -> None:
    """Trace every connection that the application opens."""
    log = open(os.environ["BENCHMARK_TRACE"], "a", buffering=1)  # noqa: SIM115  # the worker's

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = _connect(*args, **options)
        # In the words of PostgreSQL's log, so that one reader reads both.
        connection.set_trace_callback(lambda text: print("LOG:  statement:", text, file=log))
        return connection

    sqlite3.connect = sqlite3.dbapi2.connect = connect  # type: ignore[assignment]
