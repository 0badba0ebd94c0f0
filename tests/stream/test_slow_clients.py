"""Who does not read is dropped, and nothing is kept for them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.scheduling.process import Process
from tests.servers import Redis
from tests.stream.conftest import Hints, Listen, Start
from tests.stream.listening import PATIENCE, Event, port_of, token_for

pytestmark = pytest.mark.slow

MANY = 60


@pytest.fixture
def connections() -> Iterator[ExitStack]:
    """What is closed after the test."""
    with ExitStack() as stack:
        yield stack


def open_and_never_read(process: Process, key: int, connections: ExitStack) -> socket.socket:
    connection = connections.enter_context(socket.socket())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the least that the system allows
    connection.connect(("127.0.0.1", port_of(process)))
    connection.sendall(f"GET /stream?token={token_for(key)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return connection


def memory(process: Process) -> int:
    """Return what a process has in memory, in kilobytes."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def connections_of(process: Process) -> int:
    """Return how many files a process has open."""
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def is_reset(connection: socket.socket) -> bool:
    """Whether the other end has dropped the connection, with what it had still to send."""
    connection.settimeout(PATIENCE)
    try:
        while connection.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return False


def test_a_page_that_does_not_read_is_dropped_and_costs_no_memory(
    start: Start, listen: Listen, redis: Redis, hint: Hints, connections: ExitStack
) -> None:
    process = start(redis.url, NOTIFY_STREAM_LIMIT=1_000)
    reader = listen(process, 1)
    stuck = [open_and_never_read(process, 2 + number, connections) for number in range(MANY)]
    listen(process, 1_000)  # those before it are being served
    keys, before, files = range(1, MANY + 2), memory(process), connections_of(process)

    # Each page is told far more than its connection holds, one ring at a time.
    told, ends = 0, time.monotonic() + PATIENCE
    while connections_of(process) > files - MANY and time.monotonic() < ends:
        hint(redis.url, *keys)
        assert reader.wait_for("ring") == Event("ring", {"spread": 0})
        told += 1

    assert connections_of(process) <= files - MANY, told
    assert memory(process) - before < 100 * MANY
    assert all(is_reset(connection) for connection in stuck[:10])
    hint(redis.url, 1)
    assert reader.wait_for("ring") == Event("ring", {"spread": 0})
    process.terminate()
    assert process.wait() == 0


def test_who_does_not_read_does_not_hold_up_the_end(
    start: Start, listen: Listen, redis: Redis, hint: Hints, connections: ExitStack
) -> None:
    process = start(redis.url)
    reader = listen(process, 1)
    connection = open_and_never_read(process, 1, connections)
    for _ in range(400):
        hint(redis.url, 1)
        reader.wait_for("ring")

    process.terminate()

    assert process.wait() == 0
    assert is_reset(connection)
