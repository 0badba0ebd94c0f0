"""Real brokers that hang, die and return: whoever commits is not slowed, and opens no connection."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from flask_notify import brokers
from flask_notify.hints.listener import Listener
from flask_notify.hints.process import Hints
from flask_notify.hints.wire import Hint
from tests.apps import Site
from tests.scheduling.process import Process
from tests.servers import Database, RabbitMQ, Redis

Build = Callable[..., Site]
Server = Redis | RabbitMQ
SECONDS = 90.0
BROADCAST = (sys.executable, "-m", "flask", "--app", "tests.hints.served:create_app", "notify", "broadcast", "a", "1")


class Ear:
    """A listener, and what it has heard and how it was."""

    def __init__(self, url: str, late: float = SECONDS, timeout: float = brokers.base.TIMEOUT) -> None:
        self.heard: list[Hint] = []
        self.lives: list[bool] = []
        self._changed = threading.Condition()
        connect = partial(brokers.connect, url, timeout=timeout)
        self.listener = Listener(connect, self._hear, self._change, beat=0.1, late=late)

    def _hear(self, hint: Hint) -> None:
        with self._changed:
            self.heard.append(hint)
            self._changed.notify_all()

    def _change(self, live: bool) -> None:
        with self._changed:
            self.lives.append(live)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so."""
        with self._changed:
            assert self._changed.wait_for(condition, SECONDS), (self.lives, self.heard)


@pytest.fixture(
    params=["redis", pytest.param("rabbitmq", marks=[pytest.mark.slow, pytest.mark.xdist_group("rabbitmq")])]
)
def server(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
def listen(server: Server) -> Iterator[Callable[..., Ear]]:
    """Listen until the end of the test; options as for :class:`Ear`."""
    ears: list[Ear] = []

    def listen_one(**options: float) -> Ear:
        ear = Ear(server.url, **options)
        ears.append(ear)
        ear.listener.start()
        ear.wait_for(lambda: ear.lives[-1:] == [True])
        return ear

    yield listen_one
    server.resume()
    for ear in ears:
        ear.listener.stop(SECONDS)


@pytest.fixture
def ear(listen: Callable[..., Ear]) -> Ear:
    return listen()


@pytest.fixture
def site(build: Build, server: Server) -> Iterator[Site]:
    site = build(NOTIFY_BROKER_URL=server.url)
    yield site
    hints: Hints = site.app.extensions["notify"].carrier
    server.resume()
    hints.stop(SECONDS)


_connected_in: list[int] = []
_watches = False


def _watch(event: str, _: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        _connected_in.append(threading.get_ident())


@pytest.fixture
def connected_in() -> list[int]:
    """The threads that have connected a socket to anything, since the test began."""
    global _watches  # noqa: PLW0603  # a hook of the interpreter's stays
    if not _watches:
        sys.addaudithook(_watch)
        _watches = True
    _connected_in.clear()
    return _connected_in


@pytest.mark.databases("sqlite")
def test_whoever_commits_opens_no_connection_to_the_broker(site: Site, ear: Ear, connected_in: list[int]) -> None:
    key = site.add_user("susan")

    cursor = site.emit(key, "a", 1)

    ear.wait_for(lambda: Hint({str(key): cursor}) in ear.heard)
    assert threading.get_ident() not in connected_in
    assert len(set(connected_in) - {thread.ident for thread in ear.listener._threads}) == 1


@pytest.mark.databases("sqlite")
def test_a_broker_that_hangs_slows_no_commit(site: Site, server: Server, ear: Ear) -> None:
    key = site.add_user("susan")
    site.emit(key, "a", 0)
    ear.wait_for(lambda: bool(ear.heard))
    server.pause()

    began = time.monotonic()
    for value in range(1, 51):
        newest = site.emit(key, "a", value)
    took = time.monotonic() - began

    # Each of the fifty would wait for as long as the broker is silent.
    assert took < 10 * brokers.base.TIMEOUT
    server.resume()
    ear.wait_for(lambda: ear.heard[-1].everyone or ear.heard[-1].cursors.get(str(key)) == newest)


@pytest.mark.slow
@pytest.mark.databases("sqlite")
def test_a_command_that_ends_tells_before_it_does(build: Build, redis: Redis, database: Database) -> None:
    key = build().add_user("susan")
    ear = Ear(redis.url)
    ear.listener.start()
    ear.wait_for(lambda: ear.lives[-1:] == [True])

    process = Process(BROADCAST, database.url, {"NOTIFY_BROKER_URL": redis.url})

    assert process.wait() == 0, process.lines
    ear.wait_for(lambda: str(key) in ear.heard[-1].cursors if ear.heard else False)
    process.end()
    ear.listener.stop(SECONDS)


@pytest.mark.slow
@pytest.mark.databases("sqlite")
def test_a_command_ends_although_the_broker_hangs(build: Build, redis: Redis, database: Database) -> None:
    build().add_user("susan")
    redis.pause()

    process = Process(BROADCAST, database.url, {"NOTIFY_BROKER_URL": redis.url})

    assert process.wait() == 0, process.lines
    process.end()


@pytest.mark.slow
def test_a_broker_that_falls_silent_is_noticed_in_the_time_of_a_beat(
    server: Server, listen: Callable[..., Ear]
) -> None:
    ear = listen(late=0.5, timeout=10 * SECONDS)  # so that the broker's library does not notice it
    server.pause()

    ear.wait_for(lambda: ear.lives[-1:] == [False])

    server.resume()
    ear.wait_for(lambda: ear.lives[-1:] == [True])


@pytest.mark.slow
@pytest.mark.parametrize("server", ["redis"], indirect=True)  # RabbitMQ takes long to come back
def test_a_broker_that_is_killed_is_noticed_and_found_again(server: Server, ear: Ear) -> None:
    server.kill()
    ear.wait_for(lambda: ear.lives[-1:] == [False])

    server.start()
    ear.wait_for(lambda: ear.lives[-1:] == [True])
    broker = brokers.connect(server.url)
    broker.publish(b'{"cursors": {"1": 2.0}}')
    broker.close()
    ear.wait_for(lambda: Hint({"1": 2.0}) in ear.heard)
