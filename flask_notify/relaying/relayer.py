"""Taking messages from the database to the queues of a broker: each at least once, one recipient's in order.

A batch is read, delivered, and deleted once the broker has confirmed it, in two short transactions:
none is open while the broker is waited for. Whoever dies in between leaves the rows, and they go out
again, with the same ``id`` in their envelopes. Where two are at work, by a lease that has ended, each
begins with the first row that is not deleted, and a row is deleted only after it was confirmed: the
second may repeat messages, and never is one before another of its recipient for the first time.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from sqlalchemy import Engine

from .. import brokers
from ..brokers.base import Broker, BrokerUnavailable, Letter, LetterRefused
from ..config import Settings
from ..models import Models, RecipientKey
from . import waiting
from .waiting import Waiting

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds between two attempts to reach a broker that is away: about twice as many each time."""

REFUSED_FOR = 300.0
"""Seconds for which a recipient is left out whose queue the broker has refused."""

IDLE = 30.0
"""Seconds without a message after which the connection is given up."""

_log = logging.getLogger("flask_notify")


class Relayer:
    """Relays what waits; one thread at a time may use it, and it is made for one process.

    :param connect: makes a broker that has opened no connection yet.
    """

    def __init__(self, models: Models, settings: Settings, connect: Callable[[], Broker]) -> None:
        self._models = models
        self._connect = connect
        self._prefix = settings.relay_queue_prefix
        self._expiry = settings.relay_expiry
        self._broker: Broker | None = None
        self._used_at = 0.0
        self._confirmed: Sequence[Waiting] = ()
        self._refused: dict[RecipientKey, float] = {}
        self._away_since: float | None = None
        self._again_at = 0.0
        self._attempts = 0

    @classmethod
    def of(cls, models: Models, settings: Settings) -> Relayer:
        """Return one for the broker of an application, which is not looked at before something waits."""
        return cls(models, settings, lambda: brokers.connect(settings.broker_url or ""))

    def relay(self, stop: Callable[[], bool] = lambda: False) -> Iterator[int]:
        """Deliver all that waits, oldest first, and yield the size of each batch. Needs an application context.

        :param stop: asked between two batches.
        :raises BrokerUnavailable: if the broker cannot be reached. What waits goes on waiting.
        """
        while not stop():
            left = len(self._confirmed)
            if left:  # for somebody had it in hand, or the database failed: it need not be repeated
                self._remove_confirmed()
            batch = self._next()
            if not batch and len(self._confirmed) == left:
                return
            if batch and self._deliver(batch):
                self._remove_confirmed()
                yield len(batch)

    def run(self, stop: Callable[[], bool]) -> str | None:
        """Do so as a job that comes by each second, and return what was done in a few words.

        A broker that is away is logged once, and tried again ever more seldom.
        """
        if time.monotonic() < self._again_at:
            return None
        relayed = 0
        try:
            for size in self.relay(stop):
                relayed += size
                self._is_back()
        except BrokerUnavailable as error:
            self._is_away(error)
        if self._broker is not None and time.monotonic() - self._used_at > IDLE:
            self.close()
        return f"relayed {relayed} message{'' if relayed == 1 else 's'}" if relayed else None

    def close(self) -> None:
        """Give up the connection; the next message makes another."""
        broker, self._broker = self._broker, None
        if broker is not None:
            with suppress(Exception):  # it may be why it is given up
                broker.close()

    def _next(self) -> Sequence[Waiting]:
        now = time.monotonic()
        self._refused = {key: until for key, until in self._refused.items() if until > now}
        # Those of whom something is confirmed and not yet deleted go on when it is.
        without = {*self._refused, *(row.recipient_id for row in self._confirmed)}
        with self._engine.connect() as connection:
            return waiting.first(connection, self._models, waiting.BATCH, without)

    def _deliver(self, batch: Sequence[Waiting]) -> bool:
        """Return whether the broker has confirmed all of a batch, and not refused one of its queues."""
        recipients = {self._queue(row.recipient_id): row.recipient_id for row in batch}
        letters = [
            Letter(self._queue(row.recipient_id), row.envelope.encode(), id_of(row.envelope), self._expiry)
            for row in batch
        ]
        if self._broker is None:
            self._broker = self._connect()
        try:
            self._broker.deliver(letters)
        except LetterRefused as error:
            key = recipients[error.queue]
            _log.error("The messages of recipient %r are not relayed for now: %s", key, error)
            self._refused[key] = time.monotonic() + REFUSED_FOR
            return False
        except BaseException:
            self.close()
            raise
        self._used_at = time.monotonic()
        self._confirmed = [*self._confirmed, *batch]
        return True

    def _queue(self, key: RecipientKey) -> str:
        return f"{self._prefix}{key}"

    def _remove_confirmed(self) -> None:
        with self._engine.begin() as connection:
            self._confirmed = waiting.remove(connection, self._models, self._confirmed)

    def _is_away(self, error: BrokerUnavailable) -> None:
        self._attempts += 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._attempts - 1, 20))
        # No two relayers of many sites come back at the same moment.
        self._again_at = time.monotonic() + pause * random.uniform(0.5, 1.0)  # noqa: S311  # nobody is to guess it
        if self._away_since is None:
            self._away_since = time.monotonic()
            _log.error("Messages wait for the broker, and are relayed when it is back: %s", error)

    def _is_back(self) -> None:
        if self._away_since is not None:
            _log.warning("The broker is back after %.0f s; messages are relayed", time.monotonic() - self._away_since)
        self._away_since, self._attempts = None, 0

    @property
    def _engine(self) -> Engine:
        return self._models.db.engines[self._models.bind_key]


def id_of(envelope: str) -> str:
    """Return the ``id`` of an envelope."""
    return str(json.loads(envelope)["id"])
