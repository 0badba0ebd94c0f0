"""How many statements one poll costs, read from what the database says that it was told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from . import client
from .contenders import Poll
from .datasets import Dataset
from .servers import Gunicorn

_TRACING = Path(__file__).with_name("trace_statements.py")
_STATEMENT = re.compile(r"LOG: +(?:statement|execute [^:]*): *(\w+)")
_TRANSACTION = {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"}


@dataclass(frozen=True)
class Count:
    """The statements of one poll, and those that only begin or end a transaction."""

    queries: int
    transaction: int

    def __str__(self) -> str:
        return f"{self.queries} + {self.transaction}" if self.transaction else f"{self.queries}"


def count(poll: Poll, dataset: Dataset, directory: Path) -> tuple[Count, Count]:
    """Count what a poll with a ticket runs, and one without; the same where there are none."""
    environment, log = dataset.database.counting(directory / f"{dataset.app}.statements")
    environment = {"DATABASE_URL": dataset.url, **environment}
    with Gunicorn(poll.app, environment, workers=1, config=_TRACING) as server:
        key = dataset.keys[0]
        one = client.log_in(server.port, key, dataset.path(poll, key))
        primed = client.prime(client.Share([one], poll.full_every, poll.items))
        plain = _count(log, server.port, primed.clients[0].plain)
        ticket = primed.clients[0].with_ticket
        return (_count(log, server.port, ticket) if ticket else plain), plain


def _count(log: Path, port: int, request: bytes) -> Count:
    before = log.stat().st_size
    client.exchange(port, request)
    with log.open() as lines:
        lines.seek(before)
        words = [word.upper() for word in _STATEMENT.findall(lines.read())]
    transaction = sum(word in _TRANSACTION for word in words)
    return Count(len(words) - transaction, transaction)
