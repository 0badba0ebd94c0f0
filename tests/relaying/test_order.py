"""One recipient's messages never overtake one another, whoever writes or relays at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest
from sqlalchemy import event

from flask_notify.brokers.base import Letter
from flask_notify.relaying import waiting
from tests.apps import Site
from tests.concurrency.messages import PATIENT, Together, messages_of, slow_down_commits
from tests.relaying.conftest import SETTINGS, envelopes, said
from tests.relaying.desk import Desk, relay, relayer_of
from tests.servers import Database

PATIENCE = 60

pytestmark = pytest.mark.databases("sqlite-wal", "postgresql", "mariadb")


@pytest.fixture
def site(database: Database, build: Callable[..., Site]) -> Site:
    """An application for several threads."""
    options = PATIENT if database.name.startswith("sqlite") else {"pool_size": 20}
    return build(**SETTINGS, SQLALCHEMY_ENGINE_OPTIONS=options)


def say(site: Site, key: Any, text: str) -> None:
    with site.app.app_context():
        site.notify.send(text, to=site.user(key))
        site.db.session.commit()


@contextmanager
def held_before_its_commit(site: Site, key: Any, text: str) -> Iterator[Callable[[], None]]:
    """Send a message, all of it written and not committed; yield what lets it commit and waits for that."""
    with site.app.app_context():
        engine = site.db.engine
    written, go = Event(), Event()

    def hold(_: Any) -> None:
        if threading.current_thread().name.startswith("held"):
            written.set()
            assert go.wait(PATIENCE)

    event.listen(engine, "commit", hold)
    with ThreadPoolExecutor(1, thread_name_prefix="held") as pool:
        sending = pool.submit(say, site, key, text)
        assert written.wait(PATIENCE)

        def let_go() -> None:
            go.set()
            sending.result(PATIENCE)

        try:
            yield let_go
        finally:
            go.set()
    event.remove(engine, "commit", hold)


@pytest.mark.databases("postgresql", "mariadb")
def test_a_row_that_appears_below_what_was_relayed_still_comes_before_its_recipients_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "BATCH", 1)
    slow, quick, desk = site.add_user("slow"), site.add_user("quick"), Desk()
    with held_before_its_commit(site, slow, "first") as let_go:
        say(site, quick, "one")
        say(site, quick, "two")

        def commit_meanwhile(_: Sequence[Letter]) -> None:
            desk.after = lambda _letters: None
            let_go()
            say(site, slow, "second")

        desk.after = commit_meanwhile
        assert relay(site, desk) == 4

    assert desk.texts(quick) == ["one", "two"]
    assert desk.texts(slow) == ["first", "second"]


@pytest.mark.databases("postgresql", "mariadb")
def test_the_relay_waits_for_no_writer(site: Site) -> None:
    slow, quick, desk = site.add_user("slow"), site.add_user("quick"), Desk()
    with held_before_its_commit(site, slow, "first") as let_go:
        say(site, quick, "one")
        assert relay(site, desk) == 1  # read, delivered and deleted, beside the open transaction
        let_go()

    assert relay(site, desk) == 1
    assert (desk.texts(quick), desk.texts(slow)) == (["one"], ["first"])


@pytest.mark.databases("postgresql", "mariadb")
def test_a_writer_who_holds_up_one_recipient_holds_up_no_other_and_nothing_is_repeated(site: Site) -> None:
    held, other, desk = site.add_user("held"), site.add_user("other"), Desk()
    say(site, held, "one")
    say(site, other, "one")
    with held_before_its_commit(site, held, "two") as let_go, site.app.app_context():
        at_work = relayer_of(site, desk)
        assert sum(at_work.relay()) == 2
        say(site, other, "two")
        assert sum(at_work.relay()) == 1
        let_go()
        assert sum(at_work.relay()) == 1

    assert (desk.texts(held), desk.texts(other)) == (["one", "two"], ["one", "two"])
    assert said(site) == []


def test_of_two_at_work_a_stalled_one_only_repeats(site: Site) -> None:
    key, stalled, other = site.add_user("susan"), Desk(), Desk()
    other.queues = stalled.queues  # it is one broker
    say(site, key, "one")
    say(site, key, "two")
    has_read, go = Event(), Event()

    def stall(_: Sequence[Letter]) -> None:
        has_read.set()
        assert go.wait(PATIENCE)

    stalled.before = stall
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(relay, site, stalled)
        assert has_read.wait(PATIENCE)
        assert relay(site, other) == 2
        say(site, key, "three")
        assert relay(site, other) == 1
        say(site, key, "four")
        go.set()
        assert late.result(PATIENCE) == 3

    assert stalled.texts(key) == ["one", "two", "three", "one", "two", "four"]
    assert stalled.first_texts(key) == ["one", "two", "three", "four"]
    assert envelopes(site) == []


@pytest.mark.slow
def test_users_are_deleted_while_their_messages_are_relayed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "BATCH", 20)
    keys = [site.add_user(f"user {number}") for number in range(24)]
    with site.app.app_context():
        for number in range(10):
            site.notify.send(f"m{number}", to=[site.user(key) for key in keys])
            site.db.session.commit()
    desks = [Desk(), Desk()]
    desks[1].queues = desks[0].queues  # it is one broker

    def work(number: int, meet: Callable[[], None]) -> None:
        meet()
        if number < len(desks):
            relay(site, desks[number])
        else:
            for key in keys[number % 2 :: 2]:
                site.db.session.delete(site.user(key))
                site.db.session.commit()

    Together(site, 4).run(work)

    assert said(site) == []
    for key in keys:
        texts = desks[0].first_texts(key)
        assert texts == [f"m{number}" for number in range(len(texts))]


@pytest.mark.slow
def test_while_many_write_each_recipients_messages_come_in_the_order_of_their_inbox(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "BATCH", 7)
    writers, rounds = 4, 12
    keys = [site.add_user(f"user {number}") for number in range(5)]
    slow_down_commits(site, 0.005)
    desk, done = Desk(), Event()

    def keep_relaying() -> None:
        with site.app.app_context():
            one = relayer_of(site, desk)
            while not done.is_set() or said(site):
                list(one.relay())

    def write(number: int, meet: Callable[[], None]) -> None:
        meet()
        for turn in range(rounds):
            # Overlapping recipients, named in another order by each writer.
            mine = [keys[(number + step * (1 if number % 2 else -1)) % len(keys)] for step in range(3)]
            site.notify.send(f"{number}:{turn}", to=[site.user(key) for key in mine])
            if turn % 3 == 0:
                site.notify.send(f"{number}:{turn} again", to=site.user(mine[0]))
            site.db.session.commit()

    with ThreadPoolExecutor(1) as pool:
        relaying = pool.submit(keep_relaying)
        try:
            Together(site, writers).run(write)
        finally:
            done.set()
        relaying.result(PATIENCE)

    for key in keys:
        stored = [message.subject for message in messages_of(site, key)]
        assert desk.texts(key) == stored
    assert sum(len(queue) for queue in desk.queues.values()) == writers * rounds * 3 + writers * rounds // 3
    assert said(site) == []
