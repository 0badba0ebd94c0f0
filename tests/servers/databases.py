"""A fresh, empty database for each test, on the kind of server that the test asks for."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .base import Server, Unavailable
from .mariadb import MariaDB
from .postgresql import PostgreSQL

DATABASE_NAMES = ("sqlite", "postgresql", "mariadb")
SERVERS: dict[str, Callable[[], PostgreSQL | MariaDB]] = {
    "postgresql": PostgreSQL,
    "mariadb": MariaDB,
}


@dataclass(frozen=True)
class Database:
    """An empty database.

    ``name`` is its kind, ``url`` is for SQLAlchemy, ``server`` is None for SQLite.
    """

    name: str
    url: str
    server: Server | None = None


class Databases:
    """Start each server when it is first asked for, and stop all of them at the end."""

    def __init__(self) -> None:
        self._servers: dict[str, PostgreSQL | MariaDB | Unavailable] = {}
        self._numbers = itertools.count(1)

    def server(self, name: str) -> PostgreSQL | MariaDB:
        """Return the running server of that name.

        :raises Unavailable: where it cannot be had.
        """
        if name not in self._servers:
            try:
                self._servers[name] = SERVERS[name]()
            except Unavailable as reason:
                self._servers[name] = reason
        server = self._servers[name]
        if isinstance(server, Unavailable):
            raise server
        server.start()
        return server

    @contextmanager
    def fresh(self, name: str, directory: Path) -> Iterator[Database]:
        """Yield an empty database: ``sqlite``, ``sqlite-wal``, ``postgresql`` or ``mariadb``."""
        if name.startswith("sqlite"):
            yield sqlite_database(name, directory)
            return
        server = self.server(name)
        database = f"test_{os.getpid()}_{next(self._numbers)}"
        server.create(database)
        try:
            yield Database(name, server.url(database), server)
        finally:
            server.start()
            server.drop(database)

    def close(self) -> None:
        """Stop all servers and remove their data."""
        for server in self._servers.values():
            if isinstance(server, Server):
                server.close()


def sqlite_database(name: str, directory: Path) -> Database:
    """Return a database file in the directory; ``sqlite-wal`` has write-ahead logging on."""
    file = directory / "test.sqlite"
    if name == "sqlite-wal":
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    # The driver itself would wait for 5 seconds for another writer, who may be one of a slow machine.
    return Database(name, f"sqlite:///{file}?timeout=60")
