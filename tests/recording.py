"""What a database is really asked: noted by the driver or by the server, and not by SQLAlchemy."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, text

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from tests.apps import Site
    from tests.servers import Database

# "… [pid] LOG:  execute <unnamed>: SELECT …", and further lines of the statement indented.
_LOGGED = re.compile(r"LOG:  (?:statement|execute [^:]*): (.*(?:\n\t.*)*)")


@contextmanager
def recorded(database: Database, site: Site) -> Iterator[list[str]]:
    """Yield a list that holds the statements of the block when the block has ended."""
    with site.app.app_context():
        engine = site.db.engine
    # On one that is in use nothing is recorded; and who gives it back afterwards leaves it to nobody.
    assert engine.pool.checkedout() == 0, "commit or roll back before the statements are recorded"  # type: ignore[attr-defined]
    engine.dispose()  # what is asked when a connection is made is not of interest
    with _RECORDERS[database.name](database, engine) as statements:
        yield statements


@contextmanager
def _recorded_by_sqlite(_: Database, engine: Engine) -> Iterator[list[str]]:
    statements: list[str] = []
    recording: list[bool] = []

    def note(statement: str) -> None:
        if recording:
            statements.append(statement)

    def trace(connection: Any, *_: object) -> None:
        connection.set_trace_callback(note)

    event.listen(engine, "connect", trace)
    _warm_up(engine)
    recording.append(True)
    yield statements
    recording.clear()
    event.remove(engine, "connect", trace)


@contextmanager
def _recorded_by_postgresql(database: Database, engine: Engine) -> Iterator[list[str]]:
    assert database.server is not None
    log: Path = database.server.log
    with _administration(database.url) as execute:
        execute(f"ALTER DATABASE \"{engine.url.database}\" SET log_statement = 'all'")
    _warm_up(engine)
    start = log.stat().st_size
    statements: list[str] = []
    yield statements
    statements += _LOGGED.findall(log.read_bytes()[start:].decode())


@contextmanager
def _recorded_by_mariadb(database: Database, engine: Engine) -> Iterator[list[str]]:
    _warm_up(engine)
    statements: list[str] = []
    with _administration(database.url) as execute:
        (mine,) = execute("SELECT connection_id()")[0]
        execute("SET GLOBAL log_output = 'TABLE'")
        execute("TRUNCATE mysql.general_log")
        execute("SET GLOBAL general_log = 1")
        try:
            yield statements
        finally:
            execute("SET GLOBAL general_log = 0")
        asked = f"thread_id <> {int(mine)} AND command_type IN ('Query', 'Execute')"
        rows = execute(f"SELECT argument FROM mysql.general_log WHERE {asked} ORDER BY event_time")
        statements += [argument if isinstance(argument, str) else argument.decode() for (argument,) in rows]


_RECORDERS = {
    "sqlite": _recorded_by_sqlite,
    "postgresql": _recorded_by_postgresql,
    "mariadb": _recorded_by_mariadb,
}


def _warm_up(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))


@contextmanager
def _administration(url: str) -> Iterator[Callable[[str], Any]]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")

    def execute(statement: str) -> Any:
        result = connection.execute(text(statement))
        return result.all() if result.returns_rows else None

    with engine.connect() as connection:
        yield execute
    engine.dispose()
