"""What is emitted to many reaches each of them once, whoever dies, and however many work at it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from sqlalchemy import event, insert, select

from flask_notify.database_clock import DatabaseClock
from flask_notify.leases import SCHEDULER
from flask_notify.messages import fanout
from tests.apps import Site
from tests.concurrency.messages import PATIENT, check_counts
from tests.concurrency.movers import SAYING, Announced, Task, emit, finish, start
from tests.processes import PATIENCE, context
from tests.servers import Database

PEOPLE = 6  # a whole batch, and a rest

pytestmark = [pytest.mark.slow, pytest.mark.databases("sqlite-wal", "postgresql", "mariadb")]


@pytest.fixture
def crowd(database: Database, build: Callable[..., Site]) -> Site:
    """An application where all are many, with users, and no scheduler."""
    site = build(NOTIFY_INLINE_RECIPIENTS=1, SQLALCHEMY_ENGINE_OPTIONS=options_of(database))
    site.notify.message_type(Announced)
    with site.app.app_context():
        site.db.session.add_all([site.User(name=f"user {number}") for number in range(PEOPLE)])
        site.db.session.commit()
    return site


def options_of(database: Database) -> dict[str, Any]:
    return PATIENT if database.name.startswith("sqlite") else {}


def see_a_scheduler(site: Site) -> None:
    """Let emitters leave the moving to a scheduler."""
    now = DatabaseClock()
    row = {"role": SCHEDULER, "owner": "a test", "until": now, "renewed_at": now}
    with site.app.app_context():
        site.db.session.execute(insert(site.notify.models.lease).values(row))
        site.db.session.commit()


def copies(site: Site, kind: str, word: str = SAYING) -> Counter[str]:
    """Return how many each user has of what was emitted, by name."""
    Message: Any = site.notify.Message
    Notification: Any = site.notify.Notification
    found: Any = Notification if kind == "broadcast" else Message
    mine = found.name == word if kind == "broadcast" else found.subject.startswith(f"{word}, ")
    with site.app.app_context():
        query = select(site.User.name).join(found, found.recipient_id == site.User.id).where(mine)
        return Counter(site.db.session.scalars(query))


def move_the_rest(site: Site) -> None:
    """Move what waits, also what the server still holds for somebody who has just died."""
    give_up, never = time.monotonic() + PATIENCE, Event()
    with site.app.app_context():
        while True:
            site.notify.drain()
            site.db.session.rollback()
            if not unfinished(site):
                return
            assert time.monotonic() < give_up
            never.wait(0.02)  # until the server has noticed


def unfinished(site: Site) -> int:
    Fanout: Any = site.notify.Fanout
    return len(site.db.session.scalars(select(Fanout.id).where(Fanout.finished_at.is_(None))).all())


ONCE = Counter({f"user {number}": 1 for number in range(PEOPLE)})


@pytest.mark.parametrize("kind", ["query", "broadcast"])
def test_a_worker_that_is_killed_anywhere_leaves_nobody_out_and_tells_nobody_twice(
    database: Database, crowd: Site, kind: str
) -> None:
    see_a_scheduler(crowd)
    step, came_to_the_end = 0, False

    while not came_to_the_end:
        step += 1
        with crowd.app.app_context():
            emit(crowd, kind, f"word {step}")
        came_to_the_end = finish(*start(Task(database.url, "drain", dies_at=step, engine_options=options_of(database))))
        assert set(copies(crowd, kind, f"word {step}").values()) <= {1}
        move_the_rest(crowd)
        assert copies(crowd, kind, f"word {step}") == ONCE

    assert step > 2 * 6  # two batches, of more than some statements each
    check_counts(crowd)


@pytest.mark.parametrize("kind", ["query", "list", "broadcast"])
def test_an_emitter_that_is_killed_anywhere_has_told_all_or_nobody(database: Database, crowd: Site, kind: str) -> None:
    # No scheduler is there: after its commit, the emitter moves it.
    step, came_to_the_end, outcomes = 0, False, set()

    while not came_to_the_end:
        step += 1
        task = Task(database.url, kind, f"word {step}", dies_at=step, engine_options=options_of(database))
        came_to_the_end = finish(*start(task))
        move_the_rest(crowd)
        told = copies(crowd, kind, f"word {step}")
        assert told in (Counter(), ONCE)
        outcomes.add((bool(told), came_to_the_end))

    assert outcomes == {(False, False), (True, False), (True, True)}
    check_counts(crowd)


def test_workers_share_what_there_is_and_one_of_them_dies(database: Database, crowd: Site) -> None:
    see_a_scheduler(crowd)
    words = [f"word {number}" for number in range(9)]
    with crowd.app.app_context():
        for number, word in enumerate(words):
            emit(crowd, ("query", "list", "broadcast")[number % 3], word)
    barrier = context.Barrier(4)
    deaths: list[int | None] = [None, None, None, 30]

    workers = [
        start(Task(database.url, "drain", dies_at=dies_at, engine_options=options_of(database)), barrier)
        for dies_at in deaths
    ]
    ends = [finish(*worker) for worker in workers]

    assert ends[:3] == [True, True, True]
    move_the_rest(crowd)
    for number, word in enumerate(words):
        assert copies(crowd, ("query", "list", "broadcast")[number % 3], word) == ONCE
    check_counts(crowd)


@pytest.mark.databases("postgresql", "mariadb")
def test_a_worker_does_not_wait_for_recipients_whom_another_has_in_hand(crowd: Site) -> None:
    see_a_scheduler(crowd)
    models, settings = crowd.notify.models, crowd.app.extensions["notify"].settings
    with crowd.app.app_context():
        engine = crowd.db.engine
        users = crowd.db.session.scalars(select(crowd.User).order_by(crowd.User.id)).all()
        for half, word in ((users[3:], "theirs"), (users[:3], "mine")):
            crowd.notify.send(Announced(word=word), to=half)
            crowd.db.session.commit()
        theirs, mine = crowd.db.session.scalars(select(crowd.notify.Fanout.id).order_by(crowd.notify.Fanout.id))

    def move(fanout_id: int) -> int:
        with crowd.app.app_context():
            return fanout.move_batch(models, settings, crowd.notify.message_types, fanout_id)

    waiting = [theirs]
    with ThreadPoolExecutor(1) as pool:

        @event.listens_for(engine, "commit")
        def let_another_move(_: Any) -> None:
            if waiting:
                assert pool.submit(move, waiting.pop()).result(timeout=PATIENCE) == 3

        assert move(mine) == 3

    assert copies(crowd, "list", "mine") + copies(crowd, "list", "theirs") == ONCE
    check_counts(crowd)


@pytest.mark.parametrize("kind", ["query", "list", "broadcast"])
def test_users_come_and_go_between_two_batches(crowd: Site, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "BATCH", 4)
    see_a_scheduler(crowd)
    with crowd.app.app_context():
        emit(crowd, kind, SAYING)
        settings = crowd.app.extensions["notify"].settings
        batches = fanout.drain(crowd.notify.models, settings, crowd.notify.message_types)
        next(batches)
        users = {user.name: user for user in crowd.db.session.scalars(select(crowd.User))}
        reached = copies(crowd, kind)
        gone = next(name for name in users if not reached[name])
        crowd.db.session.delete(users[gone])
        crowd.db.session.delete(users[next(iter(reached))])
        crowd.db.session.commit()
        # On SQLite she gets the key of whom was deleted, if that was the last.
        crowd.db.session.add(crowd.User(name="late"))
        crowd.db.session.commit()

        assert sum(batches) <= PEOPLE - 4

    left = ONCE - Counter([gone, next(iter(reached))])
    assert copies(crowd, kind) == left
    move_the_rest(crowd)
    check_counts(crowd)


@pytest.mark.parametrize("kind", ["query", "list", "broadcast"])
def test_a_savepoint_that_is_rolled_back_takes_its_recipients_with_it(crowd: Site, kind: str) -> None:
    with crowd.app.app_context():
        session = crowd.db.session
        session.scalars(select(crowd.User).limit(1)).one().last_seen = 1.0
        for word, kept in (("kept", True), ("dropped", False)):
            savepoint = session.begin_nested()
            send(crowd, kind, word)
            savepoint.commit() if kept else savepoint.rollback()
        session.commit()

    assert (copies(crowd, kind, "kept"), copies(crowd, kind, "dropped")) == (ONCE, Counter())
    with crowd.app.app_context():
        outer = crowd.db.session.begin_nested()
        inner = crowd.db.session.begin_nested()
        send(crowd, kind, "dropped with the outer one")
        inner.commit()
        outer.rollback()
        crowd.db.session.commit()
        assert fanout.backlog(crowd.notify.models) == 0
    assert copies(crowd, kind, "dropped with the outer one") == Counter()


def send(site: Site, kind: str, word: str) -> None:
    users = site.db.session.scalars(select(site.User)).all()
    if kind == "broadcast":
        site.notify.broadcast(word, word)
    else:
        site.notify.send(Announced(word=word), to=select(site.User.id) if kind == "query" else users)
