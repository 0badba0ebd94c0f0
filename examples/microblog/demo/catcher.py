"""A mail server that passes nothing on: what it takes lies in the letterboxes of this demo."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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
    loop = asyncio.new_event_loop()
    serving = loop.create_server(lambda: smtp(_Catcher(folder), hostname=host, loop=loop), host, 0)
    server = loop.run_until_complete(serving)
    thread = threading.Thread(target=loop.run_forever, name="mail catcher", daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.close()


def _find_server() -> type[SMTP]:
    try:
        from aiosmtpd.smtp import SMTP
    except ImportError:
        raise click.ClickException("The demo catches mail with aiosmtpd: pip install 'flask-notify[demo]'.") from None
    return SMTP
