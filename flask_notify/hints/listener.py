"""What hears the hints of all processes, and knows whether it still does."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable
from threading import Event, Thread
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from ..brokers.base import BrokerUnavailable
from .outage import Outage, close
from .wire import Beat, Hint, decode, encode

if TYPE_CHECKING:
    from ..brokers.base import Broker

BEAT = 2.0
"""Seconds between two beats."""

LATE = 5.0
"""Seconds within which a beat must be back."""

_GIVE_UP = 12.0  # so long without a beat, and the connection is made anew
_OUTSTANDING = 16

_log = logging.getLogger("flask_notify")


class _Pulse(NamedTuple):
    """The newest beat that came back, when it was sent, and since when all hints have been heard."""

    number: int
    sent_at: float
    since: float


_NONE = _Pulse(0, -math.inf, math.inf)


class Listener:
    """Hears hints in a thread of its own, for as long as it is not stopped.

    A connection may be dead for a long time before anybody notices. So another thread publishes a
    beat every :data:`BEAT` seconds, through another connection, and it has to come back like any
    hint: when it does, everything published before it has been heard. What comes back more than
    :data:`LATE` seconds after it was sent, or not at all, counts for nothing.

    :param connect: makes a broker; called in each of the two threads, again after a loss.
    :param heard: called with each hint, in the thread that listens; it must not wait.
    :param changed: called with each new state of :attr:`live`, in the same thread.
    :param clock: returns seconds, and never goes back.
    :param beat: seconds between two beats.
    :param late: seconds within which a beat must be back.
    """

    def __init__(
        self,
        connect: Callable[[], Broker],
        heard: Callable[[Hint], None],
        changed: Callable[[bool], None] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        beat: float = BEAT,
        late: float = LATE,
    ) -> None:
        self._connect = connect
        self._heard = heard
        self._changed = changed
        self._clock = clock
        self._beat = beat
        self._late = late
        self._process = uuid4().hex
        self._pulse = _NONE
        self._sent: dict[int, float] = {}
        self._subscribed_at = math.inf
        self._subscribed = Event()
        self._stopping = Event()
        self._outage = Outage("No hints are heard, and pages are answered from the database alone")
        self._told = False
        self._warned = False
        self._threads: list[Thread] = []

    @property
    def live(self) -> bool:
        """Whether every hint that is published is heard in time."""
        return self.live_since is not None

    @property
    def live_since(self) -> float | None:
        """Since when every hint has been heard, by the clock; None while that is not known."""
        pulse = self._pulse
        return pulse.since if self._clock() - pulse.sent_at < self._late else None

    def start(self) -> None:
        """Begin to listen; once."""
        if self._threads:
            return
        self._threads = [
            Thread(target=self._listen, name="flask-notify listener", daemon=True),
            Thread(target=self._send_beats, name="flask-notify beats", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """End both threads, and wait for them at most for some seconds."""
        self._stopping.set()
        end = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _listen(self) -> None:
        while not self._stopping.is_set():
            broker: Broker | None = None
            error: Exception = BrokerUnavailable("Its beats do not come back")
            try:
                broker = self._connect()
                broker.listen(self._take, self._is_over, self._begin)
            except Exception as exception:  # noqa: BLE001  # whatever it is, it is tried again
                error = exception
            self._end()
            close(broker)
            if not self._stopping.is_set():
                self._stopping.wait(self._outage.goes_on(error))

    def _begin(self) -> None:
        self._sent.clear()
        self._subscribed_at = self._clock()
        self._subscribed.set()

    def _end(self) -> None:
        # What is published from here on is missed.
        self._subscribed.clear()
        self._subscribed_at = math.inf
        self._pulse = _NONE
        self._tell()

    def _is_over(self) -> bool:
        """Say whether to listen no longer; asked several times a second."""
        self._tell()
        alive_at = max(self._subscribed_at, self._pulse.sent_at)
        return self._stopping.is_set() or self._clock() - alive_at > _GIVE_UP

    def _tell(self) -> None:
        live = self.live
        if live != self._told:
            self._told = live
            if self._changed is not None:
                self._changed(live)

    def _take(self, body: bytes) -> None:
        what = decode(body)
        if isinstance(what, Beat):
            self._feel(what)
        elif isinstance(what, Hint):
            self._heard(what)
        elif not self._warned:
            self._warned = True
            _log.warning("The broker brought %d bytes that are no hint; is somebody else using its channel?", len(body))

    def _feel(self, beat: Beat) -> None:
        last = self._pulse
        sent_at = self._sent.get(beat.number) if beat.process == self._process else None
        if sent_at is None or beat.number <= last.number:
            return
        if last is not _NONE and beat.number > last.number + 1:
            # One was lost, as a broker drops what waits for too long, and hints may have been with it.
            self._heard(Hint(spread=True, everyone=True))
        since = self.live_since
        self._pulse = _Pulse(beat.number, sent_at, self._clock() if since is None else since)
        if self.live:
            self._outage.is_over()
        self._tell()

    def _send_beats(self) -> None:
        broker: Broker | None = None
        number = 0
        while not self._stopping.is_set():
            if not self._subscribed.wait(0.5):
                continue
            number += 1
            self._sent.pop(number - _OUTSTANDING, None)
            self._sent[number] = self._clock()
            try:
                broker = broker or self._connect()
                broker.publish(encode(Beat(self._process, number)))
            except Exception:  # noqa: BLE001  # the beat does not come back, which tells
                _log.debug("A beat could not be published", exc_info=True)
                close(broker)
                broker = None
            self._stopping.wait(random.uniform(0.75, 1.0) * self._beat)  # noqa: S311  # no secret
        close(broker)
