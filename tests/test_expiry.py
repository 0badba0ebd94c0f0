"""Old messages, values and mails go in batches, while everything else goes on (row D1)."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, insert, select, update

from flask_notify import signals
from flask_notify.models import Models
from flask_notify.running import expiry, old_rows
from tests.apps import Site
from tests.concurrency.clients import Poller

HOUR = 3600.0
OLD = 400 * HOUR
"""Longer ago than messages are kept by default."""


def stored(site: Site, table: Any, **values: Any) -> list[int]:
    """Return the keys of the rows that have these values."""
    with site.app.app_context(), site.db.engine.connect() as connection:
        wanted = [table.c[name] == value for name, value in values.items()]
        return list(connection.scalars(select(next(iter(table.primary_key))).where(*wanted)))


def put(site: Site, key: Any, count: int, **values: Any) -> list[int]:
    """Write messages past the commit hook, and count the unseen ones."""
    models = site.notify.models
    row = {
        "recipient_id": key,
        "type": "system",
        "subject": "Backup finished",
        "cursor": 1.0,
        "created_at": time.time() - OLD,
        "mail_mode": "often",
        "rule": "default",
        "seen_at": None,
        **values,
    }
    with site.app.app_context(), site.db.engine.begin() as connection:
        connection.execute(insert(models.message), [row] * count)
        if row["seen_at"] is None:
            now = time.time()
            more = {"unseen_count": models.inbox.c.unseen_count + count, "unseen_cursor": now, "cursor": now}
            connection.execute(update(models.inbox).where(models.inbox.c.recipient_id == key).values(more))
    return stored(site, models.message, recipient_id=key)[-count:]


def expire(site: Site, **options: Any) -> Counter[str]:
    """Remove what is old now; return how many rows of what it was."""
    removed: Counter[str] = Counter()
    with site.app.app_context():
        settings = site.app.extensions["notify"].settings
        for batch in expiry.expire(site.notify.models, settings, now=site.notify.clock(), **options):
            removed[batch.what] += batch.removed
    return removed


def assert_counts_are_exact(site: Site) -> None:
    models = site.notify.models
    message, inbox = models.message.c, models.inbox.c
    with site.app.app_context(), site.db.engine.connect() as connection:
        unseen = select(message.recipient_id, func.count()).where(message.seen_at.is_(None))
        counted = {key: count for key, count in connection.execute(unseen.group_by(message.recipient_id))}
        kept = {key: count for key, count in connection.execute(select(inbox.recipient_id, inbox.unseen_count))}
    assert kept == {key: counted.get(key, 0) for key in kept}


def test_an_old_message_that_was_seen_goes_and_an_unseen_one_stays(any_site: Site) -> None:
    susan = any_site.add_user("susan")
    put(any_site, susan, 3, seen_at=5.0)
    unseen = put(any_site, susan, 2)
    fresh = put(any_site, susan, 1, seen_at=5.0, created_at=time.time() - 300 * HOUR)

    assert expire(any_site) == {"messages": 3}

    assert stored(any_site, any_site.notify.models.message) == unseen + fresh
    assert_counts_are_exact(any_site)


def test_where_the_unseen_are_not_kept_the_count_follows_and_pages_are_told(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_KEEP_UNSEEN=False)
    susan, miguel = site.add_user("susan"), site.add_user("miguel")
    put(site, susan, 3)
    put(site, susan, 2, seen_at=5.0)
    put(site, susan, 1, created_at=time.time())
    put(site, miguel, 2)
    poller = Poller(site, susan)
    poller.poll()
    assert poller.state["unread_message_count"] == 4

    assert expire(site) == {"messages": 7}

    poller.poll()
    assert poller.state["unread_message_count"] == 1
    assert_counts_are_exact(site)


def test_messages_are_kept_for_ever_where_no_age_is_set(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_REMOVE_AFTER=None)
    put(site, site.add_user("susan"), 1, seen_at=5.0)

    assert expire(site) == {}


def add_mail(site: Site, key: Any, state: str, *, age: float = OLD) -> int:
    mail = site.notify.models.mail
    row = {"recipient_id": key, "message_id": "<1@example.org>", "state": state, "created_at": time.time() - age}
    with site.app.app_context(), site.db.engine.begin() as connection:
        connection.execute(insert(mail).values(row))
    return stored(site, mail)[-1]


def test_a_message_that_owes_mail_stays(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_KEEP_UNSEEN=False)
    susan = site.add_user("susan")
    owing = put(site, susan, 1, mail_due_at=time.time() + 60)
    waiting = put(site, susan, 1, mail_id=add_mail(site, susan, "pending"))
    put(site, susan, 1, mail_id=add_mail(site, susan, "sent", age=0))
    put(site, susan, 1, mail_id=123_456)  # a mail that is gone itself

    assert expire(site) == {"messages": 2}

    assert stored(site, site.notify.models.message) == owing + waiting
    assert_counts_are_exact(site)


def test_an_old_mail_goes_once_nobody_will_try_it_again(site: Site) -> None:
    susan = site.add_user("susan")
    kept = [add_mail(site, susan, "pending"), add_mail(site, susan, "parked"), add_mail(site, susan, "sent", age=0)]
    for state in ("sent", "refused", "skipped", "cancelled"):
        add_mail(site, susan, state)

    assert expire(site) == {"mails": 4}

    assert stored(site, site.notify.models.mail) == kept


def test_a_value_that_ended_goes_only_when_no_client_needs_to_be_told(any_site: Site) -> None:
    susan = any_site.add_user("susan")
    now = time.time()
    any_site.notify.clock = lambda: now
    any_site.emit(susan, "stays", 1)
    any_site.emit(susan, "ends", 1, expires_in=60)
    any_site.emit(susan, "removed", 1)
    any_site.remove(susan, "removed")
    poller = Poller(any_site, susan)
    poller.poll()

    any_site.notify.clock = lambda: now + 71 * HOUR
    assert expire(any_site) == {}

    any_site.notify.clock = lambda: now + 73 * HOUR
    assert expire(any_site) == {"values": 2}

    any_site.emit(susan, "news", 1)
    poller.poll()  # with the old timestamp, which is answered with the whole state
    assert {name for name in poller.state if name != "unread_message_count"} == {"stays", "news"}


def test_a_value_that_is_written_again_meanwhile_stays(site: Site) -> None:
    susan = site.add_user("susan")
    now = time.time()
    site.notify.clock = lambda: now - 100 * HOUR
    site.emit(susan, "task", 1, expires_in=60)
    site.notify.clock = lambda: now

    site.emit(susan, "task", 2)

    assert expire(site) == {}


def test_a_finished_emission_goes_unless_a_recipient_is_parked(site: Site) -> None:
    fanout, listed = site.notify.models.fanout, site.notify.models.fanout_recipient
    old = {"kind": "message", "content": "{}", "created_at": 1.0, "total": 1, "finished_at": 2.0}
    with site.app.app_context(), site.db.engine.begin() as connection:
        connection.execute(insert(fanout), [{**old, "finished_at": end} for end in (2.0, 2.0, time.time(), None)])
        keys = connection.scalars(select(fanout.c.id).order_by(fanout.c.id)).all()
        connection.execute(insert(listed).values(fanout_id=keys[1], recipient_id=1, error="KeyError: 'name'"))

    assert expire(site) == {"fan-outs": 1}

    assert stored(site, fanout) == keys[1:]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let batches be so small that a few rows make many of them."""
    monkeypatch.setattr(old_rows, "BATCH", 4)
    monkeypatch.setattr(old_rows, "LIGHT_BATCH", 4)
    monkeypatch.setattr(old_rows, "LOOK_AHEAD", 10)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("keep_unseen", [True, False])
def test_it_stops_between_two_batches_and_goes_on_from_there(build: Callable[..., Site], keep_unseen: bool) -> None:
    site = build(NOTIFY_KEEP_UNSEEN=keep_unseen)
    susan = site.add_user("susan")
    put(site, susan, 30, seen_at=5.0)
    answers = iter([False, False])

    assert expire(site, stop=lambda: next(answers, True)) == {"messages": 8}
    assert_counts_are_exact(site)

    assert expire(site) == {"messages": 22}
    assert expire(site) == {}


@pytest.mark.usefixtures("small")
def test_it_passes_over_long_stretches_where_nothing_is_old(site: Site) -> None:
    susan = site.add_user("susan")
    put(site, susan, 2, seen_at=5.0)
    gap = put(site, susan, 60)
    put(site, susan, 3, seen_at=5.0)
    with site.app.app_context(), site.db.engine.begin() as connection:
        message = site.notify.models.message
        connection.execute(message.delete().where(message.c.id.in_(gap[10:50])))
        connection.execute(update(site.notify.models.inbox).values(unseen_count=20))

    assert expire(site) == {"messages": 5}

    assert len(stored(site, site.notify.models.message)) == 20


@pytest.mark.usefixtures("small")
def test_values_of_many_recipients_are_walked_to_the_end(any_site: Site) -> None:
    now = time.time()
    any_site.notify.clock = lambda: now - 100 * HOUR
    keys = [any_site.add_user(f"user {number}") for number in range(4)]
    for key in keys:
        for name in ("a", "B", "b", "ä", "z z"):
            any_site.emit(key, name, 1, expires_in=60)
        any_site.emit(key, "stays", 1)
    any_site.notify.clock = lambda: now

    assert expire(any_site) == {"values": 20}

    with any_site.app.app_context():
        assert [[value.name for value in any_site.user(key).notifications] for key in keys] == [["stays"]] * 4


def test_each_batch_is_told_by_a_signal(site: Site) -> None:
    put(site, site.add_user("susan"), 3, seen_at=5.0)
    heard: list[Any] = []

    def hear(sender: Flask, **about: Any) -> None:
        heard.append((sender, about))

    with signals.expired.connected_to(hear):
        expire(site)

    assert heard == [(site.app, {"table": "notify_message", "removed": 3})]


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.databases("sqlite", "sqlite-wal", "postgresql", "mariadb")
@pytest.mark.parametrize("keep_unseen", [True, False])
def test_a_writer_and_a_poller_go_on_meanwhile(build: Callable[..., Site], keep_unseen: bool) -> None:
    site = build(NOTIFY_KEEP_UNSEEN=keep_unseen)
    keys = [site.add_user(f"user {number}") for number in range(3)]
    for key in keys:
        put(site, key, 40, seen_at=5.0)
        put(site, key, 40)
    poller = Poller(site, keys[0])
    poller.poll()

    with working(lambda turn: rewrite(site, keys, turn)) as turns, working(lambda _: poller.poll()):
        while turns() < 5:
            expire(site)
        removed = expire(site)
        while removed:
            removed = expire(site)

    assert_counts_are_exact(site)
    poller.poll()
    with site.app.app_context():
        assert poller.state["unread_message_count"] == site.user(keys[0]).unread_message_count
    old = [key for key in keys if stored(site, site.notify.models.message, recipient_id=key, subject="Backup finished")]
    assert bool(old) is keep_unseen


def rewrite(site: Site, keys: list[Any], turn: int) -> None:
    """Send, and mark old messages seen and unseen, in an order unlike that of their keys."""
    models: Models = site.notify.models
    with site.app.app_context():
        user = site.user(keys[turn % len(keys)])
        site.notify.send(f"Turn {turn}", to=[site.user(key) for key in reversed(keys)])
        user.add_notification("turn", turn, expires_in=1)
        some = select(models.message.c.id).where(models.message.c.recipient_id == user.id)
        ids = site.db.session.scalars(some.order_by(models.message.c.id.desc()).limit(20)).all()
        (user.mark_seen if turn % 2 else user.mark_unseen)(*ids)
        site.db.session.commit()


class working:  # noqa: N801  # it is used like a function
    """Do something again and again in a thread; the block is given how often it has been done."""

    def __init__(self, work: Callable[[int], Any]) -> None:
        self._work = work
        self._turns = 0
        self._error: Exception | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._work(self._turns)
                self._turns += 1
        except Exception as error:
            self._error = error

    def __enter__(self) -> Callable[[], int]:
        self._thread.start()
        return self._done

    def _done(self) -> int:
        assert self._error is None, repr(self._error)
        return self._turns

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        assert self._error is None, repr(self._error)


@pytest.mark.databases("postgresql", "mariadb")
def test_a_message_that_is_being_marked_unseen_is_not_removed(site: Site) -> None:
    susan = site.add_user("susan")
    [message] = put(site, susan, 1, seen_at=5.0)
    removed: list[Counter[str]] = []
    worker = threading.Thread(target=lambda: removed.append(expire(site)), daemon=True)
    with site.app.app_context():
        engine = site.db.engine
        with held_before_the_commit(engine) as (reached, go_on):
            marker = threading.Thread(target=mark_unseen, args=(site, susan, message), daemon=True)
            marker.start()
            assert reached.wait(60)
            worker.start()
            # PostgreSQL passes the row over; MariaDB waits for the inbox, which go_on lets it have.
            worker.join(0.2)
            go_on.set()
            marker.join(60)
            worker.join(60)

    assert removed == [{}]
    assert stored(site, site.notify.models.message) == [message]
    assert_counts_are_exact(site)


def mark_unseen(site: Site, key: Any, message: int) -> None:
    with site.app.app_context():
        site.user(key).mark_unseen(message)
        site.db.session.commit()


class held_before_the_commit:  # noqa: N801  # it is used like a function
    """Hold up the first commit on an engine, with all its locks."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._reached, self._go_on = threading.Event(), threading.Event()

    def _hold(self, _connection: Any) -> None:
        if not self._reached.is_set():
            self._reached.set()
            self._go_on.wait(60)

    def __enter__(self) -> tuple[threading.Event, threading.Event]:
        event.listen(self._engine, "commit", self._hold)
        return self._reached, self._go_on

    def __exit__(self, *_: object) -> None:
        self._go_on.set()
        event.remove(self._engine, "commit", self._hold)


@pytest.mark.parametrize("old,fresh", [(3_000, 9_000), (250, 50)])
def test_a_batch_finds_its_rows_by_the_primary_key(site: Site, old: int, fresh: int) -> None:
    """Not by a scan: that would wait for rows of others, which on MariaDB is how deadlocks begin.

    (PostgreSQL may scan a small table. It passes over what is locked.)
    """
    susan = site.add_user("susan")
    put(site, susan, old, seen_at=5.0)
    put(site, susan, fresh, seen_at=5.0, created_at=time.time())
    with site.app.app_context(), recorded_deletes(site.db.engine) as statements:
        site.db.session.connection().exec_driver_sql(ANALYZE[site.db.engine.dialect.name]).close()
        site.db.session.commit()

        assert expire(site)["messages"] == old

        for statement, parameters in statements:
            plan = explained(site, statement, parameters)
            small_on_postgresql = site.db.engine.dialect.name == "postgresql" and old < 1_000
            assert small_on_postgresql or not FULL_SCAN[site.db.engine.dialect.name](plan), plan


ANALYZE = {"sqlite": "ANALYZE", "postgresql": "ANALYZE", "mariadb": "ANALYZE TABLE notify_message"}
FULL_SCAN: dict[str, Callable[[str], bool]] = {
    "sqlite": lambda plan: "SCAN notify_message" in plan,
    "postgresql": lambda plan: "Seq Scan on notify_message" in plan,
    "mariadb": lambda plan: any("'old'" in line and "'ALL'" in line for line in plan.splitlines()),
}


class recorded_deletes:  # noqa: N801  # it is used like a function
    """Record the statements that delete messages, with their parameters."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._statements: list[tuple[str, Any]] = []

    def _record(self, _c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if statement.startswith("DELETE") and "FROM notify_message" in statement:
            self._statements.append((statement, parameters))

    def __enter__(self) -> list[tuple[str, Any]]:
        event.listen(self._engine, "before_cursor_execute", self._record)
        return self._statements

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._record)


def explained(site: Site, statement: str, parameters: Any) -> str:
    verb = "EXPLAIN QUERY PLAN" if site.db.engine.dialect.name == "sqlite" else "EXPLAIN"
    with site.db.engine.connect() as connection:
        return "\n".join(str(tuple(row)) for row in connection.exec_driver_sql(f"{verb} {statement}", parameters))
