"""What tables look like in the database, to compare and to print."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, inspect, text
from sqlalchemy.engine import Inspector

LIVE = ("notify_inbox", "notify_notification")
"""The tables of live notifications, which were there first."""
OURS = (
    *LIVE,
    "notify_message",
    "notify_preference",
    "notify_block",
    "notify_watch",
    "notify_mail",
    "notify_fanout",
    "notify_fanout_recipient",
    "notify_lease",
    "notify_relay",
    "notify_push_subscription",
    "notify_push",
    "notify_push_preference",
)


def describe(engine: Engine, schema: str | None = None) -> dict[str, Any]:
    """Return everything that the database tells about our tables, of those that are there."""
    with engine.connect() as connection:  # else each question has one of its own
        inspector = inspect(connection)
        present = set(inspector.get_table_names(schema))
        described = {table: _describe_table(inspector, table, schema) for table in OURS if table in present}
    if engine.dialect.name == "sqlite":
        for table, description in described.items():
            statement = _creation(engine, table)
            description["without rowid"] = statement.endswith("WITHOUT ROWID")
            description["autoincrement"] = "AUTOINCREMENT" in statement
    return described


def _describe_table(inspector: Inspector, table: str, schema: str | None) -> dict[str, Any]:
    return {
        # The collation of a text column of MariaDB is in its type's repr().
        "columns": [{**column, "type": repr(column["type"])} for column in inspector.get_columns(table, schema)],
        "primary key": inspector.get_pk_constraint(table, schema),
        "foreign keys": inspector.get_foreign_keys(table, schema),
        "unique": inspector.get_unique_constraints(table, schema),
        "checks": inspector.get_check_constraints(table, schema),
        "indexes": [_comparable(index) for index in inspector.get_indexes(table, schema)],
        "options": _options(inspector, table, schema),
    }


def _comparable(index: Any) -> dict[str, Any]:
    """Return an index with the condition of a partial one as text: two expressions are never equal."""
    options = {name: str(option) for name, option in index.get("dialect_options", {}).items()}
    return {**index, "dialect_options": options}


def _options(inspector: Inspector, table: str, schema: str | None) -> dict[str, Any]:
    try:
        return inspector.get_table_options(table, schema)
    except NotImplementedError:
        return {}  # SQLAlchemy 2.0 tells those of MariaDB alone


def _creation(engine: Engine, table: str) -> str:
    statement = text("SELECT sql FROM sqlite_master WHERE name = :table")
    with engine.connect() as connection:
        return str(connection.scalar(statement, {"table": table}))
