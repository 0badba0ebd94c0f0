"""What the run says: tables for the terminal, the page for the documentation, and what was reached."""

from __future__ import annotations

from harness import facts
from harness.pages import Rows, heading, list_table, spread, verdict

from .measures import BARE, OURS, RATE, USERS, Results

MEMORY_TARGET = 400
"""The most MB that the process may have in memory with the largest number of open pages."""

RING_TARGET = 2.0
"""The most that the p99 of a ring may be, as a multiple of the bare fan-out's."""


def memory(results: Results) -> Rows:
    """Return what the process has in memory."""
    empty = results.sizes[0].memory
    rows: Rows = [("Open pages", "In memory", "For each page")]
    for size in results.sizes:
        each = f"{(size.memory - empty) * 1024 / size.pages:.1f} KiB" if size.pages else ""
        rows.append((f"{size.pages:,}", f"{size.memory:.0f} MiB", each))
    return rows


def rings(results: Results) -> Rows:
    """Return how long a ring takes."""
    rows: Rows = [("Process", "p50", "p99", "Without a ring")]
    for name, rounds in results.rounds.items():
        middle, late = ([one.at(share) for one in rounds] for share in (0.5, 0.99))
        rows.append(
            (name, f"{spread(middle, '.2f')} ms", f"{spread(late, '.2f')} ms", str(sum(r.lost for r in rounds)))
        )
    return rows


def polls(results: Results) -> Rows:
    """Return how often an idle page polls."""
    found = results.polls or {}
    rows: Rows = [("Page", "Polls per minute")]
    for name, title in (("before", "without a stream"), ("after", "with a stream")):
        rows.append((title, f"{found[name]:.1f}" if name in found else "not measured"))
    return rows


def verdicts(results: Results) -> list[str]:
    """Return a line for each target: reached or missed."""
    largest = results.sizes[-1]
    megabytes = largest.memory * 2**20 / 1e6
    return [
        verdict(megabytes <= MEMORY_TARGET, f"MB for {largest.pages:,} open pages", megabytes, f"≤ {MEMORY_TARGET}"),
        verdict(results.ratio <= RING_TARGET, f"p99 of a ring, of {BARE}", results.ratio, f"≤ {RING_TARGET:g}"),
    ]


def page(results: Results, seconds: float, rounds: int, broker: str) -> str:
    """Return the page for the documentation."""
    introduction = INTRODUCTION.format(
        rate=RATE,
        users=USERS,
        seconds=seconds,
        rounds=rounds,
        peak=results.peak,
        broker=broker,
        ours=OURS,
        machine=facts.machine(),
        versions=facts.versions("uvicorn", "uvloop", "httptools", "redis"),
    )
    tables = (
        ("Open pages of one process", memory),
        ("From a commit to the ring", rings),
        ("Polls of an idle page", polls),
    )
    parts = [heading("Open pages, and how soon they are rung", "="), introduction]
    for title, table in tables:
        parts += [heading(title, "-"), list_table(table(results))]
    parts += [heading("What was to be reached", "-"), *(f"- {line}" for line in verdicts(results)), ""]
    return "\n".join(parts)


INTRODUCTION = """\
``make bench-doorbell`` wrote this page.

*Open pages*: one process of ``flask notify stream``, and clients that connect as a browser does; what the process
has in memory, all told, when each page was greeted. Its peak was {peak:.0f} MiB.

*The ring*: an application commits news {rate} times a second for {seconds:g} seconds, each time for another of
{users:,} recipients with one open page each. The time is that from the end of the commit, in the application's
process, until the page's line arrives in a third process. Beside it stands a bare fan-out: the same commits, a
publish by redis-py in the committing thread, and an asyncio process (uvloop, too) that passes each message on to
raw connections, without HTTP, tokens, limits and heartbeats. The two take turns for {rounds} rounds; the figures
are the medians of the rounds, with the lowest and the highest in brackets, and the ratio is the median of the
rounds' ratios.

*Polls*: two idle pages in Chromium at the same time, one with a stream and one without, with the default settings.

All of it ran on one machine, by loopback.

Machine: {machine}; {broker}.

Versions: {versions}.
"""
