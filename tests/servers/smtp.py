"""An SMTP server that keeps what it is given, and misbehaves as it is told."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from .base import free_port

START_SECONDS = 60


@dataclass(frozen=True)
class Received:
    """One mail that the server has said 250 to, or would have."""

    sender: str
    address: str
    content: bytes


Step = Callable[[str], Any]
"""Called with the recipient's address, in a thread that may block; a text is the server's reply."""


class SMTPServer:
    """A server in a thread of this process.

    Tell it what to do about an address by `at_rcpt`, `at_data` (the mail is there, and not
    recorded) and `at_taken` (it is recorded, and the 250 not said): functions that are called
    with the address and may block. What they return is the reply; None is the usual one. For all
    addresses use the key "*".

    :param delay: seconds that it takes over each mail.
    :param login: the name and password it wants, or None.
    :param tls: a server's context for STARTTLS, or, with ``at_once``, for all that is said.
    """

    def __init__(
        self,
        delay: float = 0.0,
        login: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        self.port = free_port()
        self.delay = delay
        self.received: list[Received] = []
        self.connections = 0
        self.at_rcpt: dict[str, Step] = {}
        self.at_data: dict[str, Step] = {}
        self.at_taken: dict[str, Step] = {}
        self.login = login
        self._tls = tls
        self._at_once = at_once
        self._open: set[_Conversation] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen on the port."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(START_SECONDS)

    def stop(self) -> None:
        """End all conversations, and refuse new ones."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join()
            self._loop = self._thread = None

    def end_conversations(self) -> None:
        """Drop the connections that are open, as a server that restarts does."""
        assert self._loop is not None
        done = threading.Event()
        self._loop.call_soon_threadsafe(self._abort)
        self._loop.call_soon_threadsafe(done.set)
        assert done.wait(START_SECONDS)

    def to(self, address: str) -> list[bytes]:
        """Return the mails that came for an address."""
        return [mail.content for mail in list(self.received) if mail.address == address]

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        wrapping = self._tls if self._at_once else None
        listening = await self._loop.create_server(self._converse, "127.0.0.1", self.port, ssl=wrapping)
        ready.set()
        await self._stopped.wait()
        listening.close()
        self._abort()
        await asyncio.sleep(0)  # the transports tell that they are closed

    def _converse(self) -> _Conversation:
        self.connections += 1
        return _Conversation(self, None if self._at_once else self._tls)

    def _abort(self) -> None:
        for conversation in list(self._open):
            _abort(conversation)


class _Conversation(SMTP):
    """One connection."""

    def __init__(self, owner: SMTPServer, tls: ssl.SSLContext | None) -> None:
        self._owner = owner
        login = owner.login
        super().__init__(
            _Handler(owner),
            hostname="mail.test",
            tls_context=tls,
            loop=owner._loop,
            auth_required=login is not None,
            auth_require_tls=False,
            authenticator=_authenticator(*login) if login else None,
        )

    def connection_made(self, transport: Any) -> None:
        self._owner._open.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._owner._open.discard(self)
        super().connection_lost(error)


class _Handler:
    """What aiosmtpd asks."""

    def __init__(self, owner: SMTPServer) -> None:
        self._owner = owner

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        reply = await _ask(self._owner.at_rcpt, address, server)
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        address, content = envelope.rcpt_tos[0], envelope.content
        assert isinstance(content, bytes)
        reply = await _ask(self._owner.at_data, address, server)
        if reply is not None:
            return reply
        if self._owner.delay:
            await asyncio.sleep(self._owner.delay)
        self._owner.received.append(Received(envelope.mail_from or "", address, content))
        return await _ask(self._owner.at_taken, address, server) or "250 OK"


async def _ask(steps: dict[str, Step], address: str, server: SMTP) -> str | None:
    step = steps.get(address, steps.get("*"))
    if step is None:
        return None
    reply: str | None = await asyncio.get_running_loop().run_in_executor(None, step, address)
    if isinstance(reply, Misbehaviour):
        await reply(server)
    return reply


def _abort(conversation: SMTP) -> None:
    transport: Any = conversation.transport
    if transport is not None:
        transport.abort()


class Misbehaviour(str):
    """What a server does instead of answering, given where a reply is."""

    __slots__ = ()

    async def __call__(self, server: SMTP) -> None:
        """Do it."""
        transport: Any = server.transport
        if self == "end the conversation":
            transport.abort()
        elif self == "drip":
            while not transport.is_closing():
                transport.write(b"2")
                await asyncio.sleep(0.05)
        await asyncio.Event().wait()  # for ever, or until the client goes


HANG = Misbehaviour("hang")
DRIP = Misbehaviour("drip")
END = Misbehaviour("end the conversation")


def say(reply: str) -> Step:
    """Return a step that makes the server say this."""
    return lambda _address: reply


def _authenticator(name: str, password: str) -> Any:
    def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (name.encode(), password.encode())
        return AuthResult(success=right, handled=False)

    return authenticate
