"""The process: uvicorn, with little kept for each connection, and an end in good order."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from .application import ABORT, Receive, Scope, Stream
from .hub import PATIENCE
from .page import Send

WRITE_BUFFER = 4_096
"""Bytes that wait in this process for a client that reads slowly; it gets no more until it does."""

SEND_BUFFER = 16_384
"""Bytes that the system keeps for one: it would keep megabytes."""

_BACKLOG = 2_048
_NO_LINGERING = struct.pack("ii", 1, 0)

Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def serve(
    stream: Stream,
    listening: socket.socket,
    *,
    started: Callable[[], object],
    stopped: Callable[[], object],
) -> None:
    """Serve the stream until the process is told to end by SIGTERM or Ctrl-C.

    The pages are told to go first, so that they poll at once and try another process.

    :param listening: a bound socket.
    :param started: called when pages can come, in the thread of the loop.
    :param stopped: called when all have gone.
    :raises ConfigurationError: if uvicorn is not installed.
    """
    uvicorn = _uvicorn()
    with suppress(OSError):  # a kind of socket that has no such buffer
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # those it accepts inherit it
    config = uvicorn.Config(
        stream,
        http=_protocol(),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level=logging.WARNING,
        # A token stands in the address.
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=int(PATIENCE),
    )
    _collect_garbage_seldom()
    # The thread that hears of news gives way to the loop, and waits for it, up to this long. The
    # default of 5 ms is made for work; here each of them has next to none.
    sys.setswitchinterval(0.0005)
    with _ended_by_signals():
        _server(uvicorn.Server, stream, started, stopped)(config).run(sockets=[listening])


def listen(host: str, port: int, uds: str | None = None, fd: int | None = None) -> socket.socket:
    """Return a socket that is bound: to an address, to a path, or by whoever started this process.

    :param fd: the number of a socket that was handed over, as by systemd; then the rest is ignored.
    :raises ConfigurationError: if it cannot be had.
    """
    try:
        if fd is not None:
            return socket.socket(fileno=fd)
        if uds is not None:
            return _listen_at_path(uds)
        return socket.create_server((host, port), family=_family(host), backlog=_BACKLOG)
    except OSError as error:
        where = f"the socket {fd}" if fd is not None else (uds or f"{host}:{port}")
        raise ConfigurationError(f"The stream cannot listen at {where}: {error}. Choose another.") from error


def address(listening: socket.socket) -> str:
    """Return where a socket listens, as a text for people."""
    name = listening.getsockname()
    if not isinstance(name, tuple):
        return f"unix:{name}"
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"http://{host}:{name[1]}"


def room_for_pages() -> int:
    """Let this process open as many files as it may, and return for how many pages that is enough."""
    try:
        import resource
    except ImportError:  # Windows knows no such limit
        return 2**31
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    # The rest is for the broker, the logs, and those who are being answered that there is no room.
    return 2**31 if soft == resource.RLIM_INFINITY else max(1, soft - 100)


def _collect_garbage_seldom() -> None:
    """Spare the process full collections: one takes tenths of a second with thousands of pages, and no page is rung.

    A page that ends leaves nothing to collect, for its objects do not refer to one another in circles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 10, 1_000)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _listen_at_path(path: str) -> socket.socket:
    if Path(path).is_socket():
        Path(path).unlink()  # of a process that ended without removing it
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    # The proxy in front is another user. Who may come this far is a matter of the directory.
    Path(path).chmod(0o666)
    listening.listen(_BACKLOG)
    return listening


def _uvicorn() -> Any:
    try:
        return import_module("uvicorn")
    except ImportError:
        raise ConfigurationError(
            "The stream is served by uvicorn, which is not installed: pip install 'flask-notify[stream]'"
        ) from None


def _server(base: Any, stream: Stream, started: Callable[[], object], stopped: Callable[[], object]) -> Any:
    """Return uvicorn's server, which begins and ends together with what rings."""

    class Server(base):  # type: ignore[misc]  # it is imported when it is needed
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            stream.hub.start()
            started()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            await stream.hub.drain()
            stopped()
            stream.hub.stop()
            await super().shutdown(sockets=sockets)

    return Server


def _protocol() -> type[asyncio.Protocol]:
    """Return uvicorn's protocol, the faster one where it is installed, with little room for what is not read."""
    try:
        base: Any = import_module("uvicorn.protocols.http.httptools_impl").HttpToolsProtocol
    except ImportError:
        base = import_module("uvicorn.protocols.http.h11_impl").H11Protocol

    class Connection(base):  # type: ignore[misc]  # likewise
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            transport.set_write_buffer_limits(high=WRITE_BUFFER)
            self.app: Application = _Abortable(self.app, transport)

    return Connection


class _Abortable:
    """The application, on a connection that it can end at once."""

    __slots__ = ("_application", "_transport")

    def __init__(self, application: Application, transport: asyncio.Transport) -> None:
        self._application = application
        self._transport = transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {ABORT: self._abort}
        try:
            await self._application(scope, receive, send)
        finally:
            # A client that does not read would keep the rest of an answer here for ever.
            if self._transport.get_write_buffer_size():
                asyncio.get_running_loop().call_later(PATIENCE, self._abort)

    def _abort(self) -> None:
        connection = self._transport.get_extra_info("socket")
        with suppress(OSError):  # it may have ended by itself
            # By a reset. Else the system would go on to offer what was sent, for as long as the client likes.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGERING)
        self._transport.abort()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let a signal that has ended the server be no error: uvicorn raises it again afterwards."""
    handlers = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
