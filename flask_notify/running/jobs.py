"""What has to be done beside the requests: one row for each piece of work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Flask

from ..config import Settings
from ..mailing import digest
from ..mailing.transport import FlaskMailTransport, Transport
from ..messages import fanout
from ..messages.message_types import Registry
from ..models import Models
from ..pushing.sender import Sender
from ..relaying.relayer import Relayer
from . import expiry


@dataclass
class Work:
    """What the jobs work with. They run in an application context of their own.

    :param stop: returns True when a job is to end after the batch in hand.
    """

    app: Flask
    models: Models
    settings: Settings
    types: Registry
    stop: Callable[[], bool]
    transport: Transport = field(init=False)
    relayer: Relayer = field(init=False)
    _mail_problem: str | None = field(default=None, init=False)
    _sender: Sender | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.transport = FlaskMailTransport(self.app, self.settings.mail_timeout)
        self.relayer = Relayer.of(self.models, self.settings)

    def close(self) -> None:
        """Give up connections, once no job runs any more."""
        self.relayer.close()

    @property
    def push_sender(self) -> Sender | None:
        """What sends pushes, the same each time; None where the application has no Web Push."""
        vapid = self.app.extensions["notify"].vapid
        if self._sender is None and vapid is not None:
            self._sender = Sender(self.models, self.settings, self.types, vapid)
        return self._sender

    def is_news(self, problem: str | None) -> bool:
        """Return whether the mail has another problem than at the last time: nobody reads the same line all day."""
        before, self._mail_problem = self._mail_problem, problem
        return problem != before


@dataclass(frozen=True)
class Job:
    """A piece of work.

    :param every: seconds between two of its runs.
    :param run: does it, and returns what was done in a few words, or None for nothing.
    :param alone: whether only one process at a time may do it. The others may be done by any
        number of processes: each row of work is one's.
    """

    name: str
    every: float
    run: Callable[[Work], str | None]
    alone: bool = False


def move_fanouts(work: Work) -> str | None:
    """Move what was emitted to many into their inboxes."""
    moved = sum(fanout.drain(work.models, work.settings, work.types, work.stop))
    return f"moved {_count(moved, 'recipient')}" if moved else None


def relay(work: Work) -> str | None:
    """Take messages to the queues of the broker."""
    return work.relayer.run(work.stop) if work.settings.relay_queues else None


def send_mail(work: Work) -> str | None:
    """Send all mail that is due."""
    if work.settings.base_url is None:
        problem = "off, NOTIFY_BASE_URL is not set"
        return problem if work.is_news(problem) else None
    summary = digest.run_once(work.models, work.settings, work.transport, work.stop)
    news = work.is_news(summary.problem)
    return str(summary) if summary.outcomes or (summary.problem and news) else None


def send_pushes(work: Work) -> str | None:
    """Send all pushes that are due."""
    sender = work.push_sender
    outcomes = None if sender is None else sender.run_once(work.stop)
    return f"pushes: {told(outcomes)}" if outcomes else None


def remove_old(work: Work) -> str | None:
    """Remove what has expired."""
    removed: Counter[str] = Counter()
    for batch in expiry.expire(work.models, work.settings, now=work.models.clock(), stop=work.stop):
        removed[batch.what] += batch.removed
    return f"removed {told(removed)}" if removed else None


JOBS: tuple[Job, ...] = (
    Job("fan-out", 1, move_fanouts),
    Job("relay", 1, relay, alone=True),
    Job("mail", 5, send_mail),
    Job("push", 1, send_pushes),
    Job("expiry", 3600, remove_old, alone=True),
)


def told(removed: Counter[str]) -> str:
    """Return what was removed, as people read it."""
    return ", ".join(f"{count} {what}" for what, count in sorted(removed.items()))


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
