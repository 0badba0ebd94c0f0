"""PostgreSQL: run from the distribution's own binaries."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

from .base import Server, Unavailable

INSTALL = "apt-get install -y --no-install-recommends postgresql"


class PostgreSQL(Server):
    """A PostgreSQL cluster with fsync off; databases are copies of its empty template."""

    name = "postgresql"
    account = "postgres"
    stop_signal = signal.SIGINT
    # The immediate shutdown: like a crash, but it takes the children along, so that a start
    # right after it works.
    kill_signal = signal.SIGQUIT

    def __init__(self) -> None:
        self.binaries = _binaries()
        _driver()
        super().__init__()
        self.data = self.directory / "data"

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        return f"postgresql+psycopg://notify@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> None:
        """Create an empty database."""
        with self._connection() as connection:
            # Else the copy goes through the write-ahead log, page by page. Older ones know no other way than this.
            way = "STRATEGY FILE_COPY" if connection.info.server_version >= 15_00_00 else ""
            connection.execute(f'CREATE DATABASE "{database}" {way}')

    def drop(self, database: str) -> None:
        """Drop a database together with the connections to it."""
        self._execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def prepare(self) -> None:
        """Make the data directory."""
        # A linguistic collation sorts unlike Python does: code that relies on Python's order is
        # found out.
        self.run(
            [
                str(self.binaries / "initdb"),
                f"--pgdata={self.data}",
                "--username=notify",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--locale-provider=icu",
                "--icu-locale=en-US",
                "--no-sync",
            ]
        )

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.directory,
            "fsync": "off",
            "full_page_writes": "off",
            "max_connections": 200,
            "timezone": "UTC",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *options]

    def answers(self) -> bool:
        """Return whether a client gets an answer."""
        psycopg = _driver()
        try:
            self._execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: str) -> None:
        with self._connection() as connection:
            connection.execute(statement)

    def _connection(self) -> Any:
        return _driver().connect(
            host="127.0.0.1",
            port=self.port,
            user="notify",
            dbname="postgres",
            autocommit=True,
            connect_timeout=60,
        )


def _binaries() -> Path:
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("postgres")
    if packaged:
        return packaged[-1].parent
    if on_path:
        return Path(on_path).resolve().parent
    raise Unavailable("PostgreSQL", INSTALL)


def _driver() -> Any:
    try:
        import psycopg
    except ImportError:
        raise Unavailable("The PostgreSQL driver", "pip install 'psycopg[binary]'") from None
    return psycopg
