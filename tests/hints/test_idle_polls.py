"""Where hints flow, an idle poll asks the database nothing; and no update is missed."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, select

from flask_notify.hints.listener import LATE
from tests.apps import Site
from tests.hints.loopback import PATIENCE, Exchange, Monotonic
from tests.hints.workers import TTL, Worker, checkouts
from tests.matrix import Variant
from tests.polls import newest, poll, set_clock, ticket_for
from tests.recording import recorded
from tests.servers import Database

Work = Callable[..., Worker]
Build = Callable[..., Site]


class Page:
    """A page of a user that is open at one worker, and has its ticket."""

    def __init__(self, worker: Worker, key: Any) -> None:
        self.worker = worker
        self.client: FlaskClient = worker.site.client(key)
        self.since = newest(self.client)
        self.ticket = ticket_for(self.client, self.since)

    def poll(self, **options: Any) -> Any:
        """Ask as the browser does."""
        return poll(self.client, self.since, self.ticket, **options)

    def is_idle(self) -> bool:
        """Ask, and say whether there was nothing new."""
        return bool(self.poll().status_code == 304)

    def reads(self) -> bool:
        """Ask, be told nothing new, and say whether the database was read for it."""
        with checkouts(self.worker.site) as taken:
            assert self.is_idle()
        return bool(taken)


@pytest.fixture
def worker(work: Work) -> Worker:
    return work()


@pytest.fixture
def other(work: Work, worker: Worker) -> Worker:
    """Another worker on the same database."""
    second = work()
    assert second is not worker
    return second


@pytest.fixture
def key(worker: Worker) -> Any:
    return worker.site.add_user("susan")


@pytest.fixture
def page(worker: Worker, key: Any) -> Page:
    """A page whose cursor the worker has read a moment ago."""
    worker.publish()
    found = Page(worker, key)
    assert found.reads()
    return found


def test_an_idle_poll_with_a_ticket_is_answered_without_a_statement(
    worker: Worker, page: Page, database: Database
) -> None:
    with recorded(database, worker.site) as statements, checkouts(worker.site) as taken:
        answers = [page.poll() for _ in range(5)]

    assert [answer.status_code for answer in answers] == [304] * 5
    assert taken == []
    assert statements == []
    assert {answer.headers["ETag"] for answer in answers} == {page.ticket}


def test_news_of_another_worker_ends_it_at_once(other: Worker, page: Page, key: Any) -> None:
    assert not page.reads()

    timestamp = other.site.emit(key, "a", 1)
    other.publish()

    assert page.poll().json == [{"name": "a", "data": 1, "timestamp": timestamp}]


@pytest.mark.databases("sqlite")
def test_news_of_the_own_process_ends_it_before_the_broker_has_it(
    worker: Worker, page: Page, key: Any, exchange: Exchange
) -> None:
    exchange.flows.clear()

    timestamp = worker.site.emit(key, "a", 1)

    assert page.poll().json == [{"name": "a", "data": 1, "timestamp": timestamp}]


@pytest.mark.databases("sqlite")
def test_news_of_somebody_else_ends_nothing(worker: Worker, other: Worker, page: Page) -> None:
    another = worker.site.add_user("john")
    worker.publish()
    page.is_idle()

    other.site.emit(another, "a", 1)
    other.publish()

    assert not page.reads()


@pytest.mark.databases("sqlite")
def test_a_broadcast_in_batches_ends_it(other: Worker, page: Page) -> None:
    with other.site.app.app_context():
        other.site.notify.broadcast("maintenance", {"at": "22:00"})
        other.site.db.session.commit()
        other.site.notify.drain()
    other.publish()

    assert [item["name"] for item in page.poll().json if item["name"] != "unread_message_count"] == ["maintenance"]


def test_hints_name_recipients_as_tickets_do_whatever_their_key(work: Work, variant: Variant) -> None:
    worker, other = (work(key=variant.key, base=variant.base, NOTIFY_INLINE_RECIPIENTS=1) for _ in range(2))
    key, _ = worker.site.add_user("susan"), worker.site.add_user("john")

    def emit() -> None:
        other.site.emit(key, "a", 1)

    def send_to_many() -> None:
        with other.site.app.app_context():
            other.site.notify.send("Hello", to=select(other.site.User.id))
            other.site.db.session.commit()

    def broadcast() -> None:
        with other.site.app.app_context():
            other.site.notify.broadcast("b", 1)
            other.site.db.session.commit()

    for write in (emit, send_to_many, broadcast):
        page = Page(worker, key)
        page.is_idle()
        assert not page.reads()
        write()
        other.publish()
        assert page.poll().status_code == 200, write


@pytest.mark.databases("sqlite")
def test_a_lost_hint_delays_news_by_the_time_to_live_at_most(
    build: Build, worker: Worker, page: Page, key: Any
) -> None:
    # As a program does that does not know of the broker; its clock is ahead, and plays no part.
    stranger = build()
    assert stranger.app.extensions["notify"].carrier is None
    stranger.emit(key, "a", 1)

    worker.pass_time(TTL - 0.5)
    assert page.is_idle()
    worker.pass_time(0.5)
    assert [item["data"] for item in page.poll().json] == [1]


@pytest.mark.databases("sqlite")
def test_polling_does_not_prolong_what_is_known(worker: Worker, page: Page) -> None:
    reads = []
    for _ in range(12):
        worker.pass_time(TTL / 6)
        reads.append(page.reads())

    assert reads == [False] * 5 + [True] + [False] * 5 + [True]


@pytest.mark.databases("sqlite")
def test_a_restored_database_is_noticed_after_the_time_to_live(worker: Worker, key: Any) -> None:
    since = worker.site.emit(key, "a", 1)
    worker.publish()
    page = Page(worker, key)
    page.is_idle()
    with worker.site.app.app_context():
        inbox = worker.site.notify.models.inbox
        worker.site.db.session.execute(inbox.update().values(cursor=since - 60))
        worker.site.db.session.commit()

    worker.pass_time(TTL)

    assert page.poll().headers["X-Notify-Reset"] == "1"


@pytest.mark.databases("sqlite")
def test_reset_cursors_is_noticed_at_once(other: Worker, page: Page) -> None:
    assert other.site.app.test_cli_runner().invoke(args=["notify", "reset-cursors"]).exit_code == 0
    other.publish()

    assert page.poll().status_code == 200


@pytest.mark.databases("sqlite")
def test_while_the_broker_is_silent_the_database_is_read(page: Page, exchange: Exchange, clock: Monotonic) -> None:
    exchange.flows.clear()
    assert not page.reads()

    clock.advance(LATE)

    assert [page.reads() for _ in range(3)] == [True] * 3


@pytest.mark.databases("sqlite")
def test_what_was_read_during_a_silence_is_not_known_after_it(
    worker: Worker, page: Page, exchange: Exchange, clock: Monotonic
) -> None:
    exchange.flows.clear()
    clock.advance(LATE)
    assert page.reads()
    clock.advance(1)

    exchange.flows.set()
    worker.wait_until_live()

    clock.advance(0.1)
    assert [page.reads() for _ in range(2)] == [True, False]


@pytest.mark.databases("sqlite")
def test_after_a_lost_connection_nothing_is_known(worker: Worker, page: Page, exchange: Exchange) -> None:
    made = exchange.connected
    worker.clock.advance(0.1)
    exchange.cut()
    exchange.wait_for(lambda: exchange.connected > made)
    worker.clock.advance(0.1)
    worker.wait_until_live()

    worker.clock.advance(0.1)
    assert [page.reads() for _ in range(2)] == [True, False]


@pytest.mark.databases("sqlite")
def test_a_ticket_expires_as_ever(worker: Worker) -> None:
    clock = set_clock(worker.site)
    page = Page(worker, worker.site.add_user("john"))
    page.is_idle()

    clock.advance(301)

    assert page.poll().status_code == 200


@pytest.mark.databases("sqlite")
def test_a_page_that_was_rung_is_answered_from_the_database(worker: Worker, page: Page) -> None:
    for value, reads in (("1", False), ("rung", True), ("1", False)):
        with checkouts(worker.site) as taken:
            assert page.poll(headers={"X-Notify-Stream": value}).status_code == 304
        assert bool(taken) is reads


@pytest.mark.databases("sqlite")
def test_a_rung_page_sees_news_whose_hint_is_not_here_yet(build: Build, page: Page, key: Any) -> None:
    build().emit(key, "a", 1)  # no hint at all

    assert page.is_idle()
    assert page.poll(headers={"X-Notify-Stream": "rung"}).status_code == 200


@pytest.mark.databases("sqlite")
def test_without_a_time_to_live_nothing_is_kept_and_nobody_listens(
    build: Build, exchange: Exchange, clock: Monotonic
) -> None:
    worker = Worker(build(), exchange, clock, ttl=0)
    page = Page(worker, worker.site.add_user("susan"))

    assert [page.reads() for _ in range(3)] == [True] * 3
    assert exchange.queues == []
    worker.close()


# Races


def _while_a_read_is_under_way(page: Page, meanwhile: Callable[[], object]) -> int:
    """Let a poll read the cursor; before it goes on, do something; return how the poll is answered."""
    with page.worker.site.app.app_context():
        engine = page.worker.site.db.engine
    has_read, goes_on = Event(), Event()

    def hold(*_: object) -> None:
        if not has_read.is_set():
            has_read.set()
            assert goes_on.wait(PATIENCE)

    answers: list[int] = []
    thread = Thread(target=lambda: answers.append(page.poll().status_code))
    event.listen(engine, "checkin", hold)
    thread.start()
    assert has_read.wait(PATIENCE)
    meanwhile()
    goes_on.set()
    thread.join()
    event.remove(engine, "checkin", hold)
    return answers[0]


def test_a_hint_that_comes_while_the_cursor_is_read_is_not_buried_by_the_answer(
    worker: Worker, other: Worker, page: Page, key: Any
) -> None:
    worker.pass_time(TTL)

    def commit() -> None:
        worker.clock.advance(0.1)
        other.site.emit(key, "a", 1)
        other.publish()
        worker.clock.advance(0.1)

    # What it read was right when it was read.
    assert _while_a_read_is_under_way(page, commit) == 304

    assert page.poll().status_code == 200


@pytest.mark.databases("sqlite")
def test_a_commit_of_the_own_process_while_the_cursor_is_read_is_not_buried_either(
    worker: Worker, page: Page, key: Any, exchange: Exchange
) -> None:
    worker.pass_time(TTL)
    exchange.flows.clear()

    assert _while_a_read_is_under_way(page, lambda: worker.site.emit(key, "a", 1)) == 304

    assert page.poll().status_code == 200


@pytest.mark.databases("sqlite")
def test_an_outage_while_the_cursor_is_read_leaves_nothing_known(
    worker: Worker, page: Page, exchange: Exchange, build: Build, key: Any
) -> None:
    worker.pass_time(TTL)

    def lose_connection_and_a_hint() -> None:
        made = exchange.connected
        exchange.cut()
        worker.clock.advance(0.1)
        build().emit(key, "a", 1)
        exchange.wait_for(lambda: exchange.connected > made)
        worker.clock.advance(0.1)
        worker.wait_until_live()

    assert _while_a_read_is_under_way(page, lose_connection_and_a_hint) == 304

    assert page.poll().status_code == 200
