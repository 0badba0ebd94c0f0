"""How many statements one poll costs, read from what the database says that it was told."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from . import client
from .datasets import Dataset
from .polls import WARM_UP, Poll, polls_of
from .servers import Gunicorn

_STATEMENT = re.compile(r"LOG: +(?:statement|execute [^:]*): *(\w+)")
_UNTIL_HINTS_ARE_HEARD = 2.0
_TRANSACTION = {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "DEALLOCATE"}


@dataclass(frozen=True)
class Count:
    """The statements of one poll, and those that only surround them."""

    queries: int
    transaction: int

    def __str__(self) -> str:
        return f"{self.queries} + {self.transaction}" if self.transaction else f"{self.queries}"


def count(dataset: Dataset, directory: Path, broker: str) -> dict[Poll, str]:
    """Count what each of the polls of an application runs."""
    with_hints = polls_of(dataset.app, hints=True)
    counts = _count_all(polls_of(dataset.app), dataset, directory, {})
    if with_hints:
        counts |= _count_all(with_hints, dataset, directory, {"BROKER_URL": broker})
    return counts


def _count_all(polls: list[Poll], dataset: Dataset, directory: Path, extra: dict[str, str]) -> dict[Poll, str]:
    environment, log = dataset.database.counting(directory)
    environment = {"DATABASE_URL": dataset.url, **environment, **extra}
    # One worker: its connection is open, and told no more, when the poll that counts comes.
    with Gunicorn(dataset.app, environment, workers=1) as server:
        session = client.log_in(server.port, dataset.keys[0])
        return {poll: _count_poll(poll, dataset, server.port, session, log) for poll in polls}


def _count_poll(poll: Poll, dataset: Dataset, port: int, session: str, log: Path) -> str:
    one = client.client(port, dataset.path(poll, dataset.keys[0]), session)
    share = client.Share([one], poll.full_every, poll.items, warm_up=WARM_UP if poll.hints else 0)
    if poll.hints:
        client.prime(share)
        time.sleep(_UNTIL_HINTS_ARE_HEARD)
    (primed,) = client.prime(share).clients
    full = _count(log, port, primed.plain)
    if not poll.wants_ticket:
        return str(full)
    usual = _count(log, port, primed.with_ticket)
    return f"{usual} (full: {full})" if poll.full_every else str(usual)


def _count(log: Path, port: int, request: bytes) -> Count:
    before = log.stat().st_size
    client.exchange(port, request)
    with log.open() as lines:
        lines.seek(before)
        words = [word.upper() for word in _STATEMENT.findall(lines.read())]
    transaction = sum(word in _TRANSACTION for word in words)
    return Count(len(words) - transaction, transaction)
