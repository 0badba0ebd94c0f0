"""News is taken over at once and published by another thread, whatever the broker does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from flask_notify.hints import publisher as publishing
from flask_notify.hints import wire
from flask_notify.hints.publisher import Publisher
from flask_notify.hints.wire import Hint
from tests.hints.loopback import PATIENCE, Exchange


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def publisher(exchange: Exchange) -> Iterator[Publisher]:
    made = Publisher(exchange.connect, most=10)
    yield made
    exchange.flows.set()
    made.stop(PATIENCE)


def hints(exchange: Exchange) -> list[Hint]:
    """Return what was published."""
    found = [wire.decode(body) for body in exchange.published]
    assert all(isinstance(hint, Hint) for hint in found)
    return found  # type: ignore[return-value]  # as was just looked at


def hold(exchange: Exchange, publisher: Publisher) -> None:
    """Let the thread wait for the broker, with one recipient's news in hand."""
    exchange.flows.clear()
    publisher.tell({"first": 1.0})
    exchange.wait_for(lambda: exchange.connected == 1)
    with publisher._changed:
        assert publisher._changed.wait_for(lambda: not publisher._pending, PATIENCE)


def test_news_is_published(exchange: Exchange, publisher: Publisher) -> None:
    publisher.tell({1: 5.0, 2: 6.0})
    assert publisher.flush(PATIENCE)

    assert hints(exchange) == [Hint({"1": 5.0, "2": 6.0})]


def test_there_is_no_thread_before_there_is_news(exchange: Exchange, publisher: Publisher) -> None:
    assert publisher.flush(0)

    assert publisher._thread is None
    assert exchange.connected == 0


def test_while_the_broker_hangs_news_is_merged_by_recipient(exchange: Exchange, publisher: Publisher) -> None:
    hold(exchange, publisher)

    for cursor in range(1_000):
        publisher.tell({"1": float(cursor)})
        publisher.tell({"2": 1_000.0 - cursor})
    publisher.tell({"3": 1.0}, spread=True)
    exchange.flows.set()
    assert publisher.flush(PATIENCE)

    assert hints(exchange) == [Hint({"first": 1.0}), Hint({"1": 999.0, "2": 1_000.0}), Hint({"3": 1.0}, spread=True)]


def test_when_too_many_wait_everyone_is_told(exchange: Exchange, publisher: Publisher) -> None:
    hold(exchange, publisher)

    for key in range(11):
        publisher.tell({key: 1.0})
    publisher.tell({"late": 1.0})
    exchange.flows.set()
    assert publisher.flush(PATIENCE)

    assert hints(exchange) == [Hint({"first": 1.0}), Hint(spread=True, everyone=True)]


def test_what_a_broker_refuses_is_told_when_it_is_back(
    exchange: Exchange, publisher: Publisher, caplog: pytest.LogCaptureFixture
) -> None:
    exchange.refuses = True
    with caplog.at_level(logging.INFO, "flask_notify"):
        publisher.tell({"1": 1.0})
        exchange.wait_for(lambda: exchange.connected >= 3)
        publisher.tell({"2": 2.0})
        exchange.refuses = False
        assert publisher.flush(PATIENCE)

    assert hints(exchange) == [Hint({"1": 1.0, "2": 2.0})]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]  # once for the whole outage
    assert exchange.closed >= 2


def test_a_process_that_ends_publishes_its_last_news(exchange: Exchange, publisher: Publisher) -> None:
    publisher.tell({"1": 1.0})

    publishing._flush_all()

    assert hints(exchange) == [Hint({"1": 1.0})]


def test_a_process_that_ends_waits_for_a_broker_that_hangs_only_for_a_moment(
    exchange: Exchange, publisher: Publisher
) -> None:
    hold(exchange, publisher)

    assert not publisher.flush(0.05)


def test_a_publisher_that_is_stopped_publishes_what_waits(exchange: Exchange) -> None:
    publisher = Publisher(exchange.connect)
    publisher.tell({"1": 1.0})

    publisher.stop(PATIENCE)

    assert hints(exchange) == [Hint({"1": 1.0})]
    assert exchange.closed == 1
    assert not [thread for thread in threading.enumerate() if thread is publisher._thread]


def test_one_that_is_stopped_during_an_outage_gives_up(exchange: Exchange) -> None:
    publisher = Publisher(exchange.connect)
    exchange.refuses = True
    publisher.tell({"1": 1.0})
    exchange.wait_for(lambda: exchange.connected >= 2)

    publisher.stop(PATIENCE)

    assert publisher._thread is not None
    assert not publisher._thread.is_alive()


def test_what_is_told_while_another_thread_publishes_is_not_lost(exchange: Exchange) -> None:
    publisher = Publisher(exchange.connect)
    start = threading.Barrier(4)

    def tell(number: int) -> None:
        start.wait()
        for cursor in range(500):
            publisher.tell({f"{number}-{cursor % 7}": float(cursor)})

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert publisher.flush(PATIENCE)
    publisher.stop(PATIENCE)

    newest: dict[str, float] = {}
    for hint in hints(exchange):
        for key, cursor in hint.cursors.items():
            newest[key] = max(cursor, newest.get(key, 0.0))
    assert newest == {f"{n}-{m}": float(max(c for c in range(500) if c % 7 == m)) for n in range(4) for m in range(7)}
