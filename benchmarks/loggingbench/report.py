"""What the run says: tables for the terminal, the page for the documentation, and what was reached."""

from __future__ import annotations

from harness import facts
from harness.pages import Rows, heading, list_table, spread, verdict

from .measures import BATCH, WAYS, Group

TARGET = 1.5
"""The most that a record may cost that does not notify, as a multiple of one through a handler that does nothing."""


def table(group: Group) -> Rows:
    """Return what was measured with one kind of record."""
    rows: Rows = [("Handler", "Nanoseconds per record")]
    rows += [(way.title, spread(group.rounds[way])) for way in WAYS]
    rows.append(("ratio", f"{group.ratio:.2f}"))
    return rows


def verdicts(groups: list[Group]) -> list[str]:
    """Return a line for each target: reached or missed."""
    return [
        verdict(
            group.ratio <= TARGET,
            f"records that do not notify, {group.kind.title}: time, of that of a bare Handler",
            group.ratio,
            f"≤ {TARGET:g}",
        )
        for group in groups
    ]


def page(groups: list[Group], rows: int, rounds: int) -> str:
    """Return the page of the documentation, in reStructuredText."""
    introduction = INTRODUCTION.format(
        rows=rows, batch=BATCH, rounds=rounds, machine=facts.machine(), versions=facts.versions()
    )
    parts = [heading("What a record costs that does not notify", "="), introduction]
    for group in groups:
        parts += [heading(f"Records, {group.kind.title}", "-"), list_table(table(group))]
    parts += [heading("What was to be reached", "-"), *(f"- {line}" for line in verdicts(groups)), ""]
    return "\n".join(parts)


INTRODUCTION = """\
``make bench-logging`` wrote this page. A logger has one handler and logs {rows:,} records that name no notification,
``logger.info("%s of %s", number, count)``: once with a ``logging.Handler`` whose ``emit`` does nothing, once with a
``NotifyHandler``. The time is that of the whole call, with the making of the record, which is the same for both. The
handlers take turns with {batch:,} records each, over {rounds} rounds in one run on one machine. The figures are the
medians, with the lowest and the highest in brackets; the ratios are the medians of the rounds' ratios.

A ``NotifyHandler`` looks whether the record names a notification before it does anything else, and takes no lock.

Machine: {machine}.

Versions: {versions}.
"""
