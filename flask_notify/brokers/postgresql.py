"""PostgreSQL's LISTEN and NOTIFY: hints without a broker beside the database."""

from __future__ import annotations

import base64
import os
import selectors
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, cast

from ..errors import ConfigurationError
from .base import HINTS, TICK, TIMEOUT, Broker, BrokerUnavailable, Letter, masked

try:
    import psycopg
    from psycopg import pq
except ImportError:
    raise ConfigurationError(
        "LISTEN and NOTIFY of PostgreSQL need psycopg 3, which is not installed: pip install 'psycopg[binary]'"
    ) from None

if TYPE_CHECKING:
    from sqlalchemy import Engine

_CHANNEL = HINTS.replace(".", "_")
_PART = 7_800
"""Characters of a hint in one notification, of which PostgreSQL takes less than 8,000 bytes."""


def of_url(url: str, timeout: float = TIMEOUT) -> PostgreSQL:
    """Return the broker of an address like ``postgresql://user:password@host/database``."""
    try:
        parameters: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(
            url.replace("postgresql+psycopg:", "postgresql:", 1)
        )
    except psycopg.ProgrammingError:
        # Its text may hold the password.
        raise ConfigurationError(f"The address of the broker cannot be read: {masked(url)}") from None
    # What the address says for itself goes before.
    parameters.setdefault("connect_timeout", str(max(2, round(timeout))))
    parameters.setdefault("application_name", "flask-notify")
    conninfo = psycopg.conninfo.make_conninfo("", **parameters)
    return PostgreSQL(lambda: psycopg.connect(conninfo, autocommit=True), masked(url), timeout)


def of_engine(engine: Engine, timeout: float = TIMEOUT) -> PostgreSQL:
    """Return the broker of an engine of psycopg 3, which connects as the engine does."""

    def open_one() -> psycopg.Connection:
        # A pool for this one connection: what the engine was told about connecting is kept there.
        fairy = engine.pool.recreate().connect()
        connection = cast(psycopg.Connection, fairy.driver_connection)
        fairy.detach()
        connection.rollback()
        connection.autocommit = True
        return connection

    return PostgreSQL(open_one, masked(engine.url.render_as_string(hide_password=True)), timeout)


class PostgreSQL(Broker):
    """Hints by a channel of the database; it has no queues."""

    def __init__(self, open_one: Callable[[], psycopg.Connection], address: str, timeout: float) -> None:
        self.address = address
        self._open_one = open_one
        self._timeout = timeout
        self._line: _Line | None = None

    def publish(self, hint: bytes) -> None:
        """Notify, in as many parts as it takes; they arrive together, for they are of one transaction."""
        with self._dropping_what_fails():
            self._connected().run(b"SELECT pg_notify($1, part) FROM unnest($2::text[]) AS part", _CHANNEL, _parts(hint))

    def listen(self, heard: Callable[[bytes], None], stop: Callable[[], bool], ready: Callable[[], None]) -> None:
        """Listen on a connection of its own."""
        assembly = _Assembly()
        with self._translated():
            line = _Line(self._open_one(), self._timeout)
        try:
            with self._translated():
                line.run(f"LISTEN {_CHANNEL}".encode())
            ready()
            told = time.monotonic()
            while not stop():
                with self._translated():
                    notifications = line.notifications(TICK)
                    now = time.monotonic()
                    if notifications:
                        told = now
                    elif now > told + self._timeout:
                        line.run(b"SELECT 1")
                        told = now
                for part in notifications:
                    hint = assembly.add(part)
                    if hint is not None:
                        heard(hint)
        finally:
            line.close()

    def deliver(self, letters: Sequence[Letter]) -> NoReturn:  # noqa: ARG002
        """Refuse: a database has no queues."""
        raise ConfigurationError(
            "PostgreSQL carries hints, and no letters to queues: set NOTIFY_BROKER_URL to a RabbitMQ or a Redis"
        )

    def probe(self) -> str:
        """Ask for the version."""
        with self._dropping_what_fails():
            return f"PostgreSQL {self._connected().run(b'SHOW server_version')}"

    def close(self) -> None:
        """Close the connection, if there is one."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _connected(self) -> _Line:
        if self._line is None or not self._line.alive():
            self.close()
            self._line = _Line(self._open_one(), self._timeout)
        return self._line

    @contextmanager
    def _dropping_what_fails(self) -> Iterator[None]:
        try:
            with self._translated():
                yield
        except BaseException:
            self.close()
            raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.Error, OSError) as error:
            said = " ".join(str(error).split())
            raise BrokerUnavailable(f"PostgreSQL at {self.address} is unavailable: {said}") from error


class _Line:
    """A connection of this process, on which nothing waits for longer than it is told.

    psycopg's own calls wait for the server without an end; so these are libpq's.
    """

    def __init__(self, connection: psycopg.Connection, timeout: float) -> None:
        self._process = os.getpid()
        self._connection = connection
        self._timeout = timeout
        self._libpq = connection.pgconn
        self._libpq.nonblocking = 1

    def alive(self) -> bool:
        """Return whether it is this process's own, and nothing has come of its end."""
        if self._process != os.getpid():
            return False
        try:
            # Until nothing is left: before the end of a connection there may be a last word of the server.
            while self._ready(selectors.EVENT_READ, 0):
                self._libpq.consume_input()
        except psycopg.Error:
            return False
        return self._libpq.status == pq.ConnStatus.OK

    def run(self, statement: bytes, *values: str) -> str | None:
        """Run a statement and return the first value of its first row."""
        until = time.monotonic() + self._timeout
        self._libpq.send_query_params(statement, [value.encode() for value in values])
        while self._libpq.flush():
            self._wait(selectors.EVENT_READ | selectors.EVENT_WRITE, until)
            self._libpq.consume_input()
        while self._libpq.is_busy():
            self._wait(selectors.EVENT_READ, until)
            self._libpq.consume_input()
        found = None
        while (result := self._libpq.get_result()) is not None:
            if result.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
                raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
            found = result.get_value(0, 0) if result.ntuples and result.nfields else None
        return None if found is None else found.decode()

    def notifications(self, timeout: float) -> list[bytes]:
        """Return what has come within the seconds."""
        self._ready(selectors.EVENT_READ, timeout)
        self._libpq.consume_input()
        return list(iter(self._next, None))

    def close(self) -> None:
        """Close the connection, unless it is a parent process's."""
        if self._process == os.getpid():
            self._connection.close()

    def _next(self) -> bytes | None:
        notification = self._libpq.notifies()
        return None if notification is None else notification.extra

    def _wait(self, events: int, until: float) -> None:
        if not self._ready(events, max(0.0, until - time.monotonic())):
            raise psycopg.OperationalError(f"it has not answered for {self._timeout:g} s")

    def _ready(self, events: int, timeout: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._libpq.socket, events)
            return bool(selector.select(timeout))


def _parts(hint: bytes) -> str:
    """Return the hint in parts, as the text of an array: none of their characters has a meaning there."""
    text = base64.b64encode(hint).decode()
    parts = [text[start : start + _PART] for start in range(0, len(text), _PART)] or [""]
    name = uuid.uuid4().hex
    return "{" + ",".join(f"{name}:{number}:{len(parts)}:{part}" for number, part in enumerate(parts)) + "}"


class _Assembly:
    """Puts the parts of a hint together, which come one after the other."""

    def __init__(self) -> None:
        self._name = ""
        self._parts: list[str] = []

    def add(self, notification: bytes) -> bytes | None:
        """Return the hint whose last part this is, or None."""
        try:
            name, number, count, part = notification.decode().split(":")
            if name != self._name:
                self._name, self._parts = name, []
            self._parts.append(part)
            if int(number) + 1 < int(count) or len(self._parts) != int(count):
                return None
            return base64.b64decode("".join(self._parts), validate=True)
        except ValueError:
            # Somebody else's notification.
            return None
