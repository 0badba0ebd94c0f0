"""With real brokers, which are killed, and relayers, which are killed, too (rows G4 and G5)."""

from __future__ import annotations

import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import kombu
import pytest

from flask_notify.brokers import BrokerUnavailable
from flask_notify.relaying import relayer, waiting
from flask_notify.relaying.relayer import Relayer
from tests.apps import Site
from tests.concurrency.messages import PATIENT, Together
from tests.processes import start
from tests.relaying.conftest import SETTINGS, envelopes, said
from tests.relaying.dying import relay_and_die
from tests.scheduling.process import Process, flask
from tests.servers import Database, RabbitMQ, Redis

PATIENCE = 60
CONSUMER = Path(__file__).parents[2] / "docs" / "code" / "consumer.py"


def settings(url: str) -> dict[str, Any]:
    """Return the settings of an application whose queues nobody else has."""
    return {**SETTINGS, "NOTIFY_BROKER_URL": url, "NOTIFY_RELAY_QUEUE_PREFIX": f"{uuid.uuid4()}_"}


def queue_of(site: Site, key: Any) -> str:
    return f"{site.app.config['NOTIFY_RELAY_QUEUE_PREFIX']}{key}"


def options_of(database: Database) -> dict[str, Any]:
    return PATIENT if database.name.startswith("sqlite") else {"pool_size": 20}


class Consumer:
    """Takes what comes for some recipients, and knows what came before by its id.

    :ivar texts: by recipient, what came for the first time, in its order.
    """

    def __init__(self, site: Site, url: str, keys: list[Any]) -> None:
        self.site, self.url = site, url
        self.texts: dict[Any, list[str]] = {key: [] for key in keys}
        self.repeated = 0
        self._known: dict[str, Any] = {}

    def take(self, most: int | None = None) -> None:
        """Take all that is there, or so many for each recipient at most, as OIOIOI's server does."""
        with kombu.Connection(self.url) as connection, connection.channel() as channel:
            for key, texts in self.texts.items():
                queue = kombu.Queue(queue_of(self.site, key), durable=True)(channel)
                queue.queue_declare()
                for _ in range(most or sys.maxsize):
                    message = queue.get(no_ack=True)
                    if message is None:
                        break
                    self._note(texts, message.properties["message_id"], message.payload)

    def _note(self, texts: list[str], number: str, envelope: dict[str, Any]) -> None:
        assert number == envelope["id"]
        assert self._known.setdefault(number, envelope) == envelope
        if self._known[number] is envelope:
            texts.append(envelope["message"])
        else:
            self.repeated += 1


def waits(site: Site) -> int:
    """Return how many messages wait."""
    with site.app.app_context(), site.db.engine.connect() as connection:
        return waiting.backlog(connection, site.notify.models).messages


@contextmanager
def relaying(site: Site) -> Iterator[None]:
    """Relay in a thread, as the job does, until all that waits is gone."""
    done = Event()

    def keep_relaying() -> None:
        with site.app.app_context():
            one = Relayer.of(site.notify.models, site.app.extensions["notify"].settings)
            while not done.is_set() or waits(site):
                one.run(lambda: False)
                done.wait(0.01)
            one.close()

    with ThreadPoolExecutor(1) as pool:
        at_work = pool.submit(keep_relaying)
        try:
            yield
        finally:
            done.set()
        at_work.result(PATIENCE)


@pytest.mark.slow
@pytest.mark.databases("postgresql")
@pytest.mark.brokers("redis", "rabbitmq")
def test_a_broker_that_is_killed_in_the_middle_of_10000_emits_gets_each_message_in_order(
    build: Callable[..., Site],
    database: Database,
    broker_url: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relayer, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(relayer, "LONGEST_PAUSE", 1.0)
    monkeypatch.setattr(waiting, "BATCH", 500)
    server: Redis | RabbitMQ = request.getfixturevalue(request.node.callspec.params["broker_url"])
    site = build(**settings(broker_url), SQLALCHEMY_ENGINE_OPTIONS=options_of(database))
    emitters, commits, together = 4, 25, 10
    keys = [site.add_user(f"user {number}") for number in range(10)]
    consumer = Consumer(site, broker_url, keys)
    emitted, more = [0], threading.Condition()
    gates = {10: Event(), 18: Event()}
    """Before which commit everybody waits for what."""

    def emit(number: int, meet: Callable[[], None]) -> None:
        meet()
        for commit in range(commits):
            assert commit not in gates or gates[commit].wait(PATIENCE)
            for turn in range(together):
                site.notify.send(f"{number}:{commit}:{turn}", to=[site.user(key) for key in keys])
            site.db.session.commit()
            with more:
                emitted[0] += together * len(keys)
                more.notify_all()

    def wait_for(count: int) -> None:
        with more:
            assert more.wait_for(lambda: emitted[0] >= count, PATIENCE)

    with relaying(site), ThreadPoolExecutor(1) as pool:
        emitting = pool.submit(Together(site, emitters).run, emit)
        wait_for(4_000)
        consumer.take(most=20)
        gates[10].set()
        wait_for(5_000)
        server.kill()
        gates[18].set()
        emitting.result(PATIENCE)  # nobody is held up by it
        assert waits(site) > 1_000
        server.start()
    consumer.take()

    for key in keys:
        assert len(consumer.texts[key]) == emitters * commits * together
        for number in range(emitters):
            mine = [text for text in consumer.texts[key] if text.startswith(f"{number}:")]
            assert mine == [f"{number}:{commit}:{turn}" for commit in range(commits) for turn in range(together)]
    with site.app.app_context():
        for key in keys:
            stored = sorted(site.user(key).messages_received, key=lambda message: message.cursor)
            assert consumer.texts[key] == [message.subject for message in stored]
    assert envelopes(site) == []


@pytest.mark.slow
@pytest.mark.databases("sqlite-wal", "postgresql", "mariadb")
@pytest.mark.brokers("redis")
def test_a_relayer_that_is_killed_after_the_broker_has_confirmed_repeats_with_the_same_ids(
    build: Callable[..., Site], database: Database, broker_url: str
) -> None:
    own = settings(broker_url)
    site = build(**own)
    key = site.add_user("susan")
    consumer = Consumer(site, broker_url, [key])
    with site.app.app_context():
        for number in range(5):
            site.notify.send(f"m{number}", to=site.user(key))
            site.db.session.commit()

    process = start(relay_and_die, database.url, own)
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    assert said(site) == ["m0", "m1", "m2", "m3", "m4"]
    with relaying(site):
        pass
    consumer.take()

    assert consumer.texts[key] == ["m0", "m1", "m2", "m3", "m4"]
    assert consumer.repeated == 5
    assert envelopes(site) == []


@pytest.mark.slow
@pytest.mark.databases("sqlite-wal")
def test_the_scheduler_relays_and_catches_up_when_the_broker_is_back(
    build: Callable[..., Site], database: Database, redis: Redis
) -> None:
    own = settings(redis.url)
    site = build(**own)
    key = site.add_user("susan")
    consumer = Consumer(site, redis.url, [key])
    process = Process(flask("notify", "run"), database.url, own, forked=True)
    try:
        say(site, key, "one")
        process.wait_for("relay: relayed 1 message")
        redis.stop()
        say(site, key, "two")
        process.wait_for("Messages wait for the broker, and are relayed when it is back")
        say(site, key, "three")
        redis.start()
        process.wait_for("The broker is back after")
        process.wait_for("relay: relayed 2 messages")
        process.terminate()
        assert process.wait() == 0
    finally:
        process.end()
    consumer.take()

    assert consumer.texts[key] == ["one", "two", "three"]
    assert not [line for line in process.lines if redis.password in line or "Traceback" in line]


@pytest.mark.slow
@pytest.mark.databases("sqlite")
@pytest.mark.brokers("redis", "rabbitmq")
def test_the_consumer_of_the_documentation_shows_what_comes(build: Callable[..., Site], broker_url: str) -> None:
    site = build(key="uuid", **{**SETTINGS, "NOTIFY_BROKER_URL": broker_url})
    site.notify.on_log("judged")(lambda record: None)  # noqa: ARG005
    key = site.add_user("susan")
    consumer = Process((sys.executable, str(CONSUMER), broker_url, str(key)), "", {})
    try:
        with site.app.app_context(), relaying(site):
            site.notify.send("100% done", to=site.user(key))
            site.notify.send_notification(
                site.user(key), "judged", "%(points)s points", {"points": 40}, address="/submissions/7"
            )
            site.db.session.commit()
        consumer.wait_for("40 points")
    finally:
        consumer.end()

    assert consumer.lines == ["100% done", "40 points https://example.org/submissions/7"]


def say(site: Site, key: Any, text: str) -> None:
    with site.app.app_context():
        site.notify.send(text, to=site.user(key))
        site.db.session.commit()


@pytest.mark.databases("sqlite")
def test_whoever_emits_opens_no_socket_and_a_broker_that_hangs_holds_up_nobody(
    build: Callable[..., Site], redis: Redis
) -> None:
    site = build(**settings(redis.url))
    key = site.add_user("susan")
    connecting: list[int] = []
    watched = [True]

    def note(happening: str, _arguments: Any) -> None:
        if watched and happening == "socket.connect":
            connecting.append(threading.get_ident())

    sys.addaudithook(note)  # for good: nobody can take it back
    redis.pause()
    try:
        for number in range(3):
            say(site, key, f"m{number}")
    finally:
        watched.clear()
        redis.resume()

    assert threading.get_ident() not in connecting
    assert said(site) == ["m0", "m1", "m2"]


@pytest.mark.databases("sqlite")
def test_a_broker_that_refuses_the_password_is_named_without_it(
    build: Callable[..., Site], redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    site = build(**settings(redis.url.replace(redis.password, "wrong")))
    say(site, site.add_user("susan"), "one")

    with site.app.app_context():
        one = Relayer.of(site.notify.models, site.app.extensions["notify"].settings)
        assert one.run(lambda: False) is None
        with pytest.raises(BrokerUnavailable):
            list(one.relay())

    (record,) = (record for record in caplog.records if record.module == "relayer")
    assert f"127.0.0.1:{redis.port}" in record.getMessage()
    assert "wrong" not in record.getMessage()
    assert said(site) == ["one"]
