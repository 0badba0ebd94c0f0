"""Hints: to everyone who listens, and only to them; the same with every broker."""

from __future__ import annotations

import os

import pytest

from flask_notify.brokers import connect

from .parties import listening

pytestmark = pytest.mark.brokers("memory", "redis", "rabbitmq", "postgresql")


def test_a_hint_reaches_everyone_who_listens(broker_url: str) -> None:
    publisher = connect(broker_url)

    with listening(broker_url) as one, listening(broker_url) as other:
        publisher.publish(b"news")

        assert one.wait_for(1) == other.wait_for(1) == [b"news"]
    publisher.close()


def test_a_hint_is_heard_by_those_alone_who_listen_at_the_time(broker_url: str) -> None:
    publisher = connect(broker_url)
    publisher.publish(b"before")

    with listening(broker_url) as ear:
        publisher.publish(b"while")
        ear.wait_for(1)
    publisher.publish(b"after")
    with listening(broker_url) as late:
        publisher.publish(b"later")
        late.wait_for(1)

    assert (ear.heard, late.heard) == ([b"while"], [b"later"])
    publisher.close()


def test_hints_come_in_their_order(broker_url: str) -> None:
    publisher = connect(broker_url)
    hints = [str(number).encode() for number in range(300)]

    with listening(broker_url) as ear:
        for hint in hints:
            publisher.publish(hint)

        assert ear.wait_for(300) == hints
    publisher.close()


@pytest.mark.parametrize("size", [0, 1, 64 * 1024])
def test_a_hint_is_any_bytes_of_up_to_64_kib(broker_url: str, size: int) -> None:
    publisher = connect(broker_url)
    hint = os.urandom(size)

    with listening(broker_url) as ear:
        publisher.publish(hint)

        assert ear.wait_for(1) == [hint]
    publisher.close()


def test_one_who_has_stopped_can_listen_again(broker_url: str) -> None:
    publisher, listener = connect(broker_url), connect(broker_url)
    heard: list[bytes] = []

    listener.listen(heard.append, lambda: len(heard) == 1, lambda: publisher.publish(b"ready"))
    listener.listen(heard.append, lambda: len(heard) == 2, lambda: publisher.publish(b"again"))

    assert heard == [b"ready", b"again"]
    publisher.close()


def test_what_fails_in_the_listener_is_no_failure_of_the_broker(broker_url: str) -> None:
    publisher, listener = connect(broker_url), connect(broker_url)

    def fail(_hint: bytes) -> None:
        raise OSError("of our own")

    with pytest.raises(OSError, match="of our own"):
        listener.listen(fail, lambda: False, lambda: publisher.publish(b"ready"))

    publisher.close()


def test_a_broker_says_who_it_is(broker_url: str) -> None:
    broker = connect(broker_url)

    assert broker.probe().partition(" ")[0] in ("in", "Redis", "RabbitMQ", "PostgreSQL")
    broker.close()


def test_a_closed_broker_opens_again(broker_url: str) -> None:
    broker = connect(broker_url)
    broker.publish(b"one")
    broker.close()
    broker.close()

    with listening(broker_url) as ear:
        broker.publish(b"two")

        assert ear.wait_for(1) == [b"two"]
    broker.close()


def test_a_child_process_leaves_its_parents_connection_alone(broker_url: str) -> None:
    broker = connect(broker_url)
    broker.publish(b"opened")

    with listening(broker_url) as ear:
        child = os.fork()
        if child == 0:
            try:
                if not broker_url.startswith("memory:"):
                    broker.publish(b"of the child")
                broker.close()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        broker.publish(b"of the parent")

        ear.wait_for(1 if broker_url.startswith("memory:") else 2)
    assert set(ear.heard) | {b"of the child"} == {b"of the child", b"of the parent"}
    broker.close()
