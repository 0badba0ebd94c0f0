"""A listener hears hints, and knows by its own beats whether it still does."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from flask_notify.hints import listener as listening
from flask_notify.hints import wire
from flask_notify.hints.listener import Listener
from flask_notify.hints.wire import Beat, Hint
from tests.hints.loopback import PATIENCE, Exchange, Monotonic


class Ear:
    """A listener with what it has heard, by a clock of the test's."""

    def __init__(self, exchange: Exchange, clock: Monotonic) -> None:
        self.exchange = exchange
        self.heard: list[Hint] = []
        self.lives: list[bool] = []
        self.listener = Listener(exchange.connect, self._hear, self._change, clock=clock, beat=0.02)

    def _hear(self, hint: Hint) -> None:
        with self.exchange.changed:
            self.heard.append(hint)
            self.exchange.changed.notify_all()

    def _change(self, live: bool) -> None:
        with self.exchange.changed:
            self.lives.append(live)
            self.exchange.changed.notify_all()

    def is_live(self) -> bool:
        """Return whether every hint is heard in time, as of now."""
        return self.listener.live

    def wait_for_lives(self, *lives: bool) -> None:
        """Wait until it was live, and was not, in this order."""
        self.exchange.wait_for(lambda: self.lives == list(lives))

    def wait_for_hints(self, *hints: Hint) -> None:
        """Wait until it has heard these."""
        self.exchange.wait_for(lambda: self.heard == list(hints))


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def clock() -> Monotonic:
    return Monotonic()


@pytest.fixture
def ear(exchange: Exchange, clock: Monotonic) -> Iterator[Ear]:
    made = Ear(exchange, clock)
    made.listener.start()
    yield made
    exchange.flows.set()
    made.listener.stop(PATIENCE)
    assert not any(thread.is_alive() for thread in made.listener._threads)


def test_a_listener_is_live_once_its_own_beat_has_come_back(exchange: Exchange, clock: Monotonic) -> None:
    ear = Ear(exchange, clock)
    assert not ear.is_live()

    ear.listener.start()
    ear.wait_for_lives(True)

    assert ear.is_live()
    assert ear.listener.live_since == clock()
    ear.listener.stop(PATIENCE)
    assert ear.lives == [True, False]
    assert not ear.is_live()


def test_it_hears_hints_and_nothing_of_beats(ear: Ear, exchange: Exchange) -> None:
    ear.wait_for_lives(True)

    exchange.publish(wire.encode(Hint({"1": 2.0})))
    exchange.publish(wire.encode(Beat("another", 1)))
    exchange.publish(wire.encode(Hint(everyone=True)))

    ear.wait_for_hints(Hint({"1": 2.0}), Hint(everyone=True))


def test_beats_of_others_keep_nobody_alive(exchange: Exchange, clock: Monotonic, ear: Ear) -> None:
    ear.wait_for_lives(True)
    exchange.flows.clear()

    clock.advance(listening.LATE)
    exchange.publish(wire.encode(Beat("another", 10_000)))

    ear.wait_for_lives(True, False)


def test_a_silent_connection_is_noticed_within_the_time_of_a_beat(
    ear: Ear, exchange: Exchange, clock: Monotonic
) -> None:
    ear.wait_for_lives(True)
    exchange.flows.clear()  # no beat is published any more, and nothing says so

    clock.advance(listening.LATE - 0.1)
    assert ear.is_live()
    clock.advance(0.1)
    assert not ear.is_live()
    ear.wait_for_lives(True, False)


def test_a_beat_that_comes_back_late_counts_for_nothing(ear: Ear, exchange: Exchange, clock: Monotonic) -> None:
    ear.wait_for_lives(True)
    exchange.loses = True  # what is published arrives later, by the test's hand
    exchange.wait_for(lambda: len(exchange.published) > 3)
    late = exchange.published[-1]
    exchange.flows.clear()
    clock.advance(listening.LATE)
    ear.wait_for_lives(True, False)

    exchange.loses = False
    exchange.publish(late)
    exchange.publish(wire.encode(Hint({"behind it": 1.0})))
    exchange.wait_for(lambda: Hint({"behind it": 1.0}) in ear.heard)

    assert not ear.is_live()


def test_after_a_silence_it_is_live_since_the_beat_that_ended_it(
    ear: Ear, exchange: Exchange, clock: Monotonic
) -> None:
    ear.wait_for_lives(True)
    exchange.flows.clear()
    clock.advance(listening.LATE)
    ear.wait_for_lives(True, False)

    exchange.flows.set()

    ear.wait_for_lives(True, False, True)
    assert ear.listener.live_since == clock()


def test_a_beat_that_was_lost_may_have_been_lost_with_hints_so_everyone_is_told(ear: Ear, exchange: Exchange) -> None:
    ear.wait_for_lives(True)
    assert ear.heard == []

    exchange.loses = True
    lost = len(exchange.published) + 2
    exchange.wait_for(lambda: len(exchange.published) > lost)
    exchange.loses = False

    ear.wait_for_hints(Hint(spread=True, everyone=True))
    assert ear.is_live()


def test_a_lost_connection_is_no_longer_live_and_is_made_again(
    ear: Ear, exchange: Exchange, clock: Monotonic, caplog: pytest.LogCaptureFixture
) -> None:
    ear.wait_for_lives(True)
    clock.advance(1)

    with caplog.at_level(logging.INFO, "flask_notify"):
        exchange.cut()
        ear.wait_for_lives(True, False, True)

    assert ear.listener.live_since == clock()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_broker_that_is_away_at_the_beginning_is_tried_again(exchange: Exchange, clock: Monotonic) -> None:
    exchange.refuses = True
    ear = Ear(exchange, clock)
    ear.listener.start()
    exchange.wait_for(lambda: exchange.connected >= 3)
    assert ear.lives == []

    exchange.refuses = False

    ear.wait_for_lives(True)
    ear.listener.stop(PATIENCE)


def test_a_connection_that_brings_no_beats_is_made_again(ear: Ear, exchange: Exchange, clock: Monotonic) -> None:
    ear.wait_for_lives(True)
    exchange.loses = True
    made = exchange.connected

    clock.advance(13)

    exchange.wait_for(lambda: exchange.connected > made)
    exchange.loses = False
    ear.wait_for_lives(True, False, True)


def test_what_is_no_hint_is_dropped_with_one_warning(
    ear: Ear, exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    ear.wait_for_lives(True)

    for body in (b"hello", b"{}", b'{"cursors": 1}'):
        exchange.publish(body)
    exchange.publish(wire.encode(Hint({"1": 2.0})))
    ear.wait_for_hints(Hint({"1": 2.0}))

    assert len(caplog.records) == 1
    assert "5 bytes" in caplog.text
    assert "hello" not in caplog.text
