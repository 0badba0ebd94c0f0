"""From the outbox to the push services: lease, write, hand over, stamp.

A worker that dies leaves its pushes leased until the lease ends; then another sends them. What
was handed over and not stamped is handed over again, under the same topic and tag, so that it
takes the place of the first.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from sqlalchemy import Connection

from .. import signals
from ..config import Settings
from ..durability import stamping
from ..mailing.outbox import working
from ..messages.message_types import Registry
from ..models import Models
from . import lanes, outbox
from .keys import Vapid
from .outbox import LeasedPush
from .parcels import Addressed, Desk, Unwanted, write_all
from .service import Answer, Parcel, PushServices

MOST_ATTEMPTS = 10
"""How many times a push is tried, ever more slowly, before it is given up."""

_BATCH_SECONDS = 20.0
"""Seconds after which no push of a batch is begun any more."""

_log = logging.getLogger("flask_notify")


class Sender:
    """Sends what is owed. One of a process remembers which push services are unwell.

    :param clock: returns Unix seconds; by default the application's.
    """

    def __init__(
        self,
        models: Models,
        settings: Settings,
        types: Registry,
        vapid: Vapid,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._models = models
        self._desk = Desk(models, settings, types, vapid)
        self._clock = clock
        self._services = lanes.Services()
        # Twice, for a push that is cut and tried once more.
        self._grace = 2.0 * settings.push_timeout + 5.0
        self._troubled: set[str] = set()

    def run_once(self, stop: Callable[[], bool] = lambda: False) -> Counter[str]:
        """Send all that is due, and return what became of it. Any number of workers may do so at once.

        It must run in an application context, whose session it uses and rolls back.

        :param stop: asked before each push; True ends the run after those that are on their way.
        :raises ConfigurationError: if the extra is not installed.
        """
        outcomes: Counter[str] = Counter()
        # Before anything is leased, and not by the threads: without the extra nothing is begun.
        hand_over = self._http.hand_over
        try:
            with working(self._models) as work:
                while not stop() and self._send_batch(work, hand_over, stop, outcomes) == outbox.BATCH:
                    pass
        finally:
            # Until the next run a firewall may have forgotten them, and said nothing.
            self._http.close()
        return outcomes

    @cached_property
    def _http(self) -> PushServices:
        return PushServices(self._desk.settings.push_timeout, lanes.THREADS)

    @property
    def _lease_seconds(self) -> float:
        return 2.0 * (_BATCH_SECONDS + self._grace)

    def _now(self) -> float:
        return (self._clock or self._models.clock)()

    def _send_batch(
        self,
        work: Connection,
        hand_over: Callable[[Parcel], Answer],
        stop: Callable[[], bool],
        outcomes: Counter[str],
    ) -> int:
        until = time.monotonic() + _BATCH_SECONDS  # before the lease is taken: it ends later than we think
        owner = secrets.token_hex(16)
        with work.begin():
            # Mostly nothing is: to ask is to read, where to take is to write, for which SQLite has but one lock.
            if not outbox.is_any_due(work, self._models, now=self._now()):
                return 0
        with work.begin():
            leased = outbox.lease(work, self._models, owner, now=self._now(), seconds=self._lease_seconds)
        if not leased:
            return 0
        written = write_all(self._desk, leased, now=self._now())
        with stamping(work):
            stamps = _Stamps(work, self._models, owner, self._now, outcomes)
            ready = self._sort(leased, written, stamps)
            parcels = {push.id: (ready[push.id].origin, ready[push.id].parcel) for push in leased if push.id in ready}
            # A message that was renewed since the lease is told of as it is now, and not owed once more for that.
            by_id = {push.id: push._replace(cursor=ready[push.id].cursor) for push in leased if push.id in ready}
            handed = lanes.hand_over_all(parcels, hand_over, self._services, until=until, grace=self._grace, stop=stop)
            for number, answer in handed:
                self._stamp(stamps, by_id[number], ready[number], answer)
        return len(leased)

    def _sort(
        self, leased: Sequence[LeasedPush], written: Mapping[int, Addressed | Unwanted], stamps: _Stamps
    ) -> dict[int, Addressed]:
        """Settle what is not to be sent now, and return the rest."""
        ready = {}
        for push in leased:
            letter = written[push.id]
            if isinstance(letter, Unwanted):
                stamps.settle(push, "dropped", letter.reason)
            elif self._services.rest_of(letter.origin):
                self._give_back(stamps, push, letter)
            else:
                ready[push.id] = letter
        return ready

    def _stamp(self, stamps: _Stamps, push: LeasedPush, letter: Addressed, answer: Answer | None) -> None:
        """Write down what a push service has said of a push."""
        if answer is None:
            self._give_back(stamps, push, letter)
            return
        self._tell_of(letter.origin, answer)
        reason = answer.reason or ""
        if answer.verdict == "taken":
            stamps.settle(push, "sent", None)
        elif answer.verdict == "gone":
            stamps.forget_browser(push, letter.endpoint_hash, reason)
        elif answer.verdict == "misconfigured":
            stamps.settle(push, "parked", reason)
        elif answer.verdict == "refused":
            stamps.settle(push, "dropped", reason)
        elif push.attempts >= MOST_ATTEMPTS:
            stamps.settle(push, "dropped", f"given up after {push.attempts} attempts: {reason}")
        else:
            pause = max(outbox.pause_after(push.attempts), answer.retry_after or 0.0)
            stamps.postpone(push, reason, pause=pause)

    def _give_back(self, stamps: _Stamps, push: LeasedPush, letter: Addressed) -> None:
        """Leave a push for later that was not tried, or of which nobody knows what became."""
        rest = self._services.rest_of(letter.origin)
        reason = "its push service is unwell" if rest else "the time was up"
        stamps.postpone(push, f"it was not tried: {reason}", pause=rest or 1.0, counts=False)

    def _tell_of(self, origin: str, answer: Answer) -> None:
        """Warn once of a push service with which something is wrong: nobody reads the same line all day."""
        bad = answer.host_failed or answer.verdict == "misconfigured"
        if bad and origin not in self._troubled:
            self._troubled.add(origin)
            _log.warning("Pushes to %s do not go out: %s. `flask notify doctor` tells more.", origin, answer.reason)
        elif answer.verdict == "taken" and origin in self._troubled:
            self._troubled.discard(origin)
            _log.warning("Pushes to %s go out again", origin)


class _Stamps:
    """Writes down what became of pushes, each in a transaction of its own: none holds one and waits for another."""

    def __init__(
        self,
        work: Connection,
        models: Models,
        owner: str,
        now: Callable[[], float],
        outcomes: Counter[str],
    ) -> None:
        self._work = work
        self._models = models
        self._owner = owner
        self._now = now
        self._outcomes = outcomes

    def settle(self, push: LeasedPush, state: str, reason: str | None) -> None:
        """Note that a push was sent, or never will be."""
        with self._work.begin():
            outbox.settle(self._work, self._models, push, self._owner, state, reason, now=self._now())
        self._count(push, state, reason)

    def forget_browser(self, push: LeasedPush, endpoint_hash: str, reason: str) -> None:
        """Note that a browser has ended its subscription, which is removed."""
        with self._work.begin():
            outbox.forget_browser(self._work, self._models, push, endpoint_hash)
        self.settle(push, "dropped", reason)

    def postpone(self, push: LeasedPush, reason: str, *, pause: float, counts: bool = True) -> None:
        """Note that a push is to be tried again in so many seconds."""
        with self._work.begin():
            at = self._now() + pause
            outbox.postpone(self._work, self._models, push, self._owner, reason, at=at, counts=counts)
        self._count(push, "later", reason)

    def _count(self, push: LeasedPush, outcome: str, reason: str | None) -> None:
        self._outcomes[outcome] += 1
        # Never the address, which is a secret, and not what the message says.
        _log.debug("Push %s to recipient %r: %s", push.id, push.recipient_id, outcome)
        about = {"push_id": push.id, "message_id": push.message_id, "recipient_id": push.recipient_id}
        if outcome == "sent":
            signals.tell(signals.push_sent, **about)
        else:
            signals.tell(signals.push_failed, **about, state=outcome, reason=reason)
