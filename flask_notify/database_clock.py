"""The database's own clock, by which all workers measure leases, whatever their hosts' clocks say."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Double
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from .errors import ConfigurationError


class DatabaseClock(FunctionElement[float]):
    """The Unix seconds of the database's clock, as an SQL expression.

    It reads the instant at which its statement runs, not that at which its transaction began.
    """

    name = "database_clock"
    type = Double()
    inherit_cache = True


@compiles(DatabaseClock, "postgresql")
def _postgresql(_element: DatabaseClock, _compiler: SQLCompiler, **_: Any) -> str:
    # now() stands still during a transaction.
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


@compiles(DatabaseClock, "mysql")
@compiles(DatabaseClock, "mariadb")
def _mariadb(_element: DatabaseClock, _compiler: SQLCompiler, **_: Any) -> str:
    # Not UNIX_TIMESTAMP(NOW(6)): that goes through the session's time zone, in which one hour
    # of the year comes twice.
    return "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) * 1e-6)"


@compiles(DatabaseClock, "sqlite")
def _sqlite(_element: DatabaseClock, _compiler: SQLCompiler, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(DatabaseClock)
def _other(_element: DatabaseClock, compiler: SQLCompiler, **_: Any) -> str:
    raise ConfigurationError(f"Flask-Notify works on PostgreSQL, MariaDB and SQLite, got {compiler.dialect.name!r}")
