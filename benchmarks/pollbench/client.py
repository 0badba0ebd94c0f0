"""The load: a closed loop of logged-in clients, lean enough not to be what is measured.

Each of a few processes owns a share of the clients and lets them poll in turn over plain
sockets, one request at a time. The servers close each connection after the answer, as
gunicorn's sync workers always do.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

MAX_ANSWER = 65536
"""Bytes; more than any answer has."""

# Seconds, and microseconds, after which a server that does not answer fails the benchmark.
_TIMEOUT = struct.pack("ll", 30, 0)
_ETAG = re.compile(rb"^etag: *(\S+)\r$", re.IGNORECASE | re.MULTILINE)
_COOKIE = re.compile(rb"^set-cookie: *([^;\r]+)", re.IGNORECASE | re.MULTILINE)
_HEADERS = "Host: 127.0.0.1\r\nUser-Agent: poll-benchmark\r\nAccept: */*\r\n"


class WrongAnswerError(Exception):
    """An answer that is not the one which the benchmark means to measure."""


@dataclass(frozen=True)
class Client:
    """One logged-in browser: where it polls, and the request that it sends."""

    port: int
    plain: bytes
    with_ticket: bytes = b""


@dataclass(frozen=True)
class Share:
    """The clients of one process, and how they poll (see :class:`~.polls.Poll`)."""

    clients: list[Client]
    full_every: int
    items: int
    warm_up: int = 0
    seconds: float = 0.0


@dataclass
class Sample:
    """What one process saw: the seconds each poll took, and the CPU time it cost the client."""

    latencies: list[float] = field(default_factory=list)
    cpu: float = 0.0


def exchange(port: int, request: bytes) -> bytes:
    """Send a request to the server on a port of this machine and return its whole answer."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEOUT)
        connection.connect(("127.0.0.1", port))
        connection.sendall(request)
        # One call, and one awakening of this process, until the server closes the connection.
        return connection.recv(MAX_ANSWER, socket.MSG_WAITALL)


def log_in(port: int, key: int) -> str:
    """Log a user in and return the header by which the server knows the session."""
    request = f"POST /login/{key} HTTP/1.1\r\n{_HEADERS}Content-Length: 0\r\n\r\n"
    answer = exchange(port, request.encode())
    if not answer.startswith(b"HTTP/1.1 200"):
        raise WrongAnswerError(f"the login of user {key} was answered by {answer[:200]!r}")
    cookies = "; ".join(found.decode() for found in _COOKIE.findall(answer))
    return f"Cookie: {cookies}\r\n"


def client(port: int, path: str, session: str = "") -> Client:
    """Return the client that polls a path with the session of a login."""
    return Client(port, f"GET {path} HTTP/1.1\r\n{_HEADERS}{session}\r\n".encode())


def prime(share: Share) -> Share:
    """Let each client poll, so that caches are warm, and keep the tickets it is given.

    :raises WrongAnswerError: if a client that should poll with a ticket is given none.
    """
    return replace(share, clients=[_primed(one, share) for one in share.clients])


def measure(share: Share) -> Sample:
    """Let the clients poll in turn until the time of the share is over."""
    sample = Sample()
    cpu = time.process_time()
    now = time.perf_counter()
    deadline = now + share.seconds
    turns = _turns(share)
    while now < deadline:
        send = next(turns)
        begin = time.perf_counter()
        send()
        now = time.perf_counter()
        sample.latencies.append(now - begin)
    sample.cpu = time.process_time() - cpu
    return sample


def _turns(share: Share) -> Iterator[Callable[[], None]]:
    turn = 0
    while True:
        for position, one in enumerate(share.clients):
            # The full polls are spread over the clients: they do not all fall into one turn.
            full = share.full_every and (turn + position) % share.full_every == 0
            yield lambda one=one, full=full: _poll(one, bool(full), share.items)  # type: ignore[misc]
        turn += 1


def _poll(one: Client, full: bool, items: int) -> None:
    answer = exchange(one.port, one.plain if full else one.with_ticket)
    expected = b"HTTP/1.1 200" if full else b"HTTP/1.1 304"
    if not answer.startswith(expected) or answer.count(b'"timestamp"') != items:
        raise WrongAnswerError(f"expected {expected.decode()} with {items} notifications, got {answer[:400]!r}")


def _primed(one: Client, share: Share) -> Client:
    answer = exchange(one.port, one.plain)
    if share.full_every == 1:
        return one
    found = _ETAG.search(answer)
    if not found:
        raise WrongAnswerError(f"expected an answer with an ETag, got {answer[:400]!r}")
    ticket = b"If-None-Match: " + found[1] + b"\r\n\r\n"
    primed = replace(one, with_ticket=one.plain.removesuffix(b"\r\n") + ticket)
    for _ in range(share.warm_up):
        exchange(primed.port, primed.with_ticket)
    return primed
