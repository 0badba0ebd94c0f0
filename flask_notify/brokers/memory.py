"""A broker within this process, for tests and for development with a single process."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from .base import TICK, Broker, BrokerUnavailable, Letter, masked

_WAITING = 1_000
"""Hints that wait for a listener who does not take them; then the oldest is dropped."""


class Hub:
    """Where the brokers of one name meet. Tests look into it, and cut it off.

    It lives for as long as somebody holds it or a broker of its name.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[_Listener] = set()
        self._queues: dict[str, list[tuple[float, Letter]]] = {}
        self._cut_off = False

    def cut_off(self) -> None:
        """Be out of reach from now on: who listens loses the connection, and every call fails."""
        with self._lock:
            self._cut_off = True
            for listener in self._listeners:
                listener.lost = True
            self._listeners.clear()

    def come_back(self) -> None:
        """Be there again, with all the letters."""
        with self._lock:
            self._cut_off = False

    def letters(self, name: str) -> list[Letter]:
        """Return the letters in a queue, the oldest first, without those that have expired."""
        with self._lock:
            now = time.monotonic()
            return [letter for until, letter in self._queues.get(name, []) if until > now]

    def take(self, name: str) -> list[Letter]:
        """Return the letters as :meth:`letters` does, and empty the queue."""
        letters = self.letters(name)
        with self._lock:
            # What came in between stays.
            self._queues[name] = [entry for entry in self._queues.get(name, []) if entry[1] not in letters]
        return letters

    def _tell(self, hint: bytes) -> None:
        with self._lock:
            self._check()
            for listener in self._listeners:
                listener.put(hint)

    def _put(self, letters: Sequence[Letter]) -> None:
        with self._lock:
            self._check()
            now = time.monotonic()
            for letter in letters:
                self._queues.setdefault(letter.queue, []).append((now + letter.expires_in, letter))

    def _join(self) -> _Listener:
        with self._lock:
            self._check()
            listener = _Listener()
            self._listeners.add(listener)
            return listener

    def _leave(self, listener: _Listener) -> None:
        with self._lock:
            self._listeners.discard(listener)

    def _check(self) -> None:
        if self._cut_off:
            raise BrokerUnavailable("The broker in memory has been cut off")


@dataclass(eq=False)
class _Listener:
    """What waits for one listener."""

    waiting: queue.Queue[bytes] = field(default_factory=lambda: queue.Queue(_WAITING))
    lost: bool = False

    def put(self, hint: bytes) -> None:
        if self.waiting.full():
            with suppress(queue.Empty):
                self.waiting.get_nowait()
        self.waiting.put_nowait(hint)


_hubs: WeakValueDictionary[str, Hub] = WeakValueDictionary()
_lock = threading.Lock()


def hub(url: str) -> Hub:
    """Return the hub of an address like ``memory://name``."""
    with _lock:
        return _hubs.setdefault(url, Hub())


class Memory(Broker):
    """A broker that reaches nobody outside this process."""

    def __init__(self, url: str) -> None:
        self.address = masked(url)
        self._hub = hub(url)

    def publish(self, hint: bytes) -> None:
        """Pass a hint on to everyone who listens in this process."""
        self._hub._tell(hint)

    def listen(self, heard: Callable[[bytes], None], stop: Callable[[], bool], ready: Callable[[], None]) -> None:
        """Listen until told to stop."""
        listener = self._hub._join()
        try:
            ready()
            while not stop():
                if listener.lost:
                    raise BrokerUnavailable("The broker in memory has been cut off")
                with suppress(queue.Empty):
                    heard(listener.waiting.get(timeout=TICK))
        finally:
            self._hub._leave(listener)

    def deliver(self, letters: Sequence[Letter]) -> None:
        """Keep letters until they are taken, or the hub is gone."""
        self._hub._put(letters)

    def probe(self) -> str:
        """Tell what it is."""
        self._hub._put(())
        return "in memory (this process only)"

    def close(self) -> None:
        """Do nothing: there is no connection."""
