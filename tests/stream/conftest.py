"""Processes of ``flask notify stream``, and pages that listen to them, each ended with its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from flask_notify.brokers import connect
from flask_notify.hints.wire import Hint, encode
from tests.scheduling.process import Process
from tests.servers import Redis
from tests.stream.application import COMMAND
from tests.stream.listening import Listener, in_time, port_of, token_for

Start = Callable[..., Process]
Listen = Callable[..., Listener]
Hints = Callable[..., None]
NOWHERE = "sqlite:////nowhere/to.be.found"


@contextmanager
def starting() -> Iterator[Start]:
    """Let processes be started, and end them."""
    with ExitStack() as stack:

        def start_one(broker: str | None, *words: str, database: str = NOWHERE, **settings: Any) -> Process:
            process = Process([*COMMAND, *words], database, {"NOTIFY_BROKER_URL": broker, **settings})
            stack.callback(process.end)
            return process

        yield start_one


@pytest.fixture
def start() -> Iterator[Start]:
    """Start processes: the broker's address, further words of the command, and settings.

    There is no such database, unless a test gives one.
    """
    with starting() as start:
        yield start


@pytest.fixture(scope="module")
def shared(redis_server: Redis) -> Iterator[Process]:
    """A process that is told of news by Redis, for tests that leave both alone."""
    redis_server.start()
    with starting() as start:
        process = start(redis_server.url)
        port_of(process)
        yield process


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Open pages of a recipient at a process, which have heard that news are heard there."""
    with ExitStack() as stack:

        def listen_one(process: Process, key: Any, seconds: float = 60, **headers: str) -> Listener:
            port_of(process)  # it may take a while to start, and the token is young
            listener = in_time(lambda: Listener(process, token_for(key, seconds), **headers))
            stack.callback(listener.close)
            assert listener.status == 200
            listener.wait_for("hello")
            return listener

        yield listen_one


@pytest.fixture
def hint() -> Iterator[Hints]:
    """Tell of news through a broker: its address, and keys."""
    with ExitStack() as stack:
        brokers: dict[str, Any] = {}

        def tell(url: str, *keys: Any, spread: bool = False, everyone: bool = False) -> None:
            if url not in brokers:
                brokers[url] = connect(url)
                stack.callback(brokers[url].close)
            brokers[url].publish(encode(Hint({str(key): 1.0 for key in keys}, spread, everyone)))

        yield tell
