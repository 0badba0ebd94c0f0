"""The databases of a run, made for it and removed after it."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import psycopg


class Database(Protocol):
    """A kind of database in which data sets are kept."""

    name: str

    def create(self, dataset: str) -> str:
        """Make an empty database and return its SQLAlchemy URL."""

    def execute(self, dataset: str, statements: list[str]) -> None:
        """Run statements in the database of a data set, as one transaction."""

    def value(self, dataset: str, query: str) -> Any:
        """Return what a query for one value finds in the database of a data set."""

    def copy(self, dataset: str, name: str) -> str:
        """Make a copy of a data set to which nobody is connected, and return its SQLAlchemy URL."""

    def drop(self, dataset: str) -> None:
        """Remove the database of a data set to which nobody is connected."""

    def settle(self, dataset: str) -> None:
        """Bring a database that was filled in bulk to the state of one that grew."""

    def version(self) -> str:
        """Return the name and version, as a report shows them."""

    def counting(self, directory: Path) -> tuple[dict[str, str], Path]:
        """Return the environment in which statements are logged, and the log.

        :param directory: where a log may be kept.
        """


class SQLite:
    """Files in a directory, in WAL mode from the beginning."""

    name = "sqlite"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def create(self, dataset: str) -> str:
        """Make an empty file; two servers that set WAL mode at once would block each other."""
        with self._connect(dataset) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        return f"sqlite:///{self._path(dataset)}"

    def execute(self, dataset: str, statements: list[str]) -> None:
        """Run statements in the file of a data set, as one transaction."""
        with self._connect(dataset) as connection:
            for statement in statements:
                connection.execute(statement)

    def value(self, dataset: str, query: str) -> Any:
        """Return what a query for one value finds."""
        with self._connect(dataset) as connection:
            return connection.execute(query).fetchone()[0]

    def copy(self, dataset: str, name: str) -> str:
        """Copy the file; everything is in it (see :meth:`settle`)."""
        self.settle(dataset)
        shutil.copyfile(self._path(dataset), self._path(name))
        return f"sqlite:///{self._path(name)}"

    def drop(self, dataset: str) -> None:
        """Remove the file, and those beside it."""
        for path in self._directory.glob(f"{dataset}.db*"):
            path.unlink()

    def settle(self, dataset: str) -> None:
        """Move everything from the write-ahead log into the file."""
        with self._connect(dataset) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def version(self) -> str:
        """Return the version of the library."""
        return f"SQLite {sqlite3.sqlite_version}"

    def counting(self, directory: Path) -> tuple[dict[str, str], Path]:
        """Let the worker write the log (see ``gunicorn_config.py``)."""
        log = directory / "statements.log"
        return {"BENCHMARK_TRACE": str(log)}, log

    def _path(self, dataset: str) -> Path:
        return self._directory / f"{dataset}.db"

    def _connect(self, dataset: str) -> sqlite3.Connection:
        return sqlite3.connect(self._path(dataset))


class PostgreSQL(AbstractContextManager["PostgreSQL"]):
    """A server of its own, on a free port of this machine.

    Its configuration is the default one, but for larger steps between its checkpoints, which
    would fall upon one contender or another by chance.

    :param durable: whether a commit waits for the disk. A benchmark that only reads is filled
        sooner without.
    """

    name = "postgresql"

    def __init__(self, *, durable: bool = True) -> None:
        self._durable = durable
        self._binaries = _postgresql_binaries()
        self._owner = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self._directory = Path(tempfile.mkdtemp(prefix="benchmark-"))
        self._port = _free_port()
        self._log = self._directory / "server.log"

    def __enter__(self) -> PostgreSQL:
        shutil.chown(self._directory, self._owner)
        # initdb leaves 0700 behind for its own directory; the log above it is read by us.
        self._run("initdb", "--auth=trust", "--encoding=UTF8", "--no-sync", "-D", self._data)
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        options += f" -c fsync={'on' if self._durable else 'off'} -c max_wal_size=8GB"
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", str(self._log), "-o", options)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self._data)
        finally:
            shutil.rmtree(self._directory, ignore_errors=True)

    def create(self, dataset: str) -> str:
        """Make an empty database."""
        with self._connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{dataset}"')
        return self._url(dataset)

    def execute(self, dataset: str, statements: list[str]) -> None:
        """Run statements in the database of a data set, as one transaction."""
        with self._connect(dataset) as connection, connection.transaction():
            for statement in statements:
                connection.execute(statement.encode())

    def value(self, dataset: str, query: str) -> Any:
        """Return what a query for one value finds."""
        with self._connect(dataset) as connection:
            row: Any = connection.execute(query.encode()).fetchone()
            return row[0]

    def copy(self, dataset: str, name: str) -> str:
        """Copy the files of the database."""
        with self._connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{dataset}"'.encode())
        return self._url(name)

    def drop(self, dataset: str) -> None:
        """Remove the database."""
        with self._connect("postgres") as connection:
            connection.execute(f'DROP DATABASE "{dataset}"'.encode())

    def settle(self, dataset: str) -> None:
        """Do at once what autovacuum would do in the next minutes, in the middle of a window."""
        with self._connect(dataset) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")

    def version(self) -> str:
        """Return the version of the server."""
        with self._connect("postgres") as connection:
            row = connection.execute("SHOW server_version").fetchone()
        return f"PostgreSQL {row[0].split()[0] if row else ''}"

    def counting(self, directory: Path) -> tuple[dict[str, str], Path]:  # noqa: ARG002  # it has its own
        """Let the server log what the connections of the environment execute."""
        return {"PGOPTIONS": "-c log_statement=all"}, self._log

    @property
    def _data(self) -> str:
        return str(self._directory / "data")

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://{self._owner}@127.0.0.1:{self._port}/{database}"

    def _connect(self, database: str) -> psycopg.Connection[tuple[str]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self._port,
            user=self._owner,
            dbname=database,
            autocommit=True,
        )

    def _run(self, program: str, *arguments: str) -> None:
        # The server inherits what pg_ctl was given: a pipe would stay open as long as it runs.
        subprocess.run(
            [str(self._binaries / program), *arguments],
            check=True,
            user=self._owner if os.geteuid() == 0 else None,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )


def _postgresql_binaries() -> Path:
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))
    if on_path:
        return Path(on_path).parent
    if debian:
        return debian[-1]
    raise SystemExit("PostgreSQL is missing: apt-get install postgresql, or --databases sqlite")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
