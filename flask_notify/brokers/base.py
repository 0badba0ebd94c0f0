"""The port: what a broker does for us, whichever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import NotifyError

HINTS = "notify.hints"
"""The exchange or channel of all hints, in the virtual host or database that the address names."""

TIMEOUT = 5.0
"""Seconds for which a broker may be silent where it owes an answer."""

TICK = 0.25
"""Seconds after which a listener looks again whether it is to stop."""

WINDOW = 1_000
"""Letters that are under way at a time, before the broker has to confirm them."""


class BrokerUnavailable(NotifyError):
    """A broker cannot be reached now, or the connection to it was lost: try again later."""


class LetterRefused(NotifyError):
    """A broker answers, and will never take a letter for that queue, or not until somebody changes something.

    The queue is there already and of another kind, or is not for this account, or cannot have that name.

    :ivar queue: its name. Letters to others are taken.
    """

    def __init__(self, message: str, queue: str) -> None:
        super().__init__(message)
        self.queue = queue


@dataclass(frozen=True)
class Letter:
    """One message for a durable queue.

    :ivar queue: the queue's name.
    :ivar body: JSON text, in UTF-8.
    :ivar id: what a consumer knows a repeated letter by.
    :ivar expires_in: seconds after which it need not be kept for a consumer who does not come.
    """

    queue: str
    body: bytes
    id: str
    expires_in: float


class Broker(ABC):
    """A broker: it carries hints to everyone who listens now, and letters to durable queues.

    Nothing is opened before the first call, and a call after a failure connects anew. An instance
    belongs to one thread at a time: whoever listens and publishes at once has one for each.
    After a fork the child may go on with its copy, which leaves the parent's connection alone.
    Every call ends within some seconds of the broker's silence (:data:`TIMEOUT`). A broker that is there and slow is
    waited for, as long as it confirms at least one letter in a minute: to repeat them would make it slower.

    :ivar address: the broker's address without its password, for people.
    """

    address: str

    @abstractmethod
    def publish(self, hint: bytes) -> None:
        """Pass a hint of up to 64 KiB on to everyone who listens now.

        :raises BrokerUnavailable: it may be that not everyone hears it.
        """

    @abstractmethod
    def listen(self, heard: Callable[[bytes], None], stop: Callable[[], bool], ready: Callable[[], None]) -> None:
        """Listen for hints until told to stop; this blocks.

        :param heard: is called with each hint, in the order in which its publisher gave them.
        :param stop: is asked several times in a second; this returns soon after it has said True.
        :param ready: is called once: every hint that is published after it will be heard, or this raises.
        :raises BrokerUnavailable: the connection was lost; what was published since is not heard.
        """

    @abstractmethod
    def deliver(self, letters: Sequence[Letter]) -> None:
        """Put letters into their queues, and return when all are confirmed.

        Those of one queue are put there in their order. A queue is declared where it is not there.

        :raises LetterRefused: one of the queues cannot be had; any of the letters may have been taken over.
        :raises BrokerUnavailable: any of the letters may have been taken over: repeat all of them.
        :raises ConfigurationError: this broker has no queues.
        """

    @abstractmethod
    def probe(self) -> str:
        """Ask the broker who it is, as in "RabbitMQ 3.10.8".

        :raises BrokerUnavailable: it does not answer, and why.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the connection, if there is one; the next call opens it again."""


def masked(url: str) -> str:
    """Return an address without what is secret in it: the password, and options, which may hold one."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "an address that cannot be read"
    user = f"{parts.username}@" if parts.username else ""
    return f"{parts.scheme}://{user}{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}{parts.path}"
