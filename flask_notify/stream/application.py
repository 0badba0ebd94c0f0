"""The stream as an ASGI application: ``GET <path>?token=…`` and ``GET <path>/health``."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .hub import Hub
from .page import Send
from .tokens import Tokens

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Headers = list[tuple[bytes, bytes]]

ABORT = "flask_notify.abort"
"""The extension of the scope by which the server lets a connection be ended at once: a function."""

RETRY_AFTER = 5
"""Seconds after which to try again where the process ends, or has no room."""

_STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-content-type-options", b"nosniff"),
    # nginx would keep the lines back until it has a page full of them.
    (b"x-accel-buffering", b"no"),
    (b"connection", b"close"),
]
_TEXT: Headers = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"connection", b"close"),
]

_log = logging.getLogger("flask_notify")


class Stream:
    """The application.

    :param path: where the stream is.
    :param origins: whose pages may listen, beside those of the host itself, as in ``https://example.org``.
    :param clock: returns Unix seconds, by which tokens expire.
    """

    def __init__(self, hub: Hub, tokens: Tokens, path: str, origins: Iterable[str], clock: Callable[[], float]) -> None:
        self.hub = hub
        self._tokens = tokens
        self._path = path
        self._health = f"{path.rstrip('/')}/health"
        self._origins = frozenset(origins)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise TypeError(f"The stream answers http, got {scope['type']!r}")
        if scope["path"] not in (self._path, self._health):
            await _answer(send, 404, f"The stream is at {self._path}.")
        elif scope["method"] != "GET":
            await _answer(send, 405, "GET it.", [(b"allow", b"GET")])
        elif scope["path"] == self._health:
            await self._tell_health(send)
        else:
            await self._stream(scope, receive, send)

    async def _tell_health(self, send: Send) -> None:
        if self.hub.draining:
            await _answer(send, 503, "ending")
        elif self.hub.live:
            await _answer(send, 200, "ringing")
        else:
            await _answer(send, 503, "away: no news are heard, so the pages poll by themselves")

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        origin = headers.get(b"origin", b"").decode("latin-1")
        # A page of the same origin need not say so; who is no browser never does.
        if origin and not self._allows(origin, headers.get(b"host", b"").decode("latin-1")):
            await _answer(send, 403, "Pages of this origin may not listen here: see NOTIFY_STREAM_ORIGINS.")
            return
        allowed = [(b"vary", b"origin")]
        if origin:
            allowed.append((b"access-control-allow-origin", origin.encode("latin-1")))
        later = [*allowed, (b"retry-after", b"%d" % RETRY_AFTER)]
        if self.hub.draining:
            await _answer(send, 503, "This process ends. Try again.", later)
            return
        listening = self._tokens.verify(_token(scope), self._clock())
        if listening is None:
            await _answer(send, 401, "The token is missing, wrong or expired. Get another one.", allowed)
        elif self.hub.full:
            await _answer(send, 503, "There is no room for further pages.", later)
        else:
            # What the browser sent is not needed any more, and would be kept as long as the page is open.
            scope["headers"].clear()
            await send({"type": "http.response.start", "status": 200, "headers": [*_STREAM, *allowed]})
            await self._listen(scope, receive, send, *listening)

    async def _listen(self, scope: Scope, receive: Receive, send: Send, key: str, seconds: float) -> None:
        abort = scope.get("extensions", {}).get(ABORT, _cannot)
        page = self.hub.join(key, send, abort, seconds)
        try:
            while (await receive())["type"] != "http.disconnect":
                pass  # a body, which nobody wants
        finally:
            self.hub.leave(page)

    def _allows(self, origin: str, host: str) -> bool:
        if origin in self._origins:
            return True
        with suppress(ValueError):
            # By which scheme the page came is known to the proxy in front alone.
            return urlsplit(origin).netloc.lower() == host.lower() != ""
        return False


def _headers(scope: Scope) -> dict[bytes, bytes]:
    return dict(scope["headers"])


def _token(scope: Scope) -> str:
    try:
        given = parse_qs(scope["query_string"].decode("ascii"), max_num_fields=10)
    except ValueError:
        return ""
    token: str = given.get("token", [""])[0]
    return token


async def _answer(send: Send, status: int, text: str, headers: Headers | None = None) -> None:
    body = f"{text}\n".encode()
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*_TEXT, *(headers or []), length]})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _cannot() -> None:
    _log.warning("This ASGI server has no %r; a client that takes nothing stays until the server drops it", ABORT)
