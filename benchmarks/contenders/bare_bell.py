"""A bare asyncio fan-out over Redis: ``python -m contenders.bare_bell PORT REDIS``.

It knows no tokens, no limits, no slow clients and no heartbeats. Whoever connects says a key on a line, and is sent a
line for each message that names it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

import redis.asyncio
import uvloop

RING = b'event: ring\ndata: {"spread": 0}\n\n'

_pages: dict[str, list[asyncio.Transport]] = {}


class Page(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        """Take the key."""
        _pages.setdefault(data.decode().strip(), []).append(self._transport)
        self._transport.write(b"event: hello\n\n")


async def main(port: int, url: str) -> None:
    """Ring until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Page, "127.0.0.1", port, backlog=2_048)
    subscription = redis.asyncio.Redis.from_url(url).pubsub()
    await subscription.subscribe("bare")
    print("up", flush=True)
    async with server:
        async for message in subscription.listen():
            if message["type"] == "message":
                for key in json.loads(message["data"])["cursors"]:
                    for transport in _pages.get(key, ()):
                        transport.write(RING)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
