"""What the run says: tables for the terminal, the page for the documentation, and what was reached."""

from __future__ import annotations

from harness import facts
from harness.pages import NAMES, Rows, heading, list_table, spread, verdict

from .measures import WAYS, Group

STALL_TARGET = 1 / 8
"""The most that SQLite's writer may wait, as a multiple of what it waits for one plain DELETE."""

TIME_TARGET = 4.0
"""The most that the removal may take, as a multiple of the plain DELETE's time."""


def table(group: Group) -> Rows:
    """Return what was measured on one database."""
    rows: Rows = [("Way", "Seconds in all", "Writer's longest wait (ms)", "Writer's usual time (ms)")]
    for way in WAYS:
        windows = group.windows[way]
        longest = spread([window.longest * 1000 for window in windows])
        usual = spread([window.usual * 1000 for window in windows], ".1f")
        rows.append((way.title, spread([window.seconds for window in windows], ".2f"), longest, usual))
    rows.append(("ratio", f"{group.ratio('seconds'):.2f}", f"{group.ratio('longest'):.3f}", ""))
    return rows


def verdicts(groups: list[Group]) -> list[str]:
    """Return a line for each target: reached or missed."""
    lines = []
    for group in groups:
        where = NAMES[group.database.name]
        if group.database.name == "sqlite":
            got = group.ratio("longest")
            what = f"{where}: the writer's longest wait, of that of one DELETE"
            lines.append(verdict(got <= STALL_TARGET, what, got, f"≤ {STALL_TARGET:g}"))
        got = group.ratio("seconds")
        lines.append(verdict(got <= TIME_TARGET, f"{where}: time, of that of one DELETE", got, f"≤ {TIME_TARGET:g}"))
    return lines


def page(groups: list[Group], rows: int, rounds: int) -> str:
    """Return the page of the documentation, in reStructuredText."""
    versions = ", ".join([facts.versions(), *(group.database.version() for group in groups)])
    introduction = INTRODUCTION.format(
        rows=rows, half=rows // 2, rounds=rounds, machine=facts.machine(), versions=versions
    )
    parts = [heading("What it costs to remove what is old", "="), introduction]
    for group in groups:
        parts += [heading(NAMES[group.database.name], "-"), list_table(table(group))]
    parts += [heading("What was to be reached", "-"), *(f"- {line}" for line in verdicts(groups)), ""]
    return "\n".join(parts)


INTRODUCTION = """\
``make bench-expiry`` wrote this page. Of {rows:,} messages the older {half:,} were seen, and are older than
``NOTIFY_REMOVE_AFTER``. They are removed while another process writes: a message and the count of its
recipient's inbox in one transaction, by plain statements, over and over with 5 ms between. How long it took
over each is what the writer sees; its longest wait is the stall. Each removal begins with a fresh copy of the
same data. The ways take turns over {rounds} rounds in one run on one machine. The figures are the medians, with
the lowest and the highest in brackets; the ratios are the medians of the rounds' ratios.

- *One plain DELETE* is one statement in one transaction.
- *In batches* is what ``flask notify expire`` and the scheduler's job do.

A commit waits for the disk, with the default settings of both databases. On SQLite there is one writer at a
time, and who waits looks again after 1 to 100 ms, ever more rarely.

Machine: {machine}.

Versions: {versions}.
"""
