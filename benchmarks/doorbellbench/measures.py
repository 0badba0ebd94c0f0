"""What is measured: memory, the time from a commit to the ring, and how often an idle page polls."""

from __future__ import annotations

import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from statistics import median
from typing import Any

from harness.contenders import Contender
from harness.databases import SQLite

from .processes import Bell, bare, free_port, ours

RATE = 200
"""Commits per second, each with news for one recipient."""

USERS = 1_000
"""Recipients with an open page, who have news in turn."""

OURS, BARE = "flask notify stream", "a bare asyncio fan-out"

_PER_PROCESS = 5_000  # open pages of one process of clients


@dataclass(frozen=True)
class Size:
    """So many open pages, and the MiB that the process has in memory then."""

    pages: int
    memory: float


@dataclass(frozen=True)
class Round:
    """The milliseconds from each commit to its ring."""

    times: list[float]
    lost: int

    def at(self, share: float) -> float:
        """Return the time within which that share of the rings came."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass
class Results:
    """All that was measured."""

    sizes: list[Size] = field(default_factory=list)
    peak: float = 0.0
    rounds: dict[str, list[Round]] = field(default_factory=lambda: {OURS: [], BARE: []})
    polls: dict[str, float] | None = None

    @property
    def ratio(self) -> float:
        """The p99 of ours as a multiple of the bare one's: the median over the rounds."""
        pairs = zip(self.rounds[OURS], self.rounds[BARE], strict=True)
        return median(one.at(0.99) / other.at(0.99) for one, other in pairs)


def measure_memory(broker: str, counts: list[int], results: Results) -> Iterator[str]:
    """Open ever more pages at one process."""
    with ExitStack() as stack:
        bell = stack.enter_context(ours(broker))
        results.sizes.append(Size(0, bell.memory()))
        opened = 0
        for count in counts:
            while opened < count:
                number = min(_PER_PROCESS, count - opened)
                clients = stack.enter_context(Contender("listeners", ""))
                clients.ask("listen", port=bell.port, first=opened + 1, number=number, bare=False)
                opened += number
            results.sizes.append(Size(count, bell.memory()))
            yield f"{count:,} pages: {results.sizes[-1].memory:.0f} MiB"
        results.peak = bell.peak()


def measure_rings(broker: str, database: SQLite, rounds: int, seconds: float, results: Results) -> Iterator[str]:
    """Let both kinds of process ring, in turn."""
    url = database.create("doorbell")
    with ExitStack() as stack:
        emitters = {
            OURS: stack.enter_context(Contender("doorbell", url, BROKER_URL=broker, STREAM_URL="/stream")),
            BARE: stack.enter_context(Contender("doorbell", url, BARE_URL=broker)),
        }
        emitters[OURS].ask("prepare", users=USERS)
        for number in range(rounds):
            for name, bell in ((OURS, ours(broker)), (BARE, bare(broker))):
                with bell, Contender("listeners", "") as clients:
                    clients.ask("listen", port=bell.port, first=1, number=USERS, bare=name == BARE)
                    one = _round(emitters[name], clients, seconds)
                results.rounds[name].append(one)
                yield (
                    f"round {number + 1}: {name}: p50 {one.at(0.5):.2f} ms, p99 {one.at(0.99):.2f} ms"
                    f"{f', {one.lost} without a ring' if one.lost else ''}"
                )


def _round(emitter: Contender, clients: Contender, seconds: float) -> Round:
    emitter.ask("emit", rate=RATE, seconds=0.5, users=USERS)  # which opens all connections
    time.sleep(0.5)
    clients.ask("rings")
    committed = emitter.ask("emit", rate=RATE, seconds=seconds, users=USERS)
    time.sleep(0.5)
    rung: dict[int, list[float]] = defaultdict(list)
    for key, at in clients.ask("rings"):
        rung[key].append(at)
    expected: dict[int, list[float]] = defaultdict(list)
    for key, at in committed:
        expected[key].append(at)
    # A recipient's commits are seconds apart: the first ring after each is its own.
    found = [next((ring - at for ring in rung[key] if ring >= at), None) for key in expected for at in expected[key]]
    return Round([1000 * each for each in found if each is not None], found.count(None))


def measure_polls(broker: str, database: SQLite, seconds: float, results: Results) -> Iterator[str]:
    """Count the polls of two idle pages in a browser at the same time: one with a stream, one without."""
    browser = _browser() if seconds else None
    if browser is None:
        yield "No browser, so nobody polls"
        return
    url = database.create("idle")
    with ExitStack() as stack:
        port, origin_port = free_port(), free_port()
        origin = f"http://127.0.0.1:{origin_port}"
        extra = {"BROKER_URL": broker, "STREAM_ORIGIN": origin}
        bell: Bell = stack.enter_context(ours(broker, STREAM_ORIGIN=origin))
        rung = stack.enter_context(
            Contender("doorbell", url, STREAM_URL=f"http://127.0.0.1:{bell.port}/stream", **extra)
        )
        plain = stack.enter_context(Contender("doorbell", url))
        rung.ask("prepare", users=2)
        rung.ask("serve", port=origin_port)
        plain.ask("serve", port=port)
        playwright, executable = browser
        chromium = stack.enter_context(playwright()).chromium.launch(executable_path=executable)
        stack.callback(chromium.close)
        for at in (origin_port, port):
            chromium.new_context().new_page().goto(f"http://127.0.0.1:{at}/1")
        time.sleep(5)  # what a page does when it is opened is not what it does for hours
        begun = time.monotonic()
        time.sleep(seconds)
        counted = {"before": plain.ask("polls", since=begun), "after": rung.ask("polls", since=begun)}
    results.polls = {name: count * 60 / seconds for name, count in counted.items()}
    yield f"polls per minute: {results.polls}"


def _browser() -> Any:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        return None if found is None else (import_module("playwright.sync_api").sync_playwright, found)
    except ImportError:
        return None
