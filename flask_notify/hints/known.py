"""What a process knows of cursors: what it has read itself, for as long as nothing speaks against it.

Known is only what this process read from the database. A hint teaches nothing: it ends what was
known of a recipient. So it does not matter whether hints come twice, or in another order, and a
hint that is lost is made good when the time is up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

from .wire import Hint

MOST = 20_000
"""Of how many recipients a process keeps the cursors, and remembers the hints."""


class _Read(NamedTuple):
    cursor: float
    asked_at: float


class _Told(NamedTuple):
    cursor: float
    heard_at: float


class KnownCursors:
    """The cursors that need not be read again.

    All times are of ``clock``, which only goes forward.

    :param ttl: seconds for which a read is good at most; what a lost hint delays news by.
    :param live_since: returns since when every hint that was published has been heard, or None
        while that is not known.
    :param most: how many recipients are kept.
    """

    def __init__(
        self,
        ttl: float,
        live_since: Callable[[], float | None],
        *,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST,
    ) -> None:
        self._ttl = ttl
        self._live_since = live_since
        self._clock = clock
        self._most = most
        self._lock = Lock()
        # Both in the order in which they came: what came first is of no use first.
        self._known: dict[str, _Read] = {}
        self._told: dict[str, _Told] = {}
        # A hint before this may have been forgotten.
        self._forgotten_at = float("-inf")

    def known(self, key: str) -> float | None:
        """Return a recipient's cursor if it was read lately and no hint has come since, else None."""
        since = self._live_since()
        read = self._known.get(key)
        if since is None or read is None or read.asked_at <= since:
            return None
        return read.cursor if self._clock() - read.asked_at < self._ttl else None

    def learn(self, key: str, cursor: float, asked_at: float) -> None:
        """Keep what was read of a recipient.

        :param cursor: as it was read, in a transaction that began after ``asked_at``.
        :param asked_at: when the read was begun.
        """
        with self._lock:
            told = self._told.get(key)
            if asked_at <= self._forgotten_at or (told is not None and self._speaks_against(told, cursor, asked_at)):
                return
            before = self._known.get(key)
            if before is not None and before.asked_at >= asked_at:
                return  # another thread has asked later, and was answered first
            self._known.pop(key, None)
            self._known[key] = _Read(cursor, asked_at)
            if len(self._known) > self._most:
                del self._known[next(iter(self._known))]

    def _speaks_against(self, told: _Told, cursor: float, asked_at: float) -> bool:
        # While the read was on its way, a hint came: which of the two was first, nobody can tell.
        if told.heard_at >= asked_at:
            return True
        # The hint was first, and the read has not seen what it told of: a replica that lags.
        return told.cursor > cursor and self._clock() - told.heard_at < self._ttl

    def heard(self, hint: Hint) -> None:
        """End what is known of those who may have news."""
        with self._lock:
            now = self._clock()
            if hint.everyone:
                self._forget_all(now)
            for key, cursor in hint.cursors.items():
                self._known.pop(key, None)
                self._told.pop(key, None)
                self._told[key] = _Told(cursor, now)
            while len(self._told) > self._most:
                self._forgotten_at = self._told.pop(next(iter(self._told))).heard_at

    def forget(self) -> None:
        """End all that is known, because hints may have been missed."""
        with self._lock:
            self._forget_all(self._clock())

    def _forget_all(self, now: float) -> None:
        self._known.clear()
        self._told.clear()
        self._forgotten_at = now
