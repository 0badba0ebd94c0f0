"""Who is told what: the pages of one process, on a loop of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flask_notify.stream import hub as hubs
from flask_notify.stream.hub import PAGES_PER_RECIPIENT, Hub
from flask_notify.stream.page import Page

HELLO, AWAY, BYE = "retry: 3000\nevent: hello\ndata: {}\n\n", "event: away\ndata: {}\n\n", "event: bye\ndata: {}\n\n"
HELLO_AGAIN = "event: hello\ndata: {}\n\n"
RING = 'event: ring\ndata: {"spread": 0}\n\n'
RING_OF_MANY = 'event: ring\ndata: {"spread": 10}\n\n'


class Wire:
    """The connection of a page: what was sent on it, and whether it is full."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.complete = self.aborted = False
        self.free = asyncio.Event()
        self.free.set()

    async def send(self, message: dict[str, Any]) -> None:
        """Take what is sent, once there is room."""
        await self.free.wait()
        assert not self.complete
        self.sent.append(message["body"].decode())
        self.complete = not message["more_body"]

    def abort(self) -> None:
        """End."""
        self.aborted = True


class Stage:
    """A hub that is live, and its pages."""

    def __init__(self, limit: int = 1_000) -> None:
        self.hub = Hub(limit, spread=10)
        self.hub.start()
        self.hub.live = True

    async def open(self, key: str, seconds: float = 60) -> tuple[Wire, Page]:
        """Open a page, which has been told hello."""
        wire = Wire()
        page = self.hub.join(key, wire.send, wire.abort, seconds)
        await turn()
        return wire, page

    async def hear(self, *keys: str, many: bool = False) -> None:
        """Hear of news in another thread, as from a broker."""
        await asyncio.to_thread(self.hub.hear, keys, many=many)
        await turn()

    def tick(self, seconds: float) -> None:
        """See to the pages, so many seconds later."""
        self.hub._tick(asyncio.get_running_loop().time() + seconds)


async def turn() -> None:
    """Let everything happen that is due."""
    for _ in range(5):
        await asyncio.sleep(0)


def on_a_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run a test on a loop."""

    def run() -> None:
        async def run_it() -> None:
            await test()

        # In a thread of its own: a browser's tests leave a loop running in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, run_it()).result()

    run.__name__ = test.__name__
    return run


@on_a_loop
async def test_news_ring_the_recipients_pages_and_nobody_elses() -> None:
    stage = Stage()
    (one, _), (two, _), (other, _) = [await stage.open(key) for key in ("7", "7", "71")]

    await stage.hear("7", "nobody")

    assert one.sent == two.sent == [HELLO, RING]
    assert other.sent == [HELLO]


@on_a_loop
async def test_news_that_come_while_a_page_is_told_of_others_are_one_ring() -> None:
    stage = Stage()
    wire, _ = await stage.open("7")
    wire.free.clear()

    for _ in range(1_000):
        await asyncio.to_thread(stage.hub.hear, ["7"], many=False)
    await turn()
    wire.free.set()
    await turn()

    assert wire.sent == [HELLO, RING, RING]


@on_a_loop
async def test_of_a_ring_at_once_and_one_to_be_spread_the_page_hears_that_it_is_at_once() -> None:
    stage = Stage()
    wire, _ = await stage.open("7")

    stage.hub.hear(["7"], many=True)
    stage.hub.hear(["7"], many=False)
    await turn()
    stage.hub.hear(["7"], many=True)
    await turn()

    assert wire.sent == [HELLO, RING, RING_OF_MANY]


@on_a_loop
async def test_where_there_were_too_many_to_name_all_pages_ring() -> None:
    stage = Stage()
    wires = [(await stage.open(key))[0] for key in ("7", "8")]

    stage.hub.hear(None, many=True)
    await turn()

    assert [wire.sent for wire in wires] == [[HELLO, RING_OF_MANY]] * 2


@on_a_loop
async def test_a_page_that_opens_while_no_news_are_heard_is_told_so() -> None:
    stage = Stage()
    stage.hub.live = False

    wire, _ = await stage.open("7")

    assert wire.sent == ["retry: 3000\n" + AWAY]


@on_a_loop
async def test_all_pages_are_told_when_news_are_not_heard_and_when_they_are_again() -> None:
    stage = Stage()
    wire, _ = await stage.open("7")

    for live in (False, False, True, True):
        await asyncio.to_thread(stage.hub.change, live)
        await turn()

    assert wire.sent == [HELLO, AWAY, HELLO_AGAIN]


@on_a_loop
async def test_thousands_of_pages_are_not_greeted_again_at_once() -> None:
    stage = Stage(limit=3_000)
    wires = [(await stage.open(str(number)))[0] for number in range(2_000)]
    await asyncio.to_thread(stage.hub.change, False)
    await turn()

    greeted = []
    await asyncio.to_thread(stage.hub.change, True)
    for _ in range(10):
        await turn()
        greeted.append(sum(wire.sent[-1] == HELLO_AGAIN for wire in wires))
        stage.tick(1)

    assert 0 < greeted[0] <= 250
    assert greeted[-1] == 2_000


@on_a_loop
async def test_a_page_whose_token_expires_is_told_to_go() -> None:
    stage = Stage()
    wire, page = await stage.open("7", seconds=20)

    stage.tick(19)
    await turn()
    assert BYE not in wire.sent
    stage.tick(20)
    await turn()
    await stage.hear("7")
    stage.tick(40)
    await turn()

    assert wire.sent[-1] == BYE
    assert wire.complete
    assert len(stage.hub) == 1  # until the connection is closed
    stage.hub.leave(page)
    stage.hub.leave(page)
    assert len(stage.hub) == 0


@on_a_loop
async def test_a_page_that_is_told_nothing_is_sent_a_comment() -> None:
    stage = Stage()
    wire, _ = await stage.open("7")

    stage.tick(14)
    stage.tick(16)
    await turn()

    assert wire.sent == [HELLO, ": \n\n"]


@on_a_loop
async def test_a_page_that_takes_nothing_is_dropped() -> None:
    stage = Stage()
    wire, _ = await stage.open("7")
    wire.free.clear()
    await stage.hear("7")

    stage.tick(4)
    early = wire.aborted
    stage.tick(6)
    await turn()

    assert [early, wire.aborted] == [False, True]
    wire.free.set()
    await turn()
    assert wire.sent == [HELLO]


@on_a_loop
async def test_a_page_that_takes_nothing_at_its_end_is_dropped() -> None:
    stage = Stage()
    wire, _ = await stage.open("7", seconds=20)
    wire.free.clear()

    stage.tick(20)
    await turn()
    stage.tick(26)

    assert wire.aborted


@on_a_loop
async def test_of_too_many_pages_of_one_recipient_the_oldest_is_told_to_go() -> None:
    stage = Stage()
    wires = [(await stage.open("7"))[0] for _ in range(PAGES_PER_RECIPIENT + 1)]

    assert [wire.complete for wire in wires] == [True] + [False] * PAGES_PER_RECIPIENT
    assert wires[0].sent == [HELLO, BYE]


@on_a_loop
async def test_there_is_room_for_so_many_pages_and_no_more() -> None:
    stage = Stage(limit=2)
    (await stage.open("7")), (await stage.open("8"))
    assert stage.hub.full


@on_a_loop
async def test_at_the_end_all_pages_are_told_to_go_and_who_does_not_is_dropped() -> None:
    stage = Stage()
    good, page = await stage.open("7")
    stuck, _ = await stage.open("8")
    stuck.free.clear()
    draining = asyncio.ensure_future(stage.hub.drain())
    await turn()
    stage.hub.leave(page)
    late, _ = await stage.open("9")

    await draining

    assert good.sent == [HELLO, BYE]
    assert late.sent == [HELLO + BYE]
    assert stuck.aborted
    assert not good.aborted
    stage.hub.stop()
    stage.hub.hear(["8"], many=False)
    stage.hub.change(False)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the end of a process not take the whole of the patience."""
    monkeypatch.setattr(hubs, "_LONGEST_END", 0.2)
