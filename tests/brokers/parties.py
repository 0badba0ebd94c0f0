"""Who takes part beside the broker that is tested: listeners in threads, and consumers of queues."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, SupportsIndex, overload

import kombu

from flask_notify.brokers import Broker, BrokerUnavailable, Letter, connect
from flask_notify.brokers.memory import hub

SECONDS = 90
"""How long anything may take on a machine that does much else."""


class Ear:
    """Listens in a thread of its own.

    :ivar heard: the hints so far.
    :ivar lost: what ended the listening, or None.
    """

    def __init__(self, broker: Broker, on_hint: Callable[[bytes], None] | None = None) -> None:
        self.heard: list[bytes] = []
        self.lost: BaseException | None = None
        self._broker = broker
        self._on_hint = on_hint
        self._changed = threading.Condition()
        self._ready = False
        self._stopped = False
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def start(self) -> None:
        """Listen, and return when it has begun."""
        self._thread.start()
        self._wait(lambda: self._ready or self.lost is not None)
        if self.lost is not None:
            raise self.lost

    def stop(self) -> None:
        """Tell it to stop, and wait until it has."""
        self._stopped = True
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()

    def wait_for(self, count: int) -> list[bytes]:
        """Return what was heard, when it is that many hints."""
        self._wait(lambda: len(self.heard) >= count or self.lost is not None)
        return self.heard

    def wait_for_loss(self) -> BaseException:
        """Return what ends the listening."""
        self._wait(lambda: self.lost is not None)
        assert self.lost is not None
        return self.lost

    def _wait(self, when: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(when, SECONDS)

    def _listen(self) -> None:
        try:
            self._broker.listen(self._hear, lambda: self._stopped, self._begin)
        except BrokerUnavailable as error:
            self._note(lost=error)

    def _begin(self) -> None:
        with self._changed:
            self._ready = True
            self._changed.notify_all()

    def _hear(self, hint: bytes) -> None:
        if self._on_hint is not None:
            self._on_hint(hint)
        self._note(hint=hint)

    def _note(self, hint: bytes | None = None, lost: BaseException | None = None) -> None:
        with self._changed:
            if hint is not None:
                self.heard.append(hint)
            self.lost = lost
            self._changed.notify_all()


@contextmanager
def listening(url: str, on_hint: Callable[[bytes], None] | None = None, **options: Any) -> Iterator[Ear]:
    """Listen at the address, and stop at the end."""
    ear = Ear(connect(url, **options), on_hint)
    ear.start()
    yield ear
    ear.stop()


class Interrupted(list[Letter]):
    """Letters; when those from a place on are looked at, something is done first."""

    def __init__(self, these: list[Letter], place: int, do: Callable[[], object]) -> None:
        super().__init__(these)
        self._place = place
        self._do = do

    @overload
    def __getitem__(self, which: SupportsIndex) -> Letter: ...
    @overload
    def __getitem__(self, which: slice) -> list[Letter]: ...
    def __getitem__(self, which: SupportsIndex | slice) -> Letter | list[Letter]:
        if isinstance(which, slice) and which.start == self._place:
            self._do()
        return super().__getitem__(which)


def a_queue() -> str:
    """Return the name of a queue that nobody had."""
    return f"_notifs_{uuid.uuid4()}"


def letters(queue: str, count: int, expires_in: float = 3600, first: int = 0) -> list[Letter]:
    """Return numbered letters, each with an id of its own."""
    return [
        Letter(queue, json.dumps({"number": number}).encode(), str(uuid.uuid4()), expires_in)
        for number in range(first, first + count)
    ]


def consume(url: str, queue: str) -> list[tuple[str, Any]]:
    """Take all that is in the queue, as a consumer does who knows kombu and nothing of us: ids and bodies."""
    if url.startswith("memory:"):
        return [(letter.id, json.loads(letter.body)) for letter in hub(url).take(queue)]
    with kombu.Connection(url, connect_timeout=SECONDS) as connection:
        bound = kombu.Queue(queue, durable=True)(connection.channel())
        bound.queue_declare()
        return list(_taken(bound))


def _taken(queue: Any) -> Iterator[tuple[str, Any]]:
    while (message := queue.get(no_ack=True)) is not None:
        yield message.properties["message_id"], message.payload
