"""The tables of the tests' applications, made by statements that are recorded once."""

from __future__ import annotations

from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, MetaData, event

_recorded: dict[tuple[str, object], list[str]] = {}


def create_tables(db: SQLAlchemy, kind: object) -> None:
    """Do what ``db.create_all()`` does, in the current application's databases.

    To compile the statements, and to ask for each table whether it is there, is most of what an
    empty database costs. So those of the first time are sent as they are to the next empty database.

    :param kind: what stands for the tables as they are now, or None where nothing does.
    """
    engines = db.engines
    if kind is None or set(engines) != {None} or set(db.metadatas) != {None}:
        db.create_all()
        return
    engine, metadata = engines[None], db.metadatas[None]
    key = (f"{engine.dialect.name}+{engine.dialect.driver}", kind)
    statements = _recorded.get(key)
    if statements is None:
        heard = _listen_while_made(engine, metadata)
        if _is_whole(heard, metadata):
            _recorded[key] = heard
    elif not _run(engine, statements):
        metadata.create_all(engine)  # some are there: only it knows which


def _listen_while_made(engine: Engine, metadata: MetaData) -> list[str]:
    heard: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        heard.append(statement)

    event.listen(engine, "before_cursor_execute", listen)
    try:
        metadata.create_all(engine)
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    return [statement for statement in heard if statement.lstrip().startswith(("CREATE ", "ALTER ", "COMMENT "))]


def _is_whole(statements: list[str], metadata: MetaData) -> bool:
    made = sum(statement.lstrip().startswith("CREATE TABLE ") for statement in statements)
    # A driver that is given parameters reads "%" otherwise.
    return made == len(metadata.tables) and "%" not in "".join(statements)


def _run(engine: Engine, statements: list[str]) -> bool:
    """Return whether all could be made."""
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        for statement in _batches(engine, statements):
            cursor.execute(statement)
        cursor.close()
        connection.commit()
    except engine.dialect.loaded_dbapi.Error:
        connection.rollback()
        return False
    finally:
        connection.close()
    return True


def _batches(engine: Engine, statements: list[str]) -> list[str]:
    # PostgreSQL alone takes several at once, in one transaction.
    return [";\n".join(statements)] if engine.dialect.name == "postgresql" else statements
