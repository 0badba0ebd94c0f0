"""What one process tells and hears: the carrier of an application's news."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from .known import KnownCursors
from .listener import BEAT, Listener
from .publisher import Publisher
from .wire import Hint

if TYPE_CHECKING:
    from ..brokers.base import Broker


class Hints:
    """Tells other processes of this one's commits; where pages are answered, hears of theirs.

    Threads and connections are made when they are needed, in the process that needs them: a
    server may make the application first, and then fork its workers.

    :param find: returns what makes a broker, or None where there turns out to be none.
    :param ttl: seconds for which a cursor that was read is good at most; 0 keeps none.
    :param clock: returns seconds, and never goes back.
    :param beat: see :class:`.Listener`.
    """

    def __init__(
        self,
        find: Callable[[], Callable[[], Broker] | None],
        ttl: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        beat: float = BEAT,
    ) -> None:
        self.clock = clock
        self._find = find
        self._ttl = ttl
        self._beat = beat
        self._listens = False
        self._begin()
        _alive.add(self)

    def _begin(self) -> None:
        self._lock = Lock()
        self._is_found = False
        self._connect: Callable[[], Broker] | None = None
        self._publisher: Publisher | None = None
        self._listener: Listener | None = None
        self._known: KnownCursors | None = None

    def tell(self, cursors: Mapping[Any, float], *, spread: bool = False) -> None:
        """Take over the news of this process and return at once; see :class:`.news.Carrier`."""
        if not self._is_found:
            self._look()
        named = {str(key): cursor for key, cursor in cursors.items()}
        known, publisher = self._known, self._publisher
        if known is not None:
            # Not only by way of the broker: whoever has just committed may ask at once.
            known.heard(Hint(named, spread))
        if publisher is not None:
            publisher.tell(named, spread=spread)

    def listen(self) -> None:
        """Begin to hear the others, in threads of their own, and to keep cursors; in this process and its children."""
        self._look()
        with self._lock:
            self._listens = self._connect is not None and self._ttl > 0
            if self._connect is None or not self._listens or self._listener is not None:
                return
            listener = Listener(self._connect, self._hear, self._changed, clock=self.clock, beat=self._beat)
            # Known first: nothing that is committed from here on may be missed by it.
            self._known = KnownCursors(self._ttl, lambda: listener.live_since, clock=self.clock)
            self._listener = listener
            listener.start()

    def known(self, key: str) -> float | None:
        """Return a recipient's cursor if there is no need to read it; see :class:`.KnownCursors`."""
        known = self._known
        if known is not None:
            return known.known(key)
        if self._listens:  # this is a child of the process that listened
            self.listen()
        return None

    def learn(self, key: str, cursor: float, asked_at: float) -> None:
        """Keep what was read of a recipient; see :meth:`.KnownCursors.learn`."""
        known = self._known
        if known is not None:
            known.learn(key, cursor, asked_at)

    @property
    def live(self) -> bool:
        """Whether every hint is heard in time."""
        return self._listener is not None and self._listener.live

    def stop(self, timeout: float) -> None:
        """Publish what waits, and end all threads, at most in some seconds for each of the two kinds."""
        self._listens = False
        if self._publisher is not None:
            self._publisher.stop(timeout)
        with self._lock:
            listener, self._listener, self._known = self._listener, None, None
        if listener is not None:
            listener.stop(timeout)

    def _look(self) -> None:
        with self._lock:
            if not self._is_found:
                self._connect = self._find()
                self._publisher = None if self._connect is None else Publisher(self._connect)
                self._is_found = True

    def _hear(self, hint: Hint) -> None:
        known = self._known
        if known is not None:
            known.heard(hint)

    def _changed(self, live: bool) -> None:
        known = self._known
        if not live and known is not None:
            known.forget()

    def forked(self) -> None:
        """Begin anew in a child process, which has none of its parent's threads."""
        self._begin()


_alive: WeakSet[Hints] = WeakSet()


def _after_fork() -> None:
    for hints in list(_alive):
        hints.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
