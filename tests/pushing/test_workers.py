"""Several workers at once, and workers that are killed: nothing is lost, and nothing goes out twice without need."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Event

import pytest

from tests.processes import PATIENCE, Worker
from tests.pushing.post_office import PostOffice, states
from tests.pushing.workers import STEPS, Orders, orders_of, work
from tests.servers import Database

LEASE = 600.0


@pytest.fixture
def hire() -> Iterator[Callable[[Orders], Worker]]:
    """Start workers; those that still live are killed in the end."""
    with ExitStack() as stack:

        def one(orders: Orders) -> Worker:
            worker = Worker(work, orders)
            stack.callback(worker.kill)
            worker.wait_until_ready()
            return worker

        yield one


@pytest.mark.slow
@pytest.mark.databases("sqlite-wal", "postgresql", "mariadb")
def test_four_workers_send_each_push_once(
    database: Database, office: PostOffice, hire: Callable[[Orders], Worker]
) -> None:
    users = [office.add(f"user {number}", browsers=2, service=number % 2) for number in range(25)]
    keys = [key for key, _ in users]
    for subject in ("one", "two", "three", "four"):
        office.send(subject, *keys)
    assert len(office.pushes()) == 200

    workers = [hire(orders_of(office, database.url)) for _ in range(4)]
    for worker in workers:
        worker.go()
    results = [worker.result() for worker in workers]

    assert sum(map(Counter, results), Counter()) == {"sent": 200}
    browsers = [browser for _, theirs in users for browser in theirs]
    assert all(sorted(browser.titles) == ["four", "one", "three", "two"] for browser in browsers)
    assert Counter(states(office.pushes())) == {"sent": 200}
    assert not any(service.complaints for service in office.services)


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_a_worker_that_is_killed_loses_no_push(
    database: Database, office: PostOffice, hire: Callable[[Orders], Worker], step: str
) -> None:
    susan, (browser,) = office.add("susan")
    office.send("Hello", susan)
    worker = hire(orders_of(office, database.url, stand_still=step, lease_seconds=LEASE))
    worker.go()
    worker.wait_until_it_stands_still()

    worker.kill()

    # What the dead one had in hand, nobody touches before its lease is over.
    if office.pushes()[0].lease_until is not None:
        assert not office.run()
        office.end_leases(of_seconds=LEASE)
    deadline = time.monotonic() + PATIENCE
    while states(office.pushes()) != ["sent"] and time.monotonic() < deadline:
        office.run()
        Event().wait(0.05)  # until the server has noticed that it is dead
    assert states(office.pushes()) == ["sent"]
    handed_over = step in ("after the push", "before the stamp's commit")
    # On PostgreSQL a stamp is committed with its statement.
    stamped = step == "before the stamp's commit" and database.name == "postgresql"
    assert browser.titles == ["Hello"] * (2 if handed_over and not stamped else 1)
    # Where it came twice, the second takes the place of the first.
    assert len({(push.headers["topic"], push.payload["tag"]) for push in browser.received}) == 1
