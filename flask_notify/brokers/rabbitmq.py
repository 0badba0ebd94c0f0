"""RabbitMQ, through kombu and its AMQP library."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from .base import HINTS, TICK, WINDOW, Broker, BrokerUnavailable, Letter, LetterRefused, masked

try:
    import amqp
    from amqp.exceptions import AMQPError, ChannelError
    from kombu.connection import Connection
except ImportError:
    raise ConfigurationError(
        "A broker at amqp:// needs kombu, which is not installed: pip install flask-notify[rabbitmq]"
    ) from None

_PATIENCE = 60
"""Seconds that a server which is there may take to confirm one letter more: new queues are slow work for it."""

_LONGEST_NAME = 255
_LONGEST_TIME = 2**32 - 1
"""Milliseconds for which RabbitMQ can be told to keep a message."""

_BOUNDS = {
    # Who does not take its hints costs the broker no more than this; the newest are the ones to keep.
    "x-max-length": 1_000,
    "x-max-length-bytes": 8 * 1024 * 1024,
    "x-overflow": "drop-head",
}


class RabbitMQ(Broker):
    """RabbitMQ: hints by a fanout exchange, letters to durable queues with publisher confirms."""

    def __init__(self, url: str, timeout: float) -> None:
        self.address = masked(url)
        self._url = url
        self._timeout = timeout
        self._line: _Line | None = None
        try:
            _parsed(url, timeout, 0)
        except (KeyError, TypeError, ValueError):
            raise ConfigurationError(f"The address of the broker cannot be read: {self.address}") from None

    def publish(self, hint: bytes) -> None:
        """Publish to the exchange of hints; who listens has a queue bound to it."""
        with self._dropping_what_fails():
            self._connected().confirming().send([(amqp.Message(hint, delivery_mode=1), HINTS, "")])

    def listen(self, heard: Callable[[bytes], None], stop: Callable[[], bool], ready: Callable[[], None]) -> None:
        """Listen on a queue that is ours alone, and is gone when we are."""
        # Twice this many seconds of silence are the end of the connection, and RabbitMQ sends heartbeats.
        heartbeat = max(1, round(self._timeout))
        with self._translated():
            line = _Line(self._url, self._timeout, heartbeat)
        try:
            with self._translated():
                inbox = _subscribe(line.channel())
            ready()
            while not stop():
                with self._translated():
                    line.wait(TICK)
                    line.connection.heartbeat_tick()
                while inbox:
                    heard(inbox.pop(0))
        finally:
            line.close()

    def deliver(self, letters: Sequence[Letter]) -> None:
        """Publish to the queues by name, many at a time, and wait for the confirms."""
        for letter in letters:
            if len(letter.queue.encode()) > _LONGEST_NAME:
                raise LetterRefused(f"The name of a queue has at most {_LONGEST_NAME} bytes", letter.queue)
        with self._dropping_what_fails():
            confirming = self._connected().confirming()
            declared: set[str] = set()
            for start in range(0, len(letters), WINDOW):
                window = letters[start : start + WINDOW]
                names = {letter.queue for letter in window} - declared
                try:
                    confirming.send([(_message(letter), "", letter.queue) for letter in window], names)
                except ChannelError as error:
                    self._find_refused(names, error)
                declared |= names

    def probe(self) -> str:
        """Ask for product and version."""
        # By a connection of its own: that an old one is open does not tell that anybody is there.
        with self._translated():
            line = _Line(self._url, self._timeout)
            properties = line.connection.server_properties
            line.close()
        return f"{properties.get('product', 'AMQP')} {properties.get('version', '')}".strip()

    def close(self) -> None:
        """Close the connection, if there is one."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _connected(self) -> _Line:
        # Whether the server has ended the connection in the meantime is seen before anything is entrusted to it.
        if self._line is None or not self._line.alive():
            self.close()
            self._line = _Line(self._url, self._timeout)
        return self._line

    def _find_refused(self, names: Iterable[str], error: Exception) -> NoReturn:
        """Raise for the queue that may not be declared; the channel's error has not told which it was."""
        line = _Line(self._url, self._timeout)
        try:
            channel = line.channel()
            for name in names:
                try:
                    channel.queue_declare(name, durable=True, auto_delete=False)
                except ChannelError as refusal:
                    raise LetterRefused(f"RabbitMQ at {self.address} refuses a queue: {refusal}", name) from refusal
        finally:
            line.close()
        raise error

    @contextmanager
    def _dropping_what_fails(self) -> Iterator[None]:
        try:
            with self._translated():
                yield
        except BaseException:
            line, self._line = self._line, None
            if line is not None:
                line.drop()
            raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (AMQPError, OSError) as error:
            raise BrokerUnavailable(f"RabbitMQ at {self.address} is unavailable: {_reason(error)}") from error


class _Line:
    """A connection of this process."""

    def __init__(self, url: str, timeout: float, heartbeat: int = 0) -> None:
        self._process = os.getpid()
        self._url = url
        self._timeout = timeout
        self._confirming: _Confirming | None = None
        self.connection = _parsed(url, timeout, heartbeat).transport.establish_connection()
        # The library waits without an end wherever it is not told otherwise.
        self._socket = self.connection.sock
        self._socket.settimeout(timeout)

    def channel(self) -> Any:
        """Open a channel."""
        return self.connection.channel()

    def confirming(self) -> _Confirming:
        """Return the channel on which everything is confirmed."""
        if self._confirming is None:
            self._confirming = _Confirming(self.connection, self._timeout, self._greet)
        return self._confirming

    def _greet(self) -> None:
        _Line(self._url, self._timeout).close()

    def alive(self) -> bool:
        """Return whether it is this process's own, and nothing has come of its end."""
        if self._process != os.getpid():
            return False
        try:
            while self.wait(0):
                pass
        except (AMQPError, OSError):
            return False
        return True

    def wait(self, timeout: float) -> bool:
        """Take what comes next, and return whether anything came in time."""
        try:
            self.connection.drain_events(timeout=timeout)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """End the connection in order, if the server answers soon."""
        # One that the server has ended would be opened anew by a look at its socket.
        if self._process == os.getpid() and self.connection.connected:
            with suppress(AMQPError, OSError):
                self.connection.sock.settimeout(TICK)
                self.connection.close()
        self.drop()

    def drop(self) -> None:
        """Let go of the connection at once."""
        if self._process != os.getpid():
            # Only this process's end of it: to shut it down would cut off the parent.
            with suppress(OSError):
                self._socket.close()
            return
        with suppress(AMQPError, OSError):
            self.connection.collect()


class _Confirming:
    """A channel on which many messages are under way at a time, each to be confirmed."""

    def __init__(self, connection: Any, timeout: float, greet: Callable[[], None]) -> None:
        self._connection = connection
        self._greet = greet
        self._timeout = timeout
        self._last = 0
        # The keys of what is not confirmed, by number, the oldest first.
        self._waiting: dict[int, str] = {}
        self._rejected: list[str] = []
        self._returned = 0
        self._blocked = ""
        self._knows_hints = False
        self._channel = connection.channel()
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)
        connection.on_blocked = self._on_blocked
        connection.on_unblocked = self._on_unblocked

    def send(self, messages: Sequence[tuple[Any, str, str]], declare: Iterable[str] = ()) -> None:
        """Publish each message to its exchange and key, and return when all are confirmed.

        :param declare: the keys that are queues which may not be there yet.
        """
        undeclared = set(declare)
        for message, exchange, key in messages:
            if exchange == HINTS and not self._knows_hints:
                _declare_hints(self._channel)
                self._knows_hints = True
            if key in undeclared:
                # Just before its first letter, for a new queue takes the server long, and confirms come in between.
                # Nobody waits for an answer: a refusal closes the channel.
                self._channel.queue_declare(key, durable=True, auto_delete=False, nowait=True)
                undeclared.discard(key)
            self._last += 1
            self._waiting[self._last] = key
            # Mandatory for a queue: where it was deleted in between, the letter comes back, and is not lost.
            self._channel.basic_publish(message, exchange, key, mandatory=not exchange)
        self._wait_for_confirms()
        if self._rejected:
            raise LetterRefused("RabbitMQ rejects what it is given for a queue, by its policy", self._rejected[0])
        lacking = len(self._waiting) + self._returned
        if lacking:
            raise BrokerUnavailable(f"RabbitMQ has not confirmed {lacking} of {len(messages)} messages{self._blocked}")

    def _wait_for_confirms(self) -> None:
        until = time.monotonic() + _PATIENCE
        while self._waiting and time.monotonic() < until:
            lacking = len(self._waiting)
            try:
                self._connection.drain_events(timeout=self._timeout)
            except TimeoutError:
                if self._blocked:
                    return
                # Busy, or gone? Who is there greets a newcomer.
                self._greet()
            if len(self._waiting) < lacking:
                until = time.monotonic() + _PATIENCE

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._take(tag, multiple)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._rejected += self._take(tag, multiple)

    def _on_return(self, _error: Exception, _exchange: str, _queue: str, _message: Any) -> None:
        self._returned += 1

    def _take(self, tag: int, multiple: bool) -> list[str]:
        tags = [waiting for waiting in self._waiting if waiting <= tag] if multiple else [tag]
        return [self._waiting.pop(tag) for tag in tags]

    def _on_blocked(self, _reason: str) -> None:
        self._blocked = ": it takes nothing for now, for want of memory or disk space"

    def _on_unblocked(self) -> None:
        self._blocked = ""


def _message(letter: Letter) -> Any:
    return amqp.Message(
        letter.body,
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=2,
        message_id=letter.id,
        expiration=str(min(max(1, round(letter.expires_in * 1000)), _LONGEST_TIME)),
    )


def _subscribe(channel: Any) -> list[bytes]:
    """Return the list that the hints are put into."""
    inbox: list[bytes] = []
    _declare_hints(channel)
    name = channel.queue_declare(exclusive=True, auto_delete=True, arguments=_BOUNDS).queue
    channel.queue_bind(name, HINTS)
    channel.basic_consume(name, no_ack=True, callback=lambda message: inbox.append(_bytes(message.body)))
    return inbox


def _declare_hints(channel: Any) -> None:
    channel.exchange_declare(HINTS, "fanout", durable=True, auto_delete=False)


def _bytes(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body


def _parsed(url: str, timeout: float, heartbeat: int) -> Any:
    connection: Any = Connection(url, connect_timeout=timeout, heartbeat=heartbeat)
    if url.startswith("amqps:"):
        # kombu's names for the options of an address are not its AMQP library's, which without a name for the
        # server would take anybody's certificate.
        options = connection.ssl if isinstance(connection.ssl, dict) else {}
        connection.ssl = {name.removeprefix("ssl_"): value for name, value in options.items()}
        if connection.ssl.pop("check_hostname", True):
            connection.ssl["server_hostname"] = urlsplit(url).hostname
    return connection


def _reason(error: BaseException) -> str:
    # The library touches the socket once more after the server has said why it ends the connection.
    said = error.__context__
    if isinstance(error, OSError) and isinstance(said, AMQPError):
        return str(said)
    return str(error) or type(error).__name__
