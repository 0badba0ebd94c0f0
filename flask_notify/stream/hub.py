"""Who listens: the open pages of one process, by recipient."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Callable, Iterable
from threading import Lock

from .page import AWAY, COMMENT_EVERY, FIRST, HELLO, Page, Send

PAGES_PER_RECIPIENT = 50
"""Open pages that one recipient may have. With one more, the oldest is told to go."""

PATIENCE = 5.0
"""Seconds that a page has to take what it is told; then its connection is dropped."""

_LONGEST_END = PATIENCE
_GREETED_AT_ONCE = 100
"""Pages that are told within one second that news are heard again: each of them polls at once."""

_log = logging.getLogger("flask_notify")


class Hub:
    """The open pages of one process.

    :param limit: pages that may be open at a time.
    :param spread: seconds over which the polls of many pages are to be spread.
    """

    def __init__(self, limit: int, spread: float) -> None:
        self.live = False
        """Whether news are heard; by the loop's thread alone."""
        self.draining = False
        self._limit = limit
        self._spread = spread
        self._rings = {many: _ring(spread if many else 0) for many in (False, True)}
        self._pages: dict[Page, None] = {}
        self._by_key: dict[str, list[Page]] = {}
        self._to_greet: list[Page] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = Lock()
        self._heard: dict[str, bool] = {}

    def __len__(self) -> int:
        return len(self._pages)

    @property
    def full(self) -> bool:
        """Whether no further page may come."""
        return len(self._pages) >= self._limit

    def join(self, key: str, send: Send, abort: Callable[[], None], seconds: float) -> Page:
        """Let a page listen, and tell it at first whether news are heard.

        :param send: ASGI's ``send``, after the headers are out.
        :param seconds: for which it may.
        """
        mates = self._by_key.setdefault(key, [])
        if len(mates) >= PAGES_PER_RECIPIENT:
            mates.pop(0).tell_bye()
        page = Page(key, send, abort, asyncio.get_running_loop().time() + seconds)
        mates.append(page)
        self._pages[page] = None
        page.tell_state(FIRST + (HELLO if self.live else AWAY))
        if self.draining:
            page.tell_bye()
        return page

    def leave(self, page: Page) -> None:
        """Forget a page whose connection has ended."""
        self._pages.pop(page, None)
        self._unlist(page)

    def hear(self, keys: Iterable[str] | None, *, many: bool) -> None:
        """Ring the pages of these recipients; called in the thread that listens to the broker.

        :param keys: None rings everybody's.
        :param many: whether so many are rung that their pages had better not all poll at once.
        """
        # A look from another thread that is one step needs no lock. A page that opens after it
        # polls once by itself, and sees the same news.
        present = list(self._by_key) if keys is None else [key for key in keys if key in self._by_key]
        with self._lock:
            waits = bool(self._heard)
            for key in present:
                self._heard[key] = self._heard.get(key, True) and many
            if self._heard and not waits and self._loop is not None:
                self._loop.call_soon_threadsafe(self._ring)

    def change(self, live: bool) -> None:
        """Tell all pages whether news are heard; called in the thread that listens to the broker."""
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._change, live)

    def start(self) -> None:
        """Begin to ring, on the running loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            self._loop = loop
        self._ticking = loop.create_task(self._tick_on())

    def stop(self) -> None:
        """Ring no more: what is heard from now on is nobody's."""
        with self._lock:
            self._loop = None
        self._ticking.cancel()

    async def drain(self) -> None:
        """Tell all pages to go, and wait until they have gone; drop those that do not."""
        self.draining = True
        for page in self._pages:
            page.tell_bye()
        clock = asyncio.get_running_loop().time
        until = clock() + _LONGEST_END
        while self._pages and clock() < until:
            await asyncio.sleep(0.02)
        for page in list(self._pages):
            page.drop()

    def _unlist(self, page: Page) -> None:
        mates = self._by_key.get(page.key, [])
        if page in mates:
            mates.remove(page)
        if not mates:
            self._by_key.pop(page.key, None)

    def _ring(self) -> None:
        with self._lock:
            heard, self._heard = self._heard, {}
        for key, many in heard.items():
            for page in self._by_key.get(key, ()):
                page.tell_news(self._rings[many])

    def _change(self, live: bool) -> None:
        if live == self.live:
            return
        self.live = live
        self._to_greet = list(self._pages) if live else []
        if live:
            random.shuffle(self._to_greet)
            self._greet()
            return
        for page in self._pages:
            page.tell_state(AWAY)

    def _greet(self) -> None:
        """Say hello to some of those who wait for it: not to all at once, for each polls then."""
        number = max(_GREETED_AT_ONCE, int(len(self._pages) / self._spread) + 1)
        self._to_greet, now = self._to_greet[number:], self._to_greet[:number]
        for page in now:
            if page in self._pages:
                page.tell_state(HELLO)

    async def _tick_on(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._tick(asyncio.get_running_loop().time())

    def _tick(self, now: float) -> None:
        """See to all pages, once a second: one timer for all of them instead of one for each."""
        self._greet()
        for page in list(self._pages):
            quiet = now - page.quiet_since
            if page.writing and quiet > PATIENCE:
                _log.info("A page of recipient %s takes nothing; its connection is dropped", page.key)
                page.drop()
            elif now >= page.closes_at:
                self._unlist(page)
                page.closes_at = float("inf")
                page.tell_bye()
            elif quiet > COMMENT_EVERY:
                page.tell_comment()


def _ring(spread: float) -> bytes:
    return b"event: ring\ndata: %s\n\n" % json.dumps({"spread": spread}).encode()
