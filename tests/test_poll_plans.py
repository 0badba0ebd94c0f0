"""How the databases find the rows of one recipient among a million: by primary key, without a scan or a sort."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from flask_notify.live.polling import _statements
from tests.apps import Site

RECIPIENTS, NAMES = 20_000, 50
CURSOR = 1_790_000_000.0
SERIES = {
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s LIMIT {0}) SELECT n FROM s)",
    "postgresql": "(SELECT n FROM generate_series(1, {0}) AS t(n))",
    "mariadb": "(SELECT seq AS n FROM seq_1_to_{0})",
}
WITHOUT_CHECKS = {
    "sqlite": "PRAGMA synchronous = OFF",
    "postgresql": "SET LOCAL session_replication_role = replica",
    "mariadb": "SET foreign_key_checks = 0",
}
NAME = {"sqlite": "'name ' || b.n", "postgresql": "'name ' || b.n", "mariadb": "concat('name ', b.n)"}


def fill(connection: Connection, database: str) -> None:
    """Store a million values: 50 names of each of 20,000 recipients."""
    recipients, names = SERIES[database].format(RECIPIENTS), SERIES[database].format(NAMES)
    user, cursor = _quoted(database, "user"), _quoted(database, "cursor")
    fillers = [
        WITHOUT_CHECKS[database],
        f"INSERT INTO {user} (id) SELECT n FROM {recipients} AS a",
        f"INSERT INTO notify_inbox (recipient_id, {cursor}) SELECT n, {CURSOR} FROM {recipients} AS a",
        f"INSERT INTO notify_notification (recipient_id, name, {_quoted(database, 'timestamp')}, payload)"
        f" SELECT a.n, {NAME[database]}, {CURSOR} - {NAMES} + b.n, '1' FROM {recipients} AS a CROSS JOIN {names} AS b",
    ]
    for statement in fillers:
        connection.execute(text(statement))
    connection.commit()
    tables = ["notify_inbox", "notify_notification", user]
    analyze = "ANALYZE TABLE " + ", ".join(tables) if database == "mariadb" else "ANALYZE"
    connection.execute(text(analyze))
    connection.commit()


def _quoted(database: str, name: str) -> str:
    return f"`{name}`" if database == "mariadb" else f'"{name}"'


@pytest.fixture
def connection(site: Site) -> Iterator[Connection]:
    """A connection to a database with a million values."""
    with site.app.app_context(), site.db.engine.connect() as connection:
        fill(connection, connection.dialect.name)
        yield connection


def plain_statements(site: Site, connection: Connection) -> Iterator[tuple[str, Any]]:
    """Yield what a poll asks, with values, as it reaches the driver."""
    statements = _statements(site.notify.models, connection.dialect)
    asked: list[tuple[str, Any]] = []

    class Cursor:
        def execute(self, *arguments: Any) -> None:
            """Note a statement."""
            asked.append((arguments[0], arguments[1]))

    statements.inbox.execute(Cursor(), key=10_000)
    statements.cursor.execute(Cursor(), key=10_000)
    statements.items.execute(Cursor(), key=10_000, after=0.0, upto=CURSOR)
    statements.items.execute(Cursor(), key=10_000, after=CURSOR - 10, upto=CURSOR)
    yield from asked


def commit_statements(site: Site, emit: Callable[[], object]) -> Iterator[tuple[str, Any]]:
    """Yield what a commit that emits says, with the values of its first row."""
    said: list[tuple[str, Any]] = []

    @event.listens_for(site.db.engine, "before_cursor_execute")
    def note(_: object, __: object, statement: str, parameters: Any, ___: object, many: bool) -> None:
        said.append((statement, parameters[0] if many else parameters))

    emit()
    event.remove(site.db.engine, "before_cursor_execute", note)
    assert len(said) > 2
    yield from said


@pytest.mark.slow
def test_no_statement_of_a_poll_or_of_a_commit_scans_a_table_of_a_million_rows(
    site: Site, connection: Connection
) -> None:
    def emit() -> None:
        for user in [site.user(7), site.user(12_000)]:
            user.add_notification("name 5", 1)
            user.add_notification("new", 1)
        site.db.session.commit()

    assert connection.scalar(text("SELECT count(*) FROM notify_notification")) == RECIPIENTS * NAMES

    for statement, parameters in plain_statements(site, connection):
        assert_found_by_primary_key(connection, statement, parameters)
    for statement, parameters in commit_statements(site, emit):
        assert_touches_few_rows(connection, statement, parameters)
    connection.rollback()


def explain(connection: Connection, statement: str, parameters: Any) -> Any:
    """Return the plan of a statement, as the database tells it."""
    command = {
        "sqlite": "EXPLAIN QUERY PLAN ",
        "postgresql": "EXPLAIN (FORMAT JSON) ",
        "mariadb": "EXPLAIN FORMAT=JSON ",
    }[connection.dialect.name]
    values = tuple(parameters) if isinstance(parameters, list) else parameters
    rows = connection.exec_driver_sql(command + statement, values).all()
    if connection.dialect.name == "sqlite":
        return [row[3] for row in rows]
    plan = rows[0][0]
    return json.loads(plan) if isinstance(plan, str) else plan


def nodes(plan: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of a plan in JSON."""
    if isinstance(plan, dict):
        yield plan
    for child in plan.values() if isinstance(plan, dict) else plan if isinstance(plan, list) else []:
        yield from nodes(child)


def assert_found_by_primary_key(connection: Connection, statement: str, parameters: Any) -> None:
    plan = explain(connection, statement, parameters)
    if connection.dialect.name == "sqlite":
        assert len(plan) == 1, plan
        assert plan[0].startswith("SEARCH notify_")
        assert "PRIMARY KEY (" in plan[0]
    elif connection.dialect.name == "postgresql":
        kinds = {node["Node Type"] for node in nodes(plan) if "Node Type" in node}
        (index,) = [node for node in nodes(plan) if "Index Name" in node]
        assert kinds <= {"Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Bitmap Index Scan"}, plan
        assert index["Index Name"].endswith("_pkey")
        assert "recipient_id" in index["Index Cond"]
    else:
        (table,) = [node for node in nodes(plan) if "access_type" in node]
        assert table["access_type"] in ("const", "ref"), plan
        assert (table["key"], table["used_key_parts"][0]) == ("PRIMARY", "recipient_id")
        assert "filesort" not in json.dumps(plan)


def assert_touches_few_rows(connection: Connection, statement: str, parameters: Any) -> None:
    plan = explain(connection, statement, parameters)
    if connection.dialect.name == "sqlite":
        scans = [step for step in plan if step.startswith("SCAN") and step != "SCAN 1 CONSTANT ROW"]
        assert not scans, plan
    elif connection.dialect.name == "postgresql":
        found = [node for node in nodes(plan) if "Node Type" in node]
        assert "Seq Scan" not in [node["Node Type"] for node in found], plan
        assert all(node["Plan Rows"] < 1_000 for node in found), plan
    else:
        tables = [node for node in nodes(plan) if "access_type" in node]
        assert all(table["access_type"] in ("const", "ref", "eq_ref", "range") for table in tables), plan
        assert all(table.get("rows", 0) < 1_000 for table in tables), plan
