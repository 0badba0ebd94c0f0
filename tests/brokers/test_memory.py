"""The broker in memory, as applications' tests use it: looked into, and cut off."""

from __future__ import annotations

import gc
import threading
import uuid

import pytest

from flask_notify.brokers import BrokerUnavailable, connect
from flask_notify.brokers.memory import hub

from .parties import Ear, a_queue, letters, listening


@pytest.fixture
def url() -> str:
    """The address of a broker that nobody else has."""
    return f"memory://{uuid.uuid4()}"


def test_a_broker_that_is_cut_off_is_unavailable_until_it_comes_back(url: str) -> None:
    broker, ear = connect(url), Ear(connect(url))
    kept = letters(a_queue(), 2)
    broker.deliver(kept)
    ear.start()

    hub(url).cut_off()

    assert isinstance(ear.wait_for_loss(), BrokerUnavailable)
    for call in (lambda: broker.publish(b""), broker.probe, lambda: broker.deliver(kept), lambda: Ear(broker).start()):
        with pytest.raises(BrokerUnavailable, match="cut off"):
            call()
    hub(url).come_back()
    with listening(url) as again:
        broker.publish(b"news")
        assert again.wait_for(1) == [b"news"]
    assert hub(url).letters(kept[0].queue) == kept


def test_letters_are_looked_at_and_taken(url: str) -> None:
    broker, queue = connect(url), a_queue()
    kept = letters(queue, 2)
    broker.deliver(kept)

    assert (hub(url).letters(queue), hub(url).take(queue), hub(url).letters(queue)) == (kept, kept, [])


def test_who_does_not_take_hints_loses_the_oldest(url: str) -> None:
    broker, asleep, awake = connect(url), threading.Event(), threading.Event()

    def sleep(_hint: bytes) -> None:
        asleep.set()
        awake.wait()

    with listening(url, sleep) as ear:
        broker.publish(b"first")
        asleep.wait()
        for number in range(1_500):
            broker.publish(str(number).encode())
        awake.set()
        ear.wait_for(1_001)

    assert ear.heard == [b"first", *(str(number).encode() for number in range(500, 1_500))]


def test_brokers_of_two_names_do_not_meet(url: str) -> None:
    with listening(url) as ear, listening(url + "-other") as other:
        connect(url).publish(b"news")
        connect(url + "-other").publish(b"other news")

        assert (ear.wait_for(1), other.wait_for(1)) == ([b"news"], [b"other news"])


def test_what_nobody_holds_is_forgotten(url: str) -> None:
    queue = a_queue()
    connect(url).deliver(letters(queue, 1))
    gc.collect()

    assert hub(url).letters(queue) == []
