"""Brokers that are not there, refuse, crash and hang: each call ends, says why, and the next one after it works."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import psycopg
import pytest

from flask_notify.brokers import Broker, BrokerUnavailable, connect
from flask_notify.brokers.base import WINDOW
from tests.servers import Database, RabbitMQ, Redis, Server, free_port

from .parties import SECONDS, Ear, Interrupted, a_queue, consume, letters, listening

CALLS: dict[str, Callable[[Broker], object]] = {
    "publish": lambda broker: broker.publish(b"news"),
    "listen": lambda broker: broker.listen(lambda _hint: None, lambda: False, lambda: None),
    "deliver": lambda broker: broker.deliver(letters(a_queue(), 1)),
    "probe": lambda broker: broker.probe(),
}
calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
NO_QUEUES = ("postgresql", "deliver")


@pytest.mark.parametrize(
    "scheme,name",
    [(scheme, name) for scheme in ("amqp", "redis", "postgresql") for name in CALLS if (scheme, name) != NO_QUEUES],
)
def test_a_broker_that_is_not_there_is_unavailable(scheme: str, name: str) -> None:
    broker = connect(f"{scheme}://somebody:secret@127.0.0.1:{free_port()}/1")

    with pytest.raises(BrokerUnavailable, match="refused") as error:
        CALLS[name](broker)

    assert re.search(rf"at {scheme}://somebody@127\.0\.0\.1:\d+/1 is unavailable: ", str(error.value))
    assert "secret" not in str(error.value)


@calls
@pytest.mark.brokers("redis", "rabbitmq")
def test_a_wrong_password_is_told_and_not_shown(broker_url: str, call: Callable[[Broker], object]) -> None:
    broker = connect(re.sub(r":[^:@]+@", ":not-this-one@", broker_url))

    with pytest.raises(BrokerUnavailable, match=r"(?i)password|refused") as error:
        call(broker)

    assert "not-this-one" not in str(error.value)


@pytest.mark.brokers("redis", "rabbitmq", "postgresql")
def test_after_a_crash_everything_works_again_and_letters_that_were_confirmed_are_there(
    broker_url: str, server: Server
) -> None:
    publisher, idle, listener = connect(broker_url), connect(broker_url), connect(broker_url)
    has_queues = not broker_url.startswith("postgresql")
    kept, many = letters(a_queue(), 3), letters(a_queue(), WINDOW + 200)
    publisher.publish(b"before")
    idle.publish(b"before")
    ear = Ear(listener)
    ear.start()

    if has_queues:
        publisher.deliver(kept)
        with pytest.raises(BrokerUnavailable):
            publisher.deliver(Interrupted(many, WINDOW, server.kill))
    else:
        server.kill()

    assert isinstance(ear.wait_for_loss(), BrokerUnavailable)
    with pytest.raises(BrokerUnavailable):
        publisher.publish(b"while it is away")
    server.start()
    with listening(broker_url) as other:
        again = Ear(listener)
        again.start()
        idle.publish(b"of one that has not noticed")
        publisher.publish(b"of one that has")
        assert again.wait_for(2) == other.wait_for(2) == [b"of one that has not noticed", b"of one that has"]
        again.stop()
    if has_queues:
        publisher.deliver(many)
        assert consume(broker_url, kept[0].queue) == [(letter.id, {"number": n}) for n, letter in enumerate(kept)]
        # Some twice, and each in its place when it came first.
        first_time = dict.fromkeys(name for name, _ in consume(broker_url, many[0].queue))
        assert list(first_time) == [letter.id for letter in many]
    for broker in (publisher, idle):
        broker.close()


@pytest.mark.brokers("redis", "rabbitmq")
def test_a_broker_that_hangs_ends_every_call_and_listening(broker_url: str, server: Server) -> None:
    fresh, used = connect(broker_url, timeout=0.5), connect(broker_url, timeout=0.5)
    until_it_works(lambda: used.publish(b"news"))
    until_it_works(lambda: used.deliver(letters(a_queue(), 1)))
    ear = until_it_works(lambda: hasty_ear(broker_url))

    server.pause()

    for call in CALLS.values():
        for broker in (fresh, used):
            with pytest.raises(BrokerUnavailable):
                call(broker)
    assert isinstance(ear.wait_for_loss(), BrokerUnavailable)
    server.resume()
    for broker in (fresh, used):
        until_it_works(partial(broker.publish, b"news"))
        broker.close()


_Result = TypeVar("_Result")


def until_it_works(call: Callable[[], _Result]) -> _Result:
    """Do what a broker that is there may have too little time for, on a machine that does other things."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            return call()
        except BrokerUnavailable:
            if time.monotonic() > end:
                raise


def hasty_ear(url: str) -> Ear:
    ear = Ear(connect(url, timeout=0.5))
    ear.start()
    return ear


@contextmanager
def backends_paused(database: Database) -> Iterator[None]:
    """Let the server's processes for our connections hang."""
    url = database.url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'flask-notify'")
        pids = [pid for (pid,) in found]
        try:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
def test_a_database_that_hangs_ends_every_call_and_listening(postgresql_database: Database) -> None:
    broker = connect(postgresql_database.url, timeout=0.5)
    until_it_works(lambda: broker.publish(b"news"))
    ear = until_it_works(lambda: hasty_ear(postgresql_database.url))

    with backends_paused(postgresql_database):
        with pytest.raises(BrokerUnavailable, match=r"has not answered for 0\.5 s"):
            broker.publish(b"news")
        assert isinstance(ear.wait_for_loss(), BrokerUnavailable)

    until_it_works(lambda: broker.publish(b"news"))
    broker.close()


def test_connections_that_an_administrator_closes_are_opened_again(rabbitmq: RabbitMQ) -> None:
    idle, listener = connect(rabbitmq.url), connect(rabbitmq.url)
    idle.publish(b"news")
    ear = Ear(listener)
    ear.start()

    rabbitmq.control("close_all_connections", "for-a-test")

    assert "for-a-test" in str(ear.wait_for_loss())
    with listening(rabbitmq.url) as again:
        idle.publish(b"more")
        assert again.wait_for(1) == [b"more"]
    idle.close()


def test_a_server_that_takes_nothing_has_its_reason_told(rabbitmq: RabbitMQ) -> None:
    broker = connect(rabbitmq.url, timeout=3)
    until_it_works(lambda: broker.publish(b"news"))

    with rabbitmq.out_of_memory(), pytest.raises(BrokerUnavailable, match="want of memory or disk space"):
        broker.deliver(letters(a_queue(), 1))

    until_it_works(lambda: broker.deliver(letters(a_queue(), 1)))
    broker.close()


def test_redis_without_memory_has_its_reason_told_and_the_letter_is_not(redis: Redis) -> None:
    broker = connect(redis.url)
    redis.ask("CONFIG SET maxmemory 1")
    try:
        with pytest.raises(BrokerUnavailable, match="maxmemory") as error:
            broker.deliver(letters(a_queue(), 1))
    finally:
        redis.ask("CONFIG SET maxmemory 0")

    assert "number" not in str(error.value)
    broker.close()


def test_who_does_not_take_hints_loses_the_oldest_and_costs_the_broker_little(rabbitmq: RabbitMQ) -> None:
    publisher = connect(rabbitmq.url)
    awake = threading.Event()
    hints = [str(number).encode() * 8_000 for number in range(10, 1_200)]

    def sleep(_hint: bytes) -> None:
        awake.wait()

    with listening(rabbitmq.url, sleep) as ear:
        for hint in hints:
            publisher.publish(hint)
        awake.set()
        publisher.publish(b"the last")
        while ear.heard[-1:] != [b"the last"]:
            ear.wait_for(len(ear.heard) + 1)

    assert ear.heard[0] == hints[0]
    assert len(ear.heard) < len(hints)
    publisher.close()
