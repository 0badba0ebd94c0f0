"""What is measured: records that have nothing to tell, through a logger with one handler or another."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median

from flask_notify import NotifyHandler

BATCH = 1_000
"""Records that are logged with one handler, before it is another's turn."""


class Bare(logging.Handler):
    """A handler that does nothing."""

    def emit(self, record: logging.LogRecord) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Way:
    """One handler."""

    title: str
    make: Callable[[], logging.Handler]


BARE = Way("a bare Handler with an empty emit", Bare)
OURS = Way("Flask-Notify, NotifyHandler", NotifyHandler)

WAYS = (BARE, OURS)


@dataclass(frozen=True)
class Kind:
    """One kind of record: what ``logger.info`` is called with besides the text."""

    title: str
    extra: dict[str, object] | None


KINDS = (Kind("plain", None), Kind("with extra values", {"user": 7, "path": "/submissions/7"}))


@dataclass
class Group:
    """The rounds of one kind of record; nanoseconds per record."""

    kind: Kind
    rounds: dict[Way, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})

    @property
    def ratio(self) -> float:
        """Ours as a multiple of the bare one: the median over the rounds."""
        pairs = zip(self.rounds[OURS], self.rounds[BARE], strict=True)
        return median(ours / bare for ours, bare in pairs)


def measure(rows: int, rounds: int) -> Iterator[Group | str]:
    """Log so many records of each kind in each way and round; tell of it, and yield each group at last."""
    loggers = {way: _logger(way) for way in WAYS}
    for kind in KINDS:
        group = Group(kind)
        for number in range(rounds):
            seconds = _measure_round(loggers, kind, rows)
            for way in WAYS:
                group.rounds[way].append(seconds[way] / rows * 1e9)
            times = ", ".join(f"{way.title}: {group.rounds[way][-1]:.0f} ns" for way in WAYS)
            yield f"round {number + 1}: {kind.title}: {times}"
        yield group


def _logger(way: Way) -> logging.Logger:
    # In no hierarchy: nobody else's handlers are asked.
    logger = logging.Logger(way.title, logging.INFO)
    logger.addHandler(way.make())
    return logger


def _measure_round(loggers: dict[Way, logging.Logger], kind: Kind, rows: int) -> dict[Way, float]:
    seconds = dict.fromkeys(WAYS, 0.0)
    gc.collect()
    gc.disable()
    try:
        for number in range(max(1, rows // BATCH)):
            # Each batch begins with the other one: what the machine does beside hits both alike.
            for way in WAYS[:: 1 if number % 2 == 0 else -1]:
                seconds[way] += _log(loggers[way], kind.extra, min(rows, BATCH))
    finally:
        gc.enable()
    return seconds


def _log(logger: logging.Logger, extra: dict[str, object] | None, count: int) -> float:
    start = time.perf_counter()
    for number in range(count):
        logger.info("%s of %s", number, count, extra=extra)
    return time.perf_counter() - start
