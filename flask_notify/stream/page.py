"""One open page, and what it has still to be told.

Nothing is kept for it but that: a few fixed lines, each at most once. News that come while the
page is being told of earlier ones are one ring, however many they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

COMMENT_EVERY = 15.0
"""Seconds of silence after which a page is sent a comment, lest a proxy takes it for the end."""

RETRY = 3_000
"""Milliseconds after which a browser that lost the connection tries again by itself."""

FIRST = b"retry: %d\n" % RETRY
HELLO = b"event: hello\ndata: {}\n\n"
AWAY = b"event: away\ndata: {}\n\n"
BYE = b"event: bye\ndata: {}\n\n"
COMMENT = b": \n\n"

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Page:
    """A connection whose headers are out.

    :param key: whose page it is.
    :param send: ASGI's ``send``.
    :param abort: ends the connection at once, with what is waiting to be sent.
    :param closes_at: when its token expires, by the loop's clock.
    """

    # Thousands of them are open at a time.
    __slots__ = (
        "_abort",
        "_bye",
        "_comment",
        "_ended",
        "_ring",
        "_send",
        "_state",
        "_writing",
        "closes_at",
        "key",
        "quiet_since",
    )

    def __init__(self, key: str, send: Send, abort: Callable[[], None], closes_at: float) -> None:
        self.key = key
        self.closes_at = closes_at
        self.quiet_since = 0.0
        """When it was last told something, by the loop's clock; while it takes that, when it began to."""
        self._send = send
        self._abort = abort
        self._state = self._ring = b""
        self._comment = self._bye = self._ended = False
        self._writing: asyncio.Task[None] | None = None

    @property
    def writing(self) -> bool:
        """Whether it has not yet taken what it is being told."""
        return self._writing is not None

    def tell_state(self, state: bytes) -> None:
        """Tell whether news are heard: :data:`HELLO` or :data:`AWAY`."""
        self._state = state
        self._write_soon()

    def tell_news(self, ring: bytes) -> None:
        """Tell that there are news. Of several rings at a time it hears the first."""
        self._ring = self._ring or ring
        self._write_soon()

    def tell_comment(self) -> None:
        """Tell nothing, but that the connection stands."""
        self._comment = True
        self._write_soon()

    def tell_bye(self) -> None:
        """End the answer in good order, after all that it has still to be told."""
        self._bye = True
        self._write_soon()

    def drop(self) -> None:
        """End the connection at once."""
        if self._writing is not None:
            self._writing.cancel()
        self._abort()

    def _write_soon(self) -> None:
        if self._writing is None and not self._ended:
            loop = asyncio.get_running_loop()
            self.quiet_since = loop.time()
            self._writing = loop.create_task(self._write())

    async def _write(self) -> None:
        clock = asyncio.get_running_loop().time
        # Some servers raise, and some are silent, once the client has gone.
        with suppress(OSError):
            while not self._ended and (content := self._take()):
                self.quiet_since = clock()
                # Where the connection is full this returns later, or never.
                await self._send({"type": "http.response.body", "body": content, "more_body": not self._ended})
        self._writing = None

    def _take(self) -> bytes:
        content = self._state + self._ring + (COMMENT if self._comment else b"") + (BYE if self._bye else b"")
        self._state = self._ring = b""
        self._comment = False
        self._ended = self._bye
        return content
