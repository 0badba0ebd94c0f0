"""A mail server that passes nothing on: what it takes lies in the letterboxes of this demo."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..letterbox.store import Letterbox

if TYPE_CHECKING:
    from aiosmtpd.smtp import SMTP, Envelope, Session


class _Catcher:
    """Takes every mail to whomever, as aiosmtpd asks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Put the mail into the letterbox of each recipient, before it is said to be there."""
        content = envelope.content or b""
        for address in envelope.rcpt_tos:
            Letterbox(self._folder, address).put(content if isinstance(content, bytes) else content.encode())
        return "250 It is in the letterbox"


@contextmanager
def catch_mail(host: str, folder: Path) -> Iterator[int]:
    """Take mails, on a free port, which is yielded, and put them into letterboxes in *folder*."""
    smtp = _find_server()
    listener = socket.create_server((host, 0))
    loop, stopped = asyncio.new_event_loop(), asyncio.Event()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        make = partial(smtp, _Catcher(folder), hostname=host, loop=loop)
        loop.run_until_complete(_serve(make, listener, stopped))
        loop.close()

    thread = threading.Thread(target=serve, name="mail catcher", daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()


async def _serve(make: Callable[[], SMTP], listener: socket.socket, stopped: asyncio.Event) -> None:
    server = await asyncio.get_running_loop().create_server(make, sock=listener)
    await stopped.wait()
    server.close()
    conversations = asyncio.all_tasks() - {asyncio.current_task()}
    for conversation in conversations:
        conversation.cancel()
    await asyncio.gather(*conversations, return_exceptions=True)


def _find_server() -> type[SMTP]:
    try:
        from aiosmtpd.smtp import SMTP
    except ImportError:
        raise click.ClickException("The demo catches mail with aiosmtpd: pip install 'flask-notify[demo]'.") from None
    return SMTP
