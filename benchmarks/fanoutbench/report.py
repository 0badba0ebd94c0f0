"""What the run says: tables for the terminal, the page for the documentation, and what was reached."""

from __future__ import annotations

from harness import facts
from harness.inboxes import EACH
from harness.pages import NAMES, Rows, heading, list_table, spread, verdict

from .measures import BROADCAST, DJANGO, TEXT, TUTORIAL, WAYS, Group, MiB

TARGETS = {"postgresql": {TEXT: 8.0, BROADCAST: 15.0}, "sqlite": {TEXT: 4.0}}
"""The least multiple of django-notifications-hq's rate that Flask-Notify is meant to reach."""

MEMORY_TARGET = 1.2
"""The most that the peak of the largest emission may be, as a multiple of that of the smallest."""

BATCH_TARGET = 1_000
"""The most recipients that one transaction may have."""


def table(group: Group, recipients: int) -> Rows:
    """Return what was measured at one number of recipients."""
    rows: Rows = [("Way", "Recipients", "Recipients/s", "Of django-notifications-hq")]
    for way in WAYS:
        course = group.course(way, recipients)
        ratio = f"{group.ratio(way, DJANGO, recipients):.1f}"
        rows.append((way.title, f"{course.recipients:,}", spread(course.rates), ratio))
    return rows


def memory(groups: list[Group]) -> Rows:
    """Return what the process needed."""
    rows: Rows = [("Database", "Recipients", "Before", "Peak", "Messages in the largest transaction")]
    for group in groups:
        for one in group.memory:
            peak, before = f"{one.after / MiB:.1f} MiB", f"{one.before / MiB:.1f} MiB"
            largest = f"{group.largest_transaction:,}"
            rows.append((NAMES[group.database.name], f"{one.recipients:,}", before, peak, largest))
    return rows


def verdicts(groups: list[Group], sizes: list[int]) -> list[str]:
    """Return a line for each target: reached or missed."""
    lines = []
    for group in groups:
        where = NAMES[group.database.name]
        for way, least in TARGETS[group.database.name].items():
            for recipients in [sizes[-1]] if way is BROADCAST else sizes:
                got = group.ratio(way, DJANGO, recipients)
                what = f"{where}: {way.title}, {group.course(way, recipients).recipients:,} recipients"
                lines.append(verdict(got >= least, f"{what}: of django-notifications-hq", got, f"≥ {least:g}"))
        growth = group.memory[-1].after / group.memory[0].after
        what = f"{where}: peak memory of {sizes[-1]:,} recipients, of that of {sizes[0]:,}"
        lines.append(verdict(growth <= MEMORY_TARGET, what, growth, f"≤ {MEMORY_TARGET:g}"))
        largest = group.largest_transaction
        lines.append(verdict(largest <= BATCH_TARGET, f"{where}: recipients of a transaction", largest, "≤ 1,000"))
    return lines


def page(groups: list[Group], sizes: list[int], rows: int, rounds: int) -> str:
    """Return the page of the documentation, in reStructuredText."""
    parts = [heading("What it costs to tell many", "="), _introduction(groups, rows, rounds)]
    for group in groups:
        for recipients in sizes:
            parts.append(heading(f"{NAMES[group.database.name]}, {recipients:,} recipients", "-"))
            parts.append(list_table(table(group, recipients)))
    parts += [heading("Memory, and the size of a transaction", "-"), MEMORY_TEXT, list_table(memory(groups))]
    parts += [heading("What was to be reached", "-"), *(f"- {line}" for line in verdicts(groups, sizes)), ""]
    return "\n".join(parts)


INTRODUCTION = """\
``make bench-fanout`` wrote this page. One message goes to many recipients of {users:,}, where {rows:,}
messages are there already; with the rounds the tables grow. Each contender is a process of its own. They
take turns over {rounds} rounds in one run on one machine. The figures are the medians, with the lowest and the
highest in brackets; "of django-notifications-hq" is the median of the rounds' ratios.

- *Flask-Notify, a text* is ``notify.send("…", to=select(User.id))`` and the commit. There is no scheduler, so
  that the process itself moves the message into all inboxes, in batches, each a transaction; the time ends
  when everybody has it, with the count of unseen messages and the cursor of each inbox kept.
- *Rendered for each* sends a declared type: every user is loaded, and their own text is made.
- *django-notifications-hq* is ``notify.send(actor, recipient=queryset, verb="…")`` in one transaction, which is
  its fastest way.
- *The Mega-Tutorial's loop* adds a message for each recipient, counts theirs anew and replaces the
  notification that holds the count, with one commit at the end. {sample:,} recipients are a sample.
- *One INSERT … SELECT* fills the same table by one statement in one transaction, and keeps neither a count
  nor a cursor: the least that it could cost.
- *Broadcast* is ``notify.broadcast("maintenance", {{…}})``, a live value for all users.

A commit waits for the disk, with the default settings of both databases.

Machine: {machine}.

Versions: {versions}.
"""

MEMORY_TEXT = """\
A fresh process sends a rendered message and a text to so many. "Before" is its peak
(``getrusage``, the resident set) when it has sent to 2,000. Separately, what each transaction of a rendered
message wrote was counted as it was committed.
"""


def _introduction(groups: list[Group], rows: int, rounds: int) -> str:
    return INTRODUCTION.format(
        users=rows // EACH,
        rows=rows,
        rounds=rounds,
        sample=TUTORIAL.most,
        machine=facts.machine(),
        versions=", ".join([facts.versions(*facts.DJANGO), *(group.database.version() for group in groups)]),
    )
