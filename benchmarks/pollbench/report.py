"""What the run says: tables for the terminal, and the page for the documentation."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from harness import facts
from harness.pages import NAMES, heading, list_table, verdict

from .datasets import SESSIONS
from .polls import BARE, GROWTH_TARGET, ITEMS, TARGETS, Poll
from .rounds import CONNECTIONS, Group
from .servers import WORKERS

HEADER = ("Poll", "Polls/s", "p50 (ms)", "p99 (ms)", "Of the bare view", "Statements")


@dataclass(frozen=True)
class Results:
    """Everything that a run found out."""

    groups: list[Group]
    counts: dict[tuple[str, Poll], str]
    databases: list[str]
    rounds: int
    seconds: float


def table(results: Results, group: Group) -> list[tuple[str, ...]]:
    """Return the rows of the table of one group, the header first."""
    rows: list[tuple[str, ...]] = [HEADER]
    for poll, course in group.courses.items():
        rows.append(
            (
                poll.title,
                f"{course.median('rate'):,.0f}",
                f"{course.median('p50') * 1000:.2f}",
                f"{course.median('p99') * 1000:.2f}",
                f"{median(group.ratios(poll)):.2f}",
                results.counts.get((group.database, poll), "0"),
            )
        )
    return rows


def growth(results: Results) -> list[tuple[str, ...]]:
    """Return how much longer a poll takes on the largest data set than on the smallest."""
    databases = list(dict.fromkeys(group.database for group in results.groups))
    polls = [poll for poll in results.groups[0].courses if poll is not BARE]
    header = ("Poll", *(NAMES[database] for database in databases))
    rows = [(poll.title, *(f"{_growth(results, d, poll):.2f}" for d in databases)) for poll in polls]
    return [header, *rows]


def verdicts(results: Results) -> list[str]:
    """Return a line for each target: reached or missed."""
    lines = []
    for group in results.groups:
        for poll, least in TARGETS[group.database].items():
            if poll in group.courses:
                got = median(group.ratios(poll))
                where = f"{NAMES[group.database]}, {group.rows:,} rows"
                lines.append(verdict(got >= least, f"{where}: {poll.title}", got, f"≥ {least}"))
    for database in dict.fromkeys(group.database for group in results.groups):
        for poll in TARGETS[database]:
            if poll in results.groups[0].courses and len(_sizes(results)) > 1:
                got = _growth(results, database, poll)
                where = f"{NAMES[database]}: {poll.title}: growth"
                lines.append(verdict(got <= GROWTH_TARGET, where, got, f"≤ {GROWTH_TARGET}"))
    return lines


def page(results: Results) -> str:
    """Return the page of the documentation, in reStructuredText."""
    parts = [heading("What a poll costs", "="), _introduction(results)]
    for group in results.groups:
        parts.append(heading(f"{NAMES[group.database]}, {group.rows:,} rows", "-"))
        parts.append(list_table(table(results, group)))
    sizes = _sizes(results)
    if len(sizes) > 1:
        parts.append(heading(f"From {sizes[0]:,} to {sizes[-1]:,} rows", "-"))
        parts.append(GROWTH_TEXT)
        parts.append(list_table(growth(results)))
    return "\n".join(parts)


INTRODUCTION = """\
``make bench`` wrote this page. It serves each contender with gunicorn ({workers} sync workers, the
same options for all) and lets {sessions:,} logged-in clients poll it in turn, {connections} requests
in flight, over loopback. The figures are the medians of {rounds} rounds of {seconds:g} seconds for
each poll, all polls taking turns. The clients run on the same cores; a poll
costs them {client_cpu:.2f} ms of CPU time.

"Of the bare view" compares the rate with that of a Flask view that returns ``[]`` and knows neither
users nor a database. "Statements" were counted as they reached the database; what follows a plus only
begins and ends transactions. Every user has {items} notifications.

- *Mega-Tutorial* is the route of chapter XXI, on the schema of its newer edition, which has an index
  on ``user_id``.
- *django-notifications-hq* is ``live_unread_notification_count``, with persistent connections,
  sessions in the database, and only the middleware that it needs.
- *With a ticket* is what a browser does by itself: it sends the ``ETag`` of the last answer back.
  *One poll in 30 without* is a page over time: with the default settings a ticket is good for 30
  polls.
- *Where hints flow* the two workers have a broker, Redis, and each of them has mostly read the
  client's cursor in the ``NOTIFY_HINT_TTL`` before the poll. The poll for which it reads it anew is the
  one *with a ticket*.

Machine: {machine}.

Versions: {versions}.
"""

GROWTH_TEXT = """\
How many times as long a poll takes on the larger data set; the medians over the rounds, each of
which measures both.
"""


def _introduction(results: Results) -> str:
    return INTRODUCTION.format(
        workers=WORKERS,
        sessions=SESSIONS,
        connections=CONNECTIONS,
        rounds=results.rounds,
        seconds=results.seconds,
        client_cpu=results.groups[0].courses[BARE].median("client_cpu") * 1000,
        items=ITEMS,
        machine=facts.machine(),
        versions=", ".join([facts.versions("Werkzeug", "Flask-Login", "gunicorn", *facts.DJANGO), *results.databases]),
    )


def _sizes(results: Results) -> list[int]:
    return sorted({group.rows for group in results.groups})


def _growth(results: Results, database: str, poll: Poll) -> float:
    groups = [group for group in results.groups if group.database == database]
    smallest, *_, largest = [group.courses[poll].windows for group in sorted(groups, key=lambda group: group.rows)]
    return median(small.rate / large.rate for small, large in zip(smallest, largest, strict=True))
