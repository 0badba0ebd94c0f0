"""What carries the news of this process's commits to a broker."""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from .outage import Outage, close
from .wire import Hint, encode, encode_all

if TYPE_CHECKING:
    from ..brokers.base import Broker

MOST_PENDING = 10_000
"""How many recipients wait for the broker by name; beyond that "everyone" is told."""

_AT_EXIT = 1.0


@dataclass
class _News:
    """What waits for the broker: merged by recipient, so that there is never too much of it."""

    most: int
    at_once: dict[str, float] = field(default_factory=dict)
    spread: dict[str, float] = field(default_factory=dict)
    everyone: bool = False

    def add(self, cursors: Mapping[Any, float], *, spread: bool) -> None:
        if self.everyone:
            return
        mine = self.spread if spread else self.at_once
        for key, cursor in cursors.items():
            name = str(key)
            mine[name] = max(cursor, mine.get(name, cursor))
        if len(self.at_once) + len(self.spread) > self.most:
            self.at_once, self.spread, self.everyone = {}, {}, True

    def add_all(self, other: _News) -> None:
        self.everyone = self.everyone or other.everyone
        self.add(other.at_once, spread=False)
        self.add(other.spread, spread=True)

    def bodies(self) -> Iterator[bytes]:
        if self.everyone:
            yield encode(Hint(spread=True, everyone=True))
            return
        yield from encode_all(self.at_once, spread=False)
        yield from encode_all(self.spread, spread=True)

    def __bool__(self) -> bool:
        return self.everyone or bool(self.at_once) or bool(self.spread)


class Publisher:
    """Takes news over at once, and publishes it in a thread of its own.

    Whoever commits only writes into a dictionary, however long the broker takes or is away.

    :param connect: makes the broker, in the thread, when there is something to publish.
    :param most: how many recipients wait by name.
    """

    def __init__(self, connect: Callable[[], Broker], *, most: int = MOST_PENDING) -> None:
        self._connect = connect
        self._most = most
        self._changed = Condition()
        self._pending = _News(most)
        self._in_hand = _News(most)
        self._stopping = False
        self._hurried = False
        self._thread: Thread | None = None
        _publishers.add(self)

    def tell(self, cursors: Mapping[Any, float], *, spread: bool = False) -> None:
        """Take over the news and return at once; see :class:`.news.Carrier`."""
        with self._changed:
            self._pending.add(cursors, spread=spread)
            if self._thread is None and not self._stopping:
                # Not before there is news: a process that tells nothing needs none.
                thread = Thread(target=self._work, name="flask-notify publisher", daemon=True)
                thread.start()  # which fails while the interpreter ends
                self._thread = thread
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until all is published, at most for some seconds; return whether it is."""
        with self._changed:
            self._hurried = True  # not after the rest of a pause
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not (self._pending or self._in_hand), timeout)

    def stop(self, timeout: float) -> None:
        """Publish what waits, at most for some seconds, and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout)

    def _work(self) -> None:
        outage = Outage("Other processes are not told of news, and pages see it with their next poll")
        broker: Broker | None = None
        while self._take():
            try:
                broker = broker or self._connect()
                for body in self._in_hand.bodies():
                    broker.publish(body)
            except Exception as error:  # noqa: BLE001  # whatever it is, the next news must find the thread alive
                close(broker)
                broker = None
                if not self._wait_before_repeating(outage.goes_on(error)):
                    return
            else:
                outage.is_over()
        close(broker)

    def _take(self) -> bool:
        """Wait for news, and take it in hand; return False once there is to be no more."""
        with self._changed:
            self._in_hand = _News(self._most)
            self._changed.notify_all()
            self._changed.wait_for(lambda: bool(self._pending) or self._stopping)
            self._in_hand, self._pending = self._pending, self._in_hand
            return bool(self._in_hand)

    def _wait_before_repeating(self, pause: float) -> bool:
        with self._changed:
            # What has come meanwhile is newer.
            self._in_hand.add_all(self._pending)
            self._pending, self._in_hand = self._in_hand, _News(self._most)
            self._changed.wait_for(lambda: self._hurried or self._stopping, pause)
            self._hurried = False
            return not self._stopping


_publishers: WeakSet[Publisher] = WeakSet()

if hasattr(os, "register_at_fork"):
    # A child has none of its parent's threads, and their locks may be held for ever.
    os.register_at_fork(after_in_child=_publishers.clear)


@atexit.register
def _flush_all() -> None:
    """Let a command that was short, and a worker that ends, publish their last news."""
    end = time.monotonic() + _AT_EXIT
    for publisher in list(_publishers):
        publisher.flush(max(0.0, end - time.monotonic()))
