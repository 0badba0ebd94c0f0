"""What the run says: tables for the terminal, the page for the documentation, and what was reached."""

from __future__ import annotations

from harness import facts
from harness.pages import NAMES, Rows, heading, list_table, spread, verdict

from .measures import LOOP, ONE, OURS, SLOW, TOLD, TWO, WAYS, Group

LOOP_TARGET = 0.5
"""The least that the rate may be, as a multiple of the plain loop's."""

WORKERS_TARGET = 1.6
"""The least that two workers may be as fast as, as a multiple of one, where the server is slow."""

_AGAINST = {OURS: LOOP, LOOP: LOOP, ONE: ONE, TWO: ONE}


def table(group: Group) -> Rows:
    """Return what was measured on one database."""
    rows: Rows = [("Way", "Mails/s", "Ratio")]
    for way in WAYS:
        rows.append((way.title, spread(group.rates[way]), f"{group.ratio(way, _AGAINST[way]):.2f}"))
    return rows


def verdicts(groups: list[Group]) -> list[str]:
    """Return a line for each target: reached or missed."""
    lines = []
    for group in groups:
        where = NAMES[group.database.name]
        got = group.ratio(OURS, LOOP)
        lines.append(verdict(got >= LOOP_TARGET, f"{where}: of the plain loop's rate", got, f"≥ {LOOP_TARGET:g}"))
        got = group.ratio(TWO, ONE)
        what = f"{where}: two workers, of one"
        lines.append(verdict(got >= WORKERS_TARGET, what, got, f"≥ {WORKERS_TARGET:g}"))
    return lines


def page(groups: list[Group], rows: int, mails: int, rounds: int) -> str:
    """Return the page of the documentation, in reStructuredText."""
    introduction = INTRODUCTION.format(
        rows=rows,
        mails=mails,
        slow_mails=max(mails // 4, 2),
        rounds=rounds,
        told=TOLD,
        slow=SLOW * 1000,
        size=groups[0].size,
        machine=facts.machine(),
        versions=", ".join([facts.versions("aiosmtpd", "Flask-Mail"), *(group.database.version() for group in groups)]),
    )
    parts = [heading("What mail costs", "="), introduction]
    for group in groups:
        parts += [heading(NAMES[group.database.name], "-"), list_table(table(group))]
    parts += [heading("What was to be reached", "-"), *(f"- {line}" for line in verdicts(groups)), ""]
    return "\n".join(parts)


INTRODUCTION = """\
``make bench-digest`` wrote this page. {mails:,} recipients have {told} messages each that are due to be mailed,
where {rows:,} messages are there. A worker sends them as the scheduler's job does: it claims the recipients,
renders a mail for each as text and HTML, stores it, sends it to a mail server on this machine and stamps it as
sent, each in a transaction of its own. Then a plain loop over ``smtplib`` sends the very same bytes, {size:,} for
each mail, over one connection; it keeps no record of anything. The server is aiosmtpd in a process of its own,
which counts the mails and forgets them; one that stores them takes longer. The ways take turns over {rounds}
rounds in one run on one machine. The figures are the medians, with the lowest and the highest in brackets; the
ratios are the medians of the rounds' ratios: of the plain loop, and of one worker.

With the slow server, which takes {slow:g} ms over each mail, one and two worker processes send {slow_mails:,}
mails.

A commit waits for the disk, with the default settings of both databases.

Machine: {machine}.

Versions: {versions}.
"""
