"""The mail server: aiosmtpd in a process of its own, which counts what it is given and forgets it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from aiosmtpd.smtp import SMTP

_taken = {"mails": 0, "bytes": 0}
_delay = [0.0]


class _Handler:
    """What aiosmtpd asks."""

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        if _delay[0]:
            await asyncio.sleep(_delay[0])
        _taken["mails"] += 1
        _taken["bytes"] += len(envelope.content)
        return "250 OK"


def listen() -> int:
    """Listen on a free port, and return it."""
    ports: list[int] = []
    ready = threading.Event()
    threading.Thread(target=lambda: asyncio.run(_serve(ports, ready)), daemon=True).start()
    ready.wait()
    return ports[0]


async def _serve(ports: list[int], ready: threading.Event) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(_Handler(), hostname="mail.test", loop=loop), "127.0.0.1", 0)
    ports.append(server.sockets[0].getsockname()[1])
    ready.set()
    await server.serve_forever()


def take(delay: float) -> None:
    """Take so many seconds over each mail from now on, and count from nothing."""
    _delay[0] = delay
    _taken.update(mails=0, bytes=0)


def taken() -> dict[str, int]:
    """Return how many mails, and bytes, there were."""
    return dict(_taken)
