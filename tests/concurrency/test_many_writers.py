"""Six processes emit to the same recipients while somebody polls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from tests.apps import Site
from tests.concurrency.clients import Poller
from tests.concurrency.writers import Orders, write
from tests.processes import PATIENCE, context, start
from tests.servers import Database

WRITERS = 6
RECIPIENTS = 5

PATIENT = {"connect_args": {"timeout": 60}}
STRICT: dict[str, dict[str, Any]] = {
    "postgresql": {"isolation_level": "SERIALIZABLE"},
    "mariadb": {
        "isolation_level": "REPEATABLE READ",
        "connect_args": {"init_command": "SET SESSION innodb_snapshot_isolation=ON"},
    },
}


@pytest.mark.slow
@pytest.mark.databases("sqlite", "sqlite-wal", "postgresql", "mariadb")
def test_a_poller_beside_six_writers_misses_nothing_and_is_told_nothing_twice(
    database: Database, build: Callable[..., Site]
) -> None:
    options = PATIENT if database.name.startswith("sqlite") else {}

    check_six_writers(database, build, options, strict=False)


@pytest.mark.slow
@pytest.mark.databases("postgresql", "mariadb")
def test_under_strict_isolation_a_conflict_is_retried_and_still_nothing_is_missed(
    database: Database, build: Callable[..., Site]
) -> None:
    check_six_writers(database, build, STRICT[database.name], strict=True)


def check_six_writers(database: Database, build: Callable[..., Site], options: dict[str, Any], *, strict: bool) -> None:
    site = build(SQLALCHEMY_ENGINE_OPTIONS=PATIENT if database.name.startswith("sqlite") else {})
    keys = [site.add_user(f"user {number}") for number in range(RECIPIENTS)]
    pollers = [Poller(site, key) for key in keys]
    orders = [
        Orders(database.url, number, keys if number % 2 else keys[::-1], engine_options=options, strict=strict)
        for number in range(WRITERS)
    ]

    for done in run(orders):
        if not done:
            for poller in pollers:
                poller.poll()
    for poller in pollers:
        poller.poll()

    rounds = orders[0].rounds
    expected = {f"{number}:{turn}" for number in range(WRITERS) for turn in range(rounds)}
    for poller, key in zip(pollers, keys, strict=True):
        names = [name for name, _ in poller.told if name not in ("shared", "unread_message_count")]
        timestamps = [timestamp for _, timestamp in poller.told]
        assert sorted(names) == sorted(expected)
        assert timestamps == sorted(set(timestamps))
        poller.state.pop("unread_message_count", None)  # it comes with a whole state that it completes
        assert poller.state == stored(site, key)


def run(orders: list[Orders]) -> Any:
    """Run the writers; yield False while they are at work, then True."""
    barrier = context.Barrier(len(orders))
    results = context.Queue()
    writers = [start(write, order, barrier, results) for order in orders]
    try:
        while any(writer.is_alive() for writer in writers):
            yield False
        outcomes = [results.get(timeout=PATIENCE) for _ in writers]
    finally:
        for writer in writers:
            writer.terminate()
            writer.join()
    failures = [report for outcome, report in outcomes if outcome != "done"]
    assert not failures, "\n".join(failures)
    yield True


def stored(site: Site, key: Any) -> dict[str, Any]:
    Notification: Any = site.notify.Notification
    with site.app.app_context():
        rows = site.db.session.scalars(select(Notification).where(Notification.recipient_id == key))
        return {row.name: row.payload for row in rows}


@pytest.mark.slow
@pytest.mark.databases("sqlite", "sqlite-wal", "postgresql", "mariadb")
def test_fifty_writers_of_one_name_leave_one_row(database: Database, build: Callable[..., Site]) -> None:
    options = PATIENT if database.name.startswith("sqlite") else {}
    site = build(SQLALCHEMY_ENGINE_OPTIONS=options)
    key = site.add_user("susan")
    orders = [
        Orders(database.url, number, [key], rounds=10, slowest_commit=0.005, engine_options=options)
        for number in range(5)
    ]

    for _ in run(orders):
        pass

    Notification: Any = site.notify.Notification
    with site.app.app_context():
        shared = select(Notification).where(Notification.name == "shared")
        assert len(site.db.session.scalars(shared).all()) == 1
