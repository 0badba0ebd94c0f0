"""Applications on one database that hear one another's hints, as the workers of a site do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from flask_notify.hints.process import Hints
from tests.apps import Site
from tests.hints.loopback import PATIENCE, Exchange, Monotonic

TTL = 30.0
BEAT = 0.02


class Worker:
    """An application with hints of the test's own."""

    def __init__(self, site: Site, exchange: Exchange, clock: Monotonic, ttl: float = TTL) -> None:
        self.site = site
        self.exchange = exchange
        self.clock = clock
        self.hints = Hints(lambda: exchange.connect, ttl, clock=clock, beat=BEAT)
        site.app.extensions["notify"].carrier = self.hints

    def begin(self) -> None:
        """Serve a first request, and wait until hints are heard."""
        self.site.app.test_client().get("/")
        self.wait_until_live()
        self.clock.advance(0.01)

    def wait_until_live(self) -> None:
        """Wait until the newest beat that came back is one of now."""
        listener = self.hints._listener
        assert listener is not None
        while listener._pulse.sent_at < self.clock():
            beats = len(self.exchange.published)
            self.exchange.wait_for(lambda beats=beats: len(self.exchange.published) > beats)  # type: ignore[misc]
            self.exchange.wait_until_heard()

    def pass_time(self, seconds: float) -> None:
        """Let so much time go by, in which hints are heard as ever."""
        while seconds > 0:
            step = min(seconds, 2.0)
            self.clock.advance(step)
            self.wait_until_live()
            seconds -= step

    def publish(self) -> None:
        """Wait until everybody has heard what this one has committed."""
        publisher = self.hints._publisher
        assert publisher is not None
        assert publisher.flush(PATIENCE)
        self.exchange.wait_until_heard()
        self.clock.advance(0.01)

    def close(self) -> None:
        """End its threads."""
        self.exchange.flows.set()
        self.hints.stop(PATIENCE)


class Recorder:
    """A carrier that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[Any, float], bool]] = []

    def tell(self, cursors: Mapping[Any, float], *, spread: bool = False) -> None:
        """Keep it."""
        self.told.append((dict(cursors), spread))

    def listen(self) -> None:
        """Hear nobody."""


@contextmanager
def checkouts(site: Site) -> Iterator[list[object]]:
    """Yield a list that grows with each connection that is taken from the pool."""
    with site.app.app_context():
        engine = site.db.engine
    taken: list[object] = []

    def note(connection: object, *_: object) -> None:
        taken.append(connection)

    event.listen(engine, "checkout", note)
    try:
        yield taken
    finally:
        event.remove(engine, "checkout", note)
