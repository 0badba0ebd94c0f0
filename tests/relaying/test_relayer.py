"""What waits is delivered at least once, one recipient's messages in order, whatever happens (rows G4 and G5)."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from flask_notify.brokers.base import BrokerUnavailable, Letter, LetterRefused
from flask_notify.relaying import relayer, waiting
from tests.apps import Site
from tests.relaying.conftest import SETTINGS, envelopes, said
from tests.relaying.desk import Desk, away, relay, relayer_of


def say(site: Site, key: Any, *texts: str) -> None:
    """Send messages, each in a transaction of its own."""
    with site.app.app_context():
        for text in texts:
            site.notify.send(text, to=site.user(key))
            site.db.session.commit()


def test_messages_go_to_the_queues_of_their_recipients_and_wait_no_more(site: Site, susan: Any) -> None:
    other, desk = site.add_user("other"), Desk()
    say(site, susan, "one", "two")
    say(site, other, "three")
    waited = envelopes(site)

    assert relay(site, desk) == 3

    assert (desk.texts(susan), desk.texts(other)) == (["one", "two"], ["three"])
    letters = [letter for queue in desk.queues.values() for letter in queue]
    assert [json.loads(letter.body) for letter in letters] == waited
    assert [letter.id for letter in letters] == [envelope["id"] for envelope in waited]
    assert {letter.expires_in for letter in letters} == {7 * 24 * 3600}
    assert envelopes(site) == []
    assert relay(site, desk) == 0


@pytest.mark.databases("sqlite")
def test_the_queues_names_and_the_expiry_are_settings(build: Callable[..., Site]) -> None:
    site = build(key="uuid", **SETTINGS, NOTIFY_RELAY_QUEUE_PREFIX="mine.", NOTIFY_RELAY_EXPIRY=60)
    key, desk = site.add_user("susan"), Desk()
    say(site, key, "one")

    relay(site, desk)

    ((queue, (letter,)),) = desk.queues.items()
    assert (queue, letter.expires_in) == (f"mine.{key}", 60)


@pytest.mark.databases("sqlite")
def test_no_connection_is_made_while_nothing_waits(site: Site, susan: Any) -> None:
    desk = Desk()
    with site.app.app_context():
        one = relayer_of(site, desk)
        assert one.run(lambda: False) is None
        assert desk.connections == 0
        for number in range(3):
            say(site, susan, f"m{number}")
            assert one.run(lambda: False) == "relayed 1 message"
        one.close()

    assert (desk.connections, desk.closed) == (1, 1)


def test_no_transaction_is_open_while_the_broker_is_waited_for(
    site: Site, susan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "BATCH", 2)
    say(site, susan, *(f"m{number}" for number in range(5)))
    desk = Desk()
    in_use: list[tuple[int, int]] = []
    with site.app.app_context():
        pool: Any = site.db.engine.pool
        site.db.session.remove()
    desk.before = lambda letters: in_use.append((len(letters), pool.checkedout()))

    relay(site, desk)

    assert in_use == [(2, 0), (2, 0), (1, 0)]
    assert desk.texts(susan) == [f"m{number}" for number in range(5)]


def test_while_the_broker_is_away_messages_wait_and_then_come_in_order(site: Site, susan: Any) -> None:
    desk = Desk()
    desk.before = away
    for number in range(3):
        say(site, susan, f"m{number}")
        with pytest.raises(BrokerUnavailable):
            relay(site, desk)
    assert said(site) == ["m0", "m1", "m2"]

    desk.before = lambda _letters: None
    relay(site, desk)

    assert desk.texts(susan) == ["m0", "m1", "m2"]


def test_what_a_broker_took_before_it_went_away_is_repeated_with_the_same_id(site: Site, susan: Any) -> None:
    desk = Desk()
    desk.after = away  # it has them, and its word is lost
    say(site, susan, "one", "two")
    with pytest.raises(BrokerUnavailable):
        relay(site, desk)

    desk.after = lambda _letters: None
    relay(site, desk)

    assert desk.texts(susan) == ["one", "two", "one", "two"]
    assert desk.first_texts(susan) == ["one", "two"]
    assert envelopes(site) == []


def test_what_was_confirmed_is_not_repeated_when_the_database_failed_to_note_it(site: Site, susan: Any) -> None:
    say(site, susan, "one")
    desk, failures = Desk(), ["the disk is full"]
    with site.app.app_context():
        one = relayer_of(site, desk)

        @event.listens_for(site.db.engine, "before_cursor_execute")
        def fail(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith("DELETE") and failures:
                raise OSError(failures.pop())

        with pytest.raises(OSError, match="the disk is full"):
            list(one.relay())
        assert said(site) == ["one"]
        say(site, susan, "two")

        list(one.relay())

    assert desk.texts(susan) == ["one", "two"]
    assert envelopes(site) == []


@pytest.mark.databases("sqlite")
def test_it_stops_after_the_batch_in_hand(site: Site, susan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "BATCH", 2)
    say(site, susan, *(f"m{number}" for number in range(5)))
    desk = Desk()
    with site.app.app_context():
        assert sum(relayer_of(site, desk).relay(lambda: bool(desk.queues))) == 2

    assert desk.texts(susan) == ["m0", "m1"]
    assert said(site) == ["m2", "m3", "m4"]


@pytest.mark.databases("sqlite")
def test_a_queue_that_is_refused_holds_up_nobody_else(
    site: Site, susan: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "BATCH", 2)
    other, desk = site.add_user("other"), Desk()
    for number in range(3):
        say(site, susan, f"m{number}")
        say(site, other, f"m{number}")
    theirs = f"_notifs_{susan}"

    def refuse(letters: Sequence[Letter]) -> None:
        if any(letter.queue == theirs for letter in letters):
            raise LetterRefused("it is declared otherwise", queue=theirs)

    desk.before = refuse
    with site.app.app_context():
        one = relayer_of(site, desk)
        assert sum(one.relay()) == 3
        assert sum(one.relay()) == 0
    assert desk.texts(other) == ["m0", "m1", "m2"]
    told = f"The messages of recipient {susan} are not relayed for now: it is declared otherwise"
    assert [record.getMessage() for record in caplog.records] == [told]

    desk.before = lambda _letters: None
    monkeypatch.setattr(relayer, "REFUSED_FOR", 0.0)
    relay(site, desk)
    assert desk.texts(susan) == ["m0", "m1", "m2"]


@pytest.mark.databases("sqlite")
def test_a_broker_that_is_away_is_logged_once_and_tried_ever_more_seldom(
    site: Site, susan: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    desk, attempts = Desk(), []

    def fail(letters: Sequence[Letter]) -> None:
        attempts.append(clock[0])
        away(letters)

    desk.before = fail
    say(site, susan, "one")
    with site.app.app_context(), caplog.at_level(logging.INFO, "flask_notify"):
        one = relayer_of(site, desk)
        for _ in range(3_600):  # an hour, second by second
            assert one.run(lambda: False) is None
            clock[0] += 1
        desk.before = lambda _letters: None
        clock[0] += 60
        assert one.run(lambda: False) == "relayed 1 message"

    pauses = [after - before for before, after in pairwise(attempts)]
    assert pauses[0] <= 2
    assert 30 <= min(pauses[6:]) <= max(pauses) <= 61
    assert len(set(pauses[6:])) > 1  # not all alike
    assert [record.getMessage() for record in caplog.records] == [
        "Messages wait for the broker, and are relayed when it is back: connection refused",
        "The broker is back after 3660 s; messages are relayed",
    ]


@pytest.mark.databases("sqlite")
def test_a_connection_that_nobody_needs_is_given_up(
    site: Site, susan: Any, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    clock, desk = [1_000.0], Desk()
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    one = relayer_of(site, desk)
    say(site, susan, "one")
    one.run(lambda: False)
    clock[0] += relayer.IDLE - 1
    one.run(lambda: False)
    assert desk.closed == 0

    clock[0] += 2
    one.run(lambda: False)

    assert desk.closed == 1
    assert session.is_active
