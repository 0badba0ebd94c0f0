"""A broker that keeps what it is given, and can be away, slow or in the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from flask_notify.brokers.base import Broker, BrokerUnavailable, Letter
from flask_notify.relaying.relayer import Relayer
from tests.apps import Site


class Desk(Broker):
    """Takes letters into lists, one for each queue.

    :param before: called before letters are taken, and :attr:`after` when they are, and not confirmed
        yet. Either may block, or raise.
    """

    def __init__(self) -> None:
        self.queues: dict[str, list[Letter]] = {}
        self.before: Callable[[Sequence[Letter]], object] = lambda _letters: None
        self.after: Callable[[Sequence[Letter]], object] = lambda _letters: None
        self.connections = 0
        self.closed = 0

    def connect(self) -> Desk:
        """Return itself, and count it."""
        self.connections += 1
        return self

    def deliver(self, letters: Sequence[Letter]) -> None:
        """Take letters."""
        self.before(letters)
        for letter in letters:
            self.queues.setdefault(letter.queue, []).append(letter)
        self.after(letters)

    def close(self) -> None:
        """Count it."""
        self.closed += 1

    def publish(self, hint: bytes) -> None:
        """Nobody listens."""

    def listen(self, heard: Any, stop: Any, ready: Any) -> None:
        """Nobody publishes."""

    def probe(self) -> str:
        """Say what it is."""
        return "a desk"

    def texts(self, key: Any) -> list[str]:
        """Return what has come for a recipient."""
        return [json.loads(letter.body)["message"] for letter in self.queues.get(f"_notifs_{key}", [])]

    def first_texts(self, key: Any) -> list[str]:
        """Return what has come, without what was known already by its id; a repeat says the same."""
        known: dict[str, bytes] = {}
        for letter in self.queues.get(f"_notifs_{key}", []):
            assert known.setdefault(letter.id, letter.body) == letter.body
        return [json.loads(body)["message"] for body in known.values()]


def away(_letters: Any) -> None:
    """Be away."""
    raise BrokerUnavailable("connection refused")


def relayer_of(site: Site, desk: Desk) -> Relayer:
    """Return one that delivers to a desk."""
    return Relayer(site.notify.models, site.app.extensions["notify"].settings, desk.connect)


def relay(site: Site, desk: Desk) -> int:
    """Relay all that waits, and return how many it was."""
    with site.app.app_context():
        return sum(relayer_of(site, desk).relay())
