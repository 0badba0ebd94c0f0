"""Handing over many pushes at once, so that a push service that is slow or down holds up nobody else's.

Each service has a few lanes; a service that fails a few times in a row is left alone for a while,
at first for seconds, and ever longer while it goes on failing.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TypeAlias

from .service import Answer, Parcel

LANES = 4
"""Requests to one push service at a time."""

THREADS = 16
"""Requests at a time in all."""

_FAILURES = 3
_FIRST_REST = 5.0
_LONGEST_REST = 600.0
_LOOK_EVERY = 0.25

_log = logging.getLogger("flask_notify")


@dataclass
class _Health:
    """How one push service has done lately."""

    failures: int = 0
    rests: int = 0
    until: float = 0.0


@dataclass
class Services:
    """Which push services are left alone, and until when; it outlives the batches of a process."""

    clock: Callable[[], float] = time.monotonic
    _health: defaultdict[str, _Health] = field(default_factory=lambda: defaultdict(_Health))
    _lock: Lock = field(default_factory=Lock)

    def rest_of(self, origin: str) -> float:
        """Return for how many seconds more a service is left alone."""
        with self._lock:
            health = self._health.get(origin)
            return 0.0 if health is None else max(0.0, health.until - self.clock())

    def note(self, origin: str, answer: Answer) -> None:
        """Note what a service has said, or that it said nothing."""
        with self._lock:
            if not answer.host_failed:
                self._health.pop(origin, None)
                return
            health = self._health[origin]
            health.failures += 1
            # Those that were on their way when it began to fail say nothing new.
            if health.failures % _FAILURES == 0 and self.clock() >= health.until:
                rest = _FIRST_REST * 2.0 ** min(health.rests, 20) * random.uniform(1.0, 1.5)  # noqa: S311
                health.until = self.clock() + max(min(rest, _LONGEST_REST), answer.retry_after or 0.0)
                health.rests += 1


Parcels: TypeAlias = "Mapping[int, tuple[str, Parcel]]"
"""What is to be handed over: by a number, each with the origin of its service."""


def hand_over_all(
    parcels: Parcels,
    hand_over: Callable[[Parcel], Answer],
    services: Services,
    *,
    until: float,
    grace: float,
    stop: Callable[[], bool],
) -> Iterator[tuple[int, Answer | None]]:
    """Hand parcels over, many at a time, and yield what became of each as soon as it is known.

    None stands for one that was not tried, or of which nobody knows: its service is left alone, or the time is up.

    :param until: of the monotonic clock; nothing is begun after that.
    :param grace: seconds after that for which what is on its way is waited for.
    :param stop: returns True when nothing more is to be begun.
    """
    work = _Work(parcels, hand_over, services, until, stop)
    for _ in range(min(THREADS, len(work.lanes))):
        # Not of a pool, whose threads a process waits for when it ends: a service may keep one for as long as it likes.
        Thread(target=work.run, name="notify-push", daemon=True).start()
    open_ = set(parcels)
    try:
        while open_:
            try:
                number, answer = work.results.get(timeout=_LOOK_EVERY)
            except Empty:
                # What is on its way is waited for; a service that never ends its answer is not.
                if time.monotonic() >= until + grace:
                    break
                continue
            open_.discard(number)
            yield number, answer
    finally:
        work.abandoned = True  # what nobody would note is not handed over
    for number in sorted(open_):
        yield number, None


class _Work:
    """What the threads of one batch share."""

    def __init__(
        self,
        parcels: Parcels,
        hand_over: Callable[[Parcel], Answer],
        services: Services,
        until: float,
        stop: Callable[[], bool],
    ) -> None:
        self._hand_over = hand_over
        self._services = services
        self._until = until
        self._stop = stop
        self.abandoned = False
        self._waiting: defaultdict[str, deque[tuple[int, Parcel]]] = defaultdict(deque)
        for number, (origin, parcel) in parcels.items():
            self._waiting[origin].append((number, parcel))
        self.results: SimpleQueue[tuple[int, Answer | None]] = SimpleQueue()
        self.lanes = deque(_in_turn(Counter({origin: len(waiting) for origin, waiting in self._waiting.items()})))

    def run(self) -> None:
        """Serve one lane after the other, until there is none left."""
        while True:
            try:
                origin = self.lanes.popleft()
            except IndexError:
                return
            self._serve(origin)

    def _serve(self, origin: str) -> None:
        waiting = self._waiting[origin]
        while True:
            try:
                number, parcel = waiting.popleft()
            except IndexError:
                return
            if self._is_over() or self._services.rest_of(origin):
                self.results.put((number, None))
                continue
            try:
                answer = self._hand_over(parcel)
            except Exception as error:  # noqa: BLE001  # a thread that ended would leave the others of its service
                _log.error("A push could not be handed over: %s", type(error).__name__)
                answer = Answer("later", f"it could not be handed over ({type(error).__name__})")
            self._services.note(origin, answer)
            self.results.put((number, answer))

    def _is_over(self) -> bool:
        return self.abandoned or self._stop() or time.monotonic() >= self._until


def _in_turn(counts: Counter[str]) -> Sequence[str]:
    """Return the lanes in which they are served: the first of each service, then the second of each."""
    return [origin for lane in range(LANES) for origin, count in counts.items() if count > lane]
