"""Pages that listen: thousands of connections, held by one process, which notes when each is rung."""

from __future__ import annotations

import asyncio
import resource
import threading
import time
from contextlib import suppress

from flask_notify.stream.tokens import Tokens

SECRET = "benchmark"
PATIENCE = 50.0

# As a browser sends it.
_REQUEST = (
    "GET /stream?token={} HTTP/1.1\r\n"
    "Host: 127.0.0.1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36\r\n"
    "Accept: text/event-stream\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cache-Control: no-cache\r\n"
    "Referer: http://127.0.0.1/\r\n"
    "Sec-Fetch-Dest: empty\r\n"
    "Sec-Fetch-Mode: cors\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "\r\n"
)

_loop = asyncio.new_event_loop()
_rings: list[tuple[int, float]] = []
_open: list[Page] = []
_tokens = Tokens(SECRET)


class Page(asyncio.Protocol):
    """One connection."""

    def __init__(self, key: int, greeting: str) -> None:
        self.key = key
        self.greeted = asyncio.Event()
        self.transport: asyncio.Transport
        self._greeting = greeting.encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who it is."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._greeting)

    def data_received(self, data: bytes) -> None:
        """Note what comes."""
        if b"event: ring" in data:
            _rings.append((self.key, time.monotonic()))
        if b"event: hello" in data:
            self.greeted.set()


def listen(port: int, first: int, number: int, bare: bool) -> None:
    """Open pages of so many recipients, from a key on, and wait until each was greeted."""
    asyncio.run_coroutine_threadsafe(_listen(port, first, number, bare), _loop).result(PATIENCE)


def rings() -> list[tuple[int, float]]:
    """Return which keys were rung, and when, and forget it."""
    noted = _rings[:]
    _rings.clear()
    return noted


def close() -> None:
    """Close all pages."""
    for page in _open:
        _loop.call_soon_threadsafe(page.transport.abort)
    _open.clear()


async def _listen(port: int, first: int, number: int, bare: bool) -> None:
    for key in range(first, first + number):
        greeting = f"{key}\n" if bare else _REQUEST.format(_tokens.mint(str(key), time.time()))
        _, page = await _loop.create_connection(lambda: Page(key, greeting), "127.0.0.1", port)  # noqa: B023
        _open.append(page)
    for page in _open:
        await page.greeted.wait()


with suppress(ValueError):
    _hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))
threading.Thread(target=_loop.run_forever, daemon=True).start()
