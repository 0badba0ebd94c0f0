"""A broker within the test, that hangs, refuses and loses hints when it is told to, and a clock that is moved."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from flask_notify.brokers.base import Broker, BrokerUnavailable, Letter

PATIENCE = 60.0
"""Seconds after which a test gives up waiting for another thread."""


class Exchange:
    """What all connections of a test have in common."""

    def __init__(self) -> None:
        self.published: list[bytes] = []
        self.queues: list[queue.Queue[bytes | None]] = []
        self.connected = 0
        self.closed = 0
        # While it is not set, whoever publishes waits.
        self.flows = threading.Event()
        self.flows.set()
        self.refuses = False
        self.loses = False
        self.changed = threading.Condition()

    def connect(self) -> Broker:
        """Return a broker, as `flask_notify.brokers.connect` does."""
        with self.changed:
            self.connected += 1
            self.changed.notify_all()
        return _Connection(self)

    def publish(self, body: bytes) -> None:
        """Bring something to all who listen now."""
        with self.changed:
            self.published.append(body)
            if not self.loses:
                for each in self.queues:
                    each.put(body)
            self.changed.notify_all()

    def cut(self) -> None:
        """Break all connections of listeners."""
        with self.changed:
            for each in self.queues:
                each.put(None)

    def wait_until_heard(self) -> None:
        """Wait until everybody who listens has heard all that is published."""
        with self.changed:
            queues = list(self.queues)
        for each in queues:
            with each.all_tasks_done:
                assert each.all_tasks_done.wait_for(lambda each=each: not each.unfinished_tasks, PATIENCE)  # type: ignore[misc]

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so that `changed` tells of."""
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE)


class _Connection(Broker):
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def publish(self, hint: bytes) -> None:
        assert self._exchange.flows.wait(PATIENCE)
        if self._exchange.refuses:
            raise BrokerUnavailable("It refuses")
        self._exchange.publish(hint)

    def listen(self, heard: Callable[[bytes], None], stop: Callable[[], bool], ready: Callable[[], None]) -> None:
        if self._exchange.refuses:
            raise BrokerUnavailable("It refuses")
        mine: queue.Queue[bytes | None] = queue.Queue()
        with self._exchange.changed:
            self._exchange.queues.append(mine)
        try:
            ready()
            while not stop():
                try:
                    body = mine.get(timeout=0.02)
                except queue.Empty:
                    continue
                if body is None:
                    raise BrokerUnavailable("It was cut")
                heard(body)
                mine.task_done()
        finally:
            with self._exchange.changed:
                self._exchange.queues.remove(mine)

    def deliver(self, letters: Sequence[Letter]) -> None:
        raise NotImplementedError

    def probe(self) -> str:
        return "loopback"

    def close(self) -> None:
        self._exchange.closed += 1


class Monotonic:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds
