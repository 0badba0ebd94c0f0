"""What is measured: mails that are due for many recipients, from the claim to the stamp."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, time

from harness.contenders import Contender
from harness.databases import Database
from harness.inboxes import EACH, fill

TOLD = 3
"""Messages that one mail tells of."""

FIRST = 10
"""Mails that each worker sends before anything is timed."""

SLOW = 0.02
"""Seconds that the slow server takes over each mail."""

_DUE = (
    f"""INSERT INTO notify_message (recipient_id, type, subject, body, url, cursor, created_at, mail_mode, rule,
        mail_due_at, count)
        WITH RECURSIVE item(j) AS (SELECT 1 UNION ALL SELECT j + 1 FROM item WHERE j < {TOLD})
        SELECT recipient_id, 'system', 'Somebody has replied to you', 'This is what they have to say.',
        '/posts/' || recipient_id, cursor + j, {{now}}, 'often', 'default', {{now}}, 1
        FROM notify_inbox CROSS JOIN item WHERE recipient_id > {{after}} AND recipient_id <= {{last}}
        ORDER BY recipient_id, j""",
    f"""UPDATE notify_inbox SET cursor = cursor + {TOLD}, unseen_count = unseen_count + {TOLD}, mail_due_at = {{now}}
        WHERE recipient_id > {{after}} AND recipient_id <= {{last}}""",
)


@dataclass(frozen=True)
class Way:
    """One way to send mails.

    :param workers: processes at work; none is the plain loop.
    :param delay: seconds that the server takes over each mail.
    """

    title: str
    workers: int
    delay: float = 0.0


OURS = Way("Flask-Notify: claim, render, send, stamp", 1)
LOOP = Way("smtplib, one connection, the same bytes", 0)
ONE = Way("Flask-Notify, a slow server, one worker", 1, SLOW)
TWO = Way("Flask-Notify, a slow server, two workers", 2, SLOW)

WAYS = (OURS, LOOP, ONE, TWO)


@dataclass
class Group:
    """Everything that was measured on one database: mails per second, by way, round by round."""

    database: Database
    rates: dict[Way, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})
    size: int = 0
    """Bytes of a mail."""
    _reached: int = 0

    def ratio(self, way: Way, other: Way) -> float:
        """Return the rate of a way as a multiple of another's: the median over the rounds."""
        return median(one / two for one, two in zip(self.rates[way], self.rates[other], strict=True))

    def make_due(self, mails: int) -> None:
        """Let so many recipients have a mail due, who had none before."""
        after, self._reached = self._reached, self._reached + mails
        numbers = {"now": int(time()) - 1, "after": after, "last": self._reached}
        self.database.execute("ours", [statement.format(**numbers) for statement in _DUE])
        self.database.settle("ours")


def measure(database: Database, rows: int, mails: int, rounds: int) -> Iterator[Group | str]:
    """Let mails be sent in each way in turn, tell of it, and yield the group at last."""
    group = Group(database)
    yield f"{database.name}: filling {rows:,} rows"
    url = fill("ours", database, rows)
    needed = rounds * 2 * mails + 2 * FIRST
    if needed > rows // EACH:
        raise SystemExit(f"{rows:,} rows have {rows // EACH:,} recipients, expected {needed:,} for {mails:,} mails")
    with ExitStack() as stack:
        server = stack.enter_context(Contender("mail_server", url))
        port = str(server.ask("listen"))
        workers = [stack.enter_context(Contender("ours", url, MAIL_PORT=port)) for _ in range(2)]
        loop = stack.enter_context(Contender("smtplib_loop", url, MAIL_PORT=port))
        loop.ask("ready")
        server.ask("take", delay=0.0)
        for worker in workers:
            # What a process does but once, as compiling the templates, is not what a mail costs.
            group.make_due(FIRST)
            worker.ask("send_mail")
        for number in range(rounds):
            yield from _measure_fast(group, server, workers[0], loop, mails)
            # A quarter of them: the slow server takes its time.
            for way in (ONE, TWO) if number % 2 == 0 else (TWO, ONE):
                yield _measure_slow(group, server, way, workers[: way.workers], max(mails // 4, 2))
    yield group


def _measure_fast(group: Group, server: Contender, worker: Contender, loop: Contender, mails: int) -> Iterator[str]:
    newest = int(group.database.value("ours", "SELECT coalesce(max(id), 0) FROM notify_mail"))
    group.make_due(mails)
    server.ask("take", delay=0.0)
    ours = worker.ask("send_mail")
    ours_taken = server.ask("taken")
    server.ask("take", delay=0.0)
    plain = loop.ask("send_mail", after=newest)
    loop_taken = server.ask("taken")
    if ours["sent"] != mails or ours_taken != loop_taken or ours_taken["mails"] != mails:
        raise SystemExit(f"expected {mails:,} mails, got {ours} and {plain}; the server {ours_taken} and {loop_taken}")
    group.size = ours_taken["bytes"] // mails
    group.rates[OURS].append(mails / ours["seconds"])
    group.rates[LOOP].append(mails / plain["seconds"])
    for way in (OURS, LOOP):
        yield f"{group.database.name}: {way.title}: {group.rates[way][-1]:,.0f}/s"


def _measure_slow(group: Group, server: Contender, way: Way, workers: list[Contender], mails: int) -> str:
    group.make_due(mails)
    server.ask("take", delay=way.delay)
    begin = perf_counter()
    for worker in workers:
        worker.start("send_mail")
    sent = sum(int(worker.answer()["sent"]) for worker in workers)
    seconds = perf_counter() - begin
    if sent != mails or server.ask("taken")["mails"] != mails:
        raise SystemExit(f"{way.title}: expected {mails:,} mails, got {sent:,}")
    group.rates[way].append(mails / seconds)
    return f"{group.database.name}: {way.title}: {group.rates[way][-1]:,.1f}/s"
