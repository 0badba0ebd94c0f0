"""MariaDB: run from the distribution's own binaries, at READ COMMITTED."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .base import Server, Unavailable

INSTALL = "apt-get install -y --no-install-recommends mariadb-server"


class MariaDB(Server):
    """A MariaDB server.

    Each commit reaches the system's cache, so that a killed server has lost none.
    """

    name = "mariadb"
    account = "mysql"

    def __init__(self) -> None:
        self.daemon = _find("mariadbd", "mysqld")
        self.installer = _find("mariadb-install-db", "mysql_install_db")
        _driver()
        super().__init__()
        self.data = self.directory / "data"
        self.init_file = self.directory / "init.sql"

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database.

        The server has no TLS: without ``ssl_disabled`` the driver would read the machine's
        certificates at each connection, for nothing.
        """
        return f"mariadb+pymysql://notify@127.0.0.1:{self.port}/{database}?charset=utf8mb4&ssl_disabled=true"

    def create(self, database: str) -> None:
        """Create an empty database."""
        self._execute(f"CREATE DATABASE `{database}`")

    def drop(self, database: str) -> None:
        """Drop a database and the connections to it: their open transactions would hold it up."""
        with self._cursor() as cursor:
            cursor.execute(
                "SELECT id FROM information_schema.processlist WHERE db = %s AND id <> connection_id()", (database,)
            )
            for (connection,) in cursor.fetchall():
                _kill_connection(cursor, connection)
            cursor.execute(f"DROP DATABASE IF EXISTS `{database}`")

    def prepare(self) -> None:
        """Make the data directory."""
        self.run(
            [
                self.installer,
                "--no-defaults",
                f"--datadir={self.data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--innodb-flush-log-at-trx-commit=0",
            ]
        )
        self.init_file.write_text(
            "CREATE USER IF NOT EXISTS notify@'127.0.0.1';\nGRANT ALL ON *.* TO notify@'127.0.0.1';\n"
        )
        os.chmod(self.init_file, 0o644)

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        settings = {
            "datadir": self.data,
            "init-file": self.init_file,
            "socket": self.directory / "socket",
            "pid-file": self.directory / "pid",
            "bind-address": "127.0.0.1",
            "port": self.port,
            "transaction-isolation": "READ-COMMITTED",
            # The usual collation of an installation, blind to case: what must tell "Task" from
            # "task" has to say so.
            "character-set-server": "utf8mb4",
            "collation-server": "utf8mb4_general_ci",
            "innodb-flush-log-at-trx-commit": 2,
            "innodb-buffer-pool-size": "128M",
            "lock-wait-timeout": 30,
            "max-connections": 200,
            "performance-schema": "OFF",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [self.daemon, "--no-defaults", "--skip-name-resolve", "--skip-log-bin", *options]

    def answers(self) -> bool:
        """Return whether a client gets an answer."""
        pymysql = _driver()
        try:
            self._execute("SELECT 1")
        except pymysql.err.OperationalError:
            return False
        return True

    def _execute(self, statement: str) -> None:
        with self._cursor() as cursor:
            cursor.execute(statement)

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        connection = _driver().connect(
            host="127.0.0.1", port=self.port, user="notify", autocommit=True, ssl_disabled=True, connect_timeout=60
        )
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()


def _kill_connection(cursor: Any, connection: int) -> None:
    # One that has just gone by itself is no error.
    no_such_thread = 1094
    try:
        cursor.execute(f"KILL {connection}")
    except _driver().err.MySQLError as error:
        if error.args[0] != no_such_thread:
            raise


def _find(*names: str) -> str:
    for name in names:
        for path in (
            shutil.which(name),
            shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin"),
        ):
            if path:
                return path
    raise Unavailable("MariaDB", INSTALL)


def _driver() -> Any:
    try:
        import pymysql
    except ImportError:
        raise Unavailable("The MariaDB driver", "pip install PyMySQL") from None
    return pymysql
