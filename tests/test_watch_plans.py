"""How the databases find watches among many: by index, for one object as for a thousand, and nobody else's to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from flask_notify.messages import watch_rows
from flask_notify.messages.watch_rows import Watching
from tests.apps import Site
from tests.test_poll_plans import SERIES, WITHOUT_CHECKS, _quoted, explain, nodes

RECIPIENTS, OBJECTS = 2_000, 100
KEY = {"sqlite": "CAST({0} AS TEXT)", "postgresql": "CAST({0} AS TEXT)", "mariadb": "CAST({0} AS CHAR)"}


def fill(connection: Connection, database: str) -> None:
    """Let 2,000 recipients watch 100 of 2,000 posts each."""
    recipients, objects = SERIES[database].format(RECIPIENTS), SERIES[database].format(OBJECTS)
    user, cursor = _quoted(database, "user"), _quoted(database, "cursor")
    post = KEY[database].format(f"(a.n * 7 + b.n * 13) % {RECIPIENTS}")
    fillers = [
        WITHOUT_CHECKS[database],
        f"INSERT INTO {user} (id) SELECT n FROM {recipients} AS a",
        f"INSERT INTO notify_inbox (recipient_id, {cursor}) SELECT n, 1 FROM {recipients} AS a",
        "INSERT INTO notify_watch (recipient_id, target_type, target_id, mail_mode)"
        f" SELECT a.n, 'Post', {post}, 'daily' FROM {recipients} AS a CROSS JOIN {objects} AS b",
    ]
    for statement in fillers:
        connection.execute(text(statement))
    connection.commit()
    connection.execute(text("ANALYZE TABLE notify_watch" if database == "mariadb" else "ANALYZE"))
    connection.commit()


@pytest.fixture
def connection(site: Site) -> Iterator[Connection]:
    """A connection to a database with 200,000 watches."""
    with site.app.app_context(), site.db.engine.connect() as connection:
        fill(connection, connection.dialect.name)
        yield connection


def said(connection: Connection, work: Callable[[], object]) -> list[tuple[str, Any, bool]]:
    """Return what a piece of work asks the database, with the values of its first row."""
    statements: list[tuple[str, Any, bool]] = []

    @event.listens_for(connection, "before_cursor_execute")
    def note(_: object, __: object, statement: str, parameters: Any, ___: object, many: bool) -> None:
        statements.append((statement, parameters[0] if many else parameters, many))

    work()
    event.remove(connection, "before_cursor_execute", note)
    return statements


def readers(site: Site, connection: Connection) -> dict[str, Callable[[], object]]:
    models = site.notify.models
    posts = [("Post", str(key)) for key in range(500)]
    many, few = list(range(500)), list(range(50))
    return {
        "watchers of one object": lambda: watch_rows.watchers_of(connection, models, posts[:1]),
        "watchers of many objects": lambda: watch_rows.watchers_of(connection, models, posts),
        "one mode": lambda: watch_rows.modes_of(connection, models, [7], posts[:1]),
        "one recipient's modes": lambda: watch_rows.modes_of(connection, models, [7], posts),
        "modes for one object": lambda: watch_rows.modes_of(connection, models, many, posts[:1]),
        "modes for many objects": lambda: watch_rows.modes_of(connection, models, few, posts),
        "one to write": lambda: watch_rows.stored(connection, models, [7], posts[:1], to_write=True),
        "one recipient's to write": lambda: watch_rows.stored(connection, models, [7], posts, to_write=True),
        "one object's to write": lambda: watch_rows.stored(connection, models, many, posts[:1], to_write=True),
        "many to write": lambda: watch_rows.stored(connection, models, few, posts, to_write=True),
    }


def test_watches_are_found_by_index(site: Site, connection: Connection) -> None:
    for name, reader in readers(site, connection).items():
        [(statement, parameters, _)] = said(connection, reader)
        assert_found_by_index(explain(connection, statement, parameters), name)


def assert_found_by_index(plan: Any, name: str) -> None:
    if isinstance(plan, list) and isinstance(plan[0], str):
        assert [step.partition(" (")[0] for step in plan] in (
            ["SEARCH notify_watch USING PRIMARY KEY"],
            ["SEARCH notify_watch USING INDEX ix_notify_watch_target_type_target_id"],
        ), (name, plan)
        return
    found = list(nodes(plan))
    kinds = {node["Node Type"] for node in found if "Node Type" in node}
    assert kinds <= {"LockRows", "Index Scan", "Bitmap Heap Scan", "Bitmap Index Scan"}, (name, plan)
    tables = [node for node in found if "access_type" in node]
    assert all(node["access_type"] in ("const", "ref", "range") for node in tables), (name, plan)
    # Rows of others are not to be locked, nor waited for.
    assert "to write" not in name or all(node["key"] == "PRIMARY" for node in tables), (name, plan)


def test_rows_are_written_by_their_whole_key(site: Site, connection: Connection) -> None:
    models = site.notify.models
    rows = [(7, "Post", str(key)) for key in range(300)]
    before = watch_rows.stored(connection, models, [7], [("Post", row[2]) for row in rows])
    assert before
    renewed = dict.fromkeys(before, Watching())

    for work in (
        lambda: watch_rows.replace(connection, models, before, renewed),
        lambda: watch_rows.replace(connection, models, before, dict.fromkeys(before)),
    ):
        [(statement, parameters, many)] = said(connection, work)
        assert many
        plan = explain(connection, statement, parameters)
        if connection.dialect.name == "sqlite":
            assert [step.count("=?") for step in plan] == [3], plan
        elif connection.dialect.name == "postgresql":
            conditions = [node["Index Cond"].count(" = ") for node in nodes(plan) if "Index Cond" in node]
            assert conditions == [3], plan
        else:
            assert [node["key_length"] for node in nodes(plan) if "key" in node] == ["1540"], plan
    connection.rollback()


def test_thousands_of_objects_are_read_in_few_statements(site: Site, connection: Connection) -> None:
    models = site.notify.models
    posts = [("Post", str(key)) for key in range(2_000)]

    assert len(said(connection, lambda: watch_rows.watchers_of(connection, models, posts))) == 4
    assert len(said(connection, lambda: watch_rows.modes_of(connection, models, [1, 2], posts))) == 4
    assert said(connection, lambda: watch_rows.modes_of(connection, models, [1, 2], [])) == []
