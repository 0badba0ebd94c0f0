"""Letters: durable, in order, confirmed, and gone after their time; the same with every broker that has queues."""

from __future__ import annotations

import time
from collections.abc import Callable

import kombu
import pytest

from flask_notify.brokers import BrokerUnavailable, LetterRefused, connect
from flask_notify.brokers.base import WINDOW
from flask_notify.errors import ConfigurationError
from tests.servers import RabbitMQ, Redis

from .parties import Interrupted, a_queue, consume, letters


def test_letters_wait_in_their_queues_in_their_order(broker_url: str) -> None:
    broker = connect(broker_url)
    one, other = letters(a_queue(), 5), letters(a_queue(), 5)

    broker.deliver([letter for pair in zip(one, other, strict=True) for letter in pair])
    broker.deliver([])
    later = letters(one[0].queue, 1, first=5)
    broker.deliver(later)

    assert consume(broker_url, one[0].queue) == [(letter.id, {"number": n}) for n, letter in enumerate(one + later)]
    assert consume(broker_url, other[0].queue) == [(letter.id, {"number": n}) for n, letter in enumerate(other)]
    broker.close()


def test_more_letters_than_may_be_under_way_at_a_time_come_in_their_order(broker_url: str) -> None:
    broker = connect(broker_url)
    many = letters(a_queue(), WINDOW + 200)

    broker.deliver(many)

    assert [name for name, _ in consume(broker_url, many[0].queue)] == [letter.id for letter in many]
    broker.close()


def test_a_letter_for_nobody_is_gone_after_its_time(broker_url: str) -> None:
    broker = connect(broker_url)
    (brief,), (lasting,) = letters(a_queue(), 1, expires_in=0.05), letters(a_queue(), 1)

    broker.deliver([brief, lasting])

    time.sleep(0.3)
    assert consume(broker_url, brief.queue) == []
    assert consume(broker_url, lasting.queue) == [(lasting.id, {"number": 0})]
    broker.close()


@pytest.mark.brokers("redis", "rabbitmq")
def test_a_letter_may_be_kept_for_years(broker_url: str) -> None:
    broker = connect(broker_url)
    (letter,) = letters(a_queue(), 1, expires_in=10 * 365 * 86400)

    broker.deliver([letter])

    assert consume(broker_url, letter.queue) == [(letter.id, {"number": 0})]
    broker.close()


def test_what_redis_keeps_lives_as_long_as_its_newest_letter(redis: Redis) -> None:
    broker = connect(redis.url)
    queue = a_queue()
    broker.deliver(letters(queue, 1, expires_in=600))

    broker.deliver(letters(queue, 1, expires_in=3600, first=1))

    assert 3000 < int(redis.ask(f"TTL {queue}").lstrip(b":")) <= 3600
    assert [body["number"] for _, body in consume(redis.url, queue)] == [0, 1]
    broker.close()


def test_a_queue_is_declared_as_others_declare_theirs(rabbitmq: RabbitMQ) -> None:
    """As OIOIOI's server does: durable, with no further arguments."""
    theirs_first, ours_first = a_queue(), a_queue()
    broker = connect(rabbitmq.url)

    with kombu.Connection(rabbitmq.url) as connection:
        channel = connection.channel()
        channel.queue_declare(theirs_first, durable=True, auto_delete=False)
        broker.deliver(letters(theirs_first, 1) + letters(ours_first, 1))
        # A difference would be answered by PRECONDITION_FAILED.
        channel.queue_declare(ours_first, durable=True, auto_delete=False)
        message = channel.basic_get(ours_first, no_ack=True)

    assert message.body in (b'{"number": 0}', '{"number": 0}')
    assert (message.properties["delivery_mode"], message.properties["content_type"]) == (2, "application/json")
    assert message.properties["expiration"] == "3600000"
    assert [body for _, body in consume(rabbitmq.url, theirs_first)] == [{"number": 0}]
    broker.close()


def transient_queue(rabbitmq: RabbitMQ, name: str) -> None:
    with kombu.Connection(rabbitmq.url) as connection:
        connection.channel().queue_declare(name, durable=True, auto_delete=False, arguments={"x-max-length": 1})


def hash_of_redis(redis: Redis, name: str) -> None:
    with kombu.Connection(redis.url) as connection:
        connection.default_channel.client.hset(name, "field", "value")


@pytest.mark.parametrize(
    "server, take",
    [
        pytest.param("rabbitmq", transient_queue, marks=[pytest.mark.slow, pytest.mark.xdist_group("rabbitmq")]),
        ("redis", hash_of_redis),
    ],
)
def test_a_queue_of_another_kind_is_named_and_holds_up_no_other(
    request: pytest.FixtureRequest, server: str, take: Callable[[RabbitMQ | Redis, str], None]
) -> None:
    running: RabbitMQ | Redis = request.getfixturevalue(server)
    theirs, ours = a_queue(), letters(a_queue(), 3)
    take(running, theirs)
    broker = connect(running.url)

    with pytest.raises(LetterRefused) as refused:
        broker.deliver([*ours, *letters(theirs, 1)])

    assert refused.value.queue == theirs
    assert "number" not in str(refused.value)
    broker.deliver(ours)
    assert {name for name, _ in consume(running.url, ours[0].queue)} == {letter.id for letter in ours}
    broker.close()


def test_a_queue_that_is_full_by_policy_is_named_and_holds_up_no_other(rabbitmq: RabbitMQ) -> None:
    full, ours = letters(a_queue(), 3), letters(a_queue(), 3)
    rabbitmq.control("set_policy", "full", f"^{full[0].queue}$", '{"max-length": 1, "overflow": "reject-publish"}')
    broker = connect(rabbitmq.url)

    with pytest.raises(LetterRefused, match="by its policy") as refused:
        broker.deliver([*ours, *full])

    assert refused.value.queue == full[0].queue
    broker.deliver(ours)
    assert {name for name, _ in consume(rabbitmq.url, ours[0].queue)} == {letter.id for letter in ours}
    broker.close()


def test_a_name_that_is_too_long_is_refused_before_anything_is_sent(rabbitmq: RabbitMQ) -> None:
    broker = connect(rabbitmq.url)
    short = letters(a_queue(), 1)

    with pytest.raises(LetterRefused, match="at most 255 bytes"):
        broker.deliver([*short, *letters("ä" * 128, 1)])

    assert consume(rabbitmq.url, short[0].queue) == []
    broker.close()


def test_letters_for_a_queue_that_was_deleted_in_between_are_not_taken_for_delivered(rabbitmq: RabbitMQ) -> None:
    broker = connect(rabbitmq.url)
    many = letters(a_queue(), WINDOW + 3)

    def delete() -> None:
        with kombu.Connection(rabbitmq.url) as connection:
            connection.channel().queue_delete(many[0].queue)

    with pytest.raises(BrokerUnavailable, match="not confirmed 3 of 3"):
        broker.deliver(Interrupted(many, WINDOW, delete))

    broker.deliver(many)
    assert len(consume(rabbitmq.url, many[0].queue)) == len(many)
    broker.close()


def test_postgresql_has_no_queues() -> None:
    with pytest.raises(ConfigurationError, match="set NOTIFY_BROKER_URL to a RabbitMQ or a Redis"):
        connect("postgresql://127.0.0.1/nobody").deliver(letters(a_queue(), 1))
