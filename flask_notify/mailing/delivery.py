"""From the outbox to the mail server: lease, send, stamp."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Event
from typing import ClassVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from .. import signals
from ..durability import stamping
from ..models import Models
from . import outbox, transport
from .outbox import LeasedMail
from .stamps import Stamps

logger = logging.getLogger("flask_notify")

_STAMPING_PAUSES = (0.1, 1.0, 5.0)

_FRESH_SECONDS = 0.25
"""Seconds for which it is good to know which mails of a batch are still wanted."""

_NOT_WANTED = "the recipient has seen all of it, or wants it mailed no more"


@dataclass(frozen=True)
class Round:
    """Everything that sending a batch needs.

    :param work: a connection in no transaction (see :func:`.outbox.working`).
    :param wire: a conversation with a mail server.
    :param sender: the bare address that mails are from.
    :param clock: returns Unix seconds.
    :param lease_seconds: ``NOTIFY_MAIL_LEASE``.
    :param most_attempts: ``NOTIFY_MAIL_ATTEMPTS``.
    :param stop: returns True when the batch is to end after the mail at hand.
    """

    models: Models
    work: Connection
    wire: transport.Connection
    sender: str
    clock: Callable[[], float]
    lease_seconds: float
    most_attempts: int
    stop: Callable[[], bool]

    @cached_property
    def stamps(self) -> Stamps:
        """What notes that mails were sent."""
        return Stamps(self.models, self.work)


@dataclass
class Sent:
    """What became of a batch.

    :param taken: how many mails were leased.
    :param outcomes: how many were ``sent``, ``refused``, ``cancelled``, or are for ``later``.
    :param server_unusable: what is wrong with the server, where no mail can go out now.
    """

    taken: int
    outcomes: Counter[str]
    server_unusable: str | None = None


def send_batch(this: Round, limit: int = outbox.BATCH) -> Sent:
    """Send pending mails, each at most once for as long as this worker lives.

    A mail is begun only while less than half of the lease is over, and takes less than the other
    half: so the lease of a mail never runs out while it is being sent. What the server has taken
    on is stamped at once, in a transaction of its own.
    """
    begun = time.monotonic()  # before the lease is taken: it ends later than we think
    with this.work.begin():
        leased = outbox.lease(this.work, this.models, now=this.clock(), seconds=this.lease_seconds, limit=limit)
        wanted = outbox.wanted_among(this.work, this.models, leased) if leased else set()
    with stamping(this.work):
        return _send_leased(this, leased, wanted, begun)


def _send_leased(this: Round, leased: Sequence[LeasedMail], wanted: set[int], begun: float) -> Sent:
    looked = begun
    sent = Sent(len(leased), Counter())
    for place, mail in enumerate(leased):
        if time.monotonic() - looked >= _FRESH_SECONDS:
            looked = time.monotonic()
            with this.work.begin():
                wanted = outbox.wanted_among(this.work, this.models, leased[place:])
        # The last thing before it is sent: asking the database may have taken its time.
        if this.stop() or time.monotonic() - begun >= this.lease_seconds / 2:
            _release(this, leased[place:])
            break
        outcome = _hand_over(this, mail) if mail.id in wanted else _Cancelled(_NOT_WANTED)
        if isinstance(outcome, _Sent):
            _announce(this, next((later for later in leased[place + 1 :] if later.id in wanted), None))
        _stamp(this, mail, outcome)
        sent.outcomes[outcome.name] += 1
        _tell(mail, outcome)
        if isinstance(outcome, _Later) and not outcome.counts:
            sent.server_unusable = outcome.reason
            _release(this, leased[place + 1 :])
            break
    return sent


@dataclass
class _Outcome:
    """What became of one mail."""

    reason: str = ""
    code: int | None = None
    name: ClassVar[str]
    state: ClassVar[str]
    """Of the mail, from now on."""
    failed: ClassVar[bool] = False

    def note(self, this: Round, mail: LeasedMail) -> None:
        """Write it down, in a transaction of its own."""
        with this.work.begin():
            outbox.note_final(this.work, this.models, mail, self.state, self.reason)


class _Sent(_Outcome):
    name = state = "sent"

    def note(self, this: Round, mail: LeasedMail) -> None:
        this.stamps.note_sent(this.work, mail, now=this.clock())


class _Cancelled(_Outcome):
    name = state = "cancelled"


class _Refused(_Outcome):
    name = state = "refused"
    failed = True


@dataclass
class _Later(_Outcome):
    counts: bool = True
    """Whether it was an attempt of this mail's. What is the server's failure is none: no mail is given up for it."""
    name = "later"
    state = "pending"
    failed = True

    def note(self, this: Round, mail: LeasedMail) -> None:
        pause = outbox.pause_after(mail.attempts if self.counts else 1)
        with this.work.begin():
            outbox.note_later(this.work, this.models, mail, self.reason, at=this.clock() + pause, counts=self.counts)


def _hand_over(this: Round, mail: LeasedMail) -> _Outcome:
    try:
        this.wire.send(this.sender, mail.address, mail.content)
    except transport.RefusedForGood as refused:
        return _Refused(str(refused), refused.code)
    except transport.ServerUnusable as later:
        return _Later(str(later), later.code, counts=False)
    except transport.TryLater as later:
        return _later(this, mail, str(later), later.code)
    except Exception as error:
        # A transport of the application's own may raise anything; the others are served.
        logger.exception("The transport raised for mail %s", mail.id)
        return _later(this, mail, type(error).__name__, None)
    return _Sent()


def _announce(this: Round, mail: LeasedMail | None) -> None:
    """Let the server think about the next mail's sender while what became of this one is written down."""
    announce = getattr(this.wire, "announce", None)
    if mail is not None and announce is not None:
        announce(this.sender, mail.content)


def _later(this: Round, mail: LeasedMail, reason: str, code: int | None) -> _Outcome:
    if mail.attempts >= this.most_attempts:
        return _Refused(f"given up after {mail.attempts} attempts: {reason}", code)
    return _Later(reason, code)


def _stamp(this: Round, mail: LeasedMail, outcome: _Outcome) -> None:
    """Write down what became of a mail; what is not stamped would go out a second time."""
    for pause in (*_STAMPING_PAUSES, None):
        try:
            outcome.note(this, mail)
        except DBAPIError:
            if pause is None:
                raise
            Event().wait(pause)  # a database that is busy, or being restarted
        else:
            return


def _release(this: Round, mails: Sequence[LeasedMail]) -> None:
    with this.work.begin():
        outbox.release(this.work, this.models, mails)


def _tell(mail: LeasedMail, outcome: _Outcome) -> None:
    # Never the address, and not what the server said, which often repeats it.
    code = f" ({outcome.code})" if outcome.code else ""
    level = logging.WARNING if outcome.failed else logging.DEBUG
    logger.log(level, "Mail %s for recipient %r: %s%s", mail.id, mail.recipient_id, outcome.name, code)
    about = {"mail_id": mail.id, "recipient_id": mail.recipient_id}
    if outcome.name == "sent":
        signals.tell(signals.mail_sent, **about)
    elif outcome.failed:
        signals.tell(signals.mail_failed, **about, state=outcome.state, reason=outcome.reason)
