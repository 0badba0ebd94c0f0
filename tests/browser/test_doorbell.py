"""A page with a doorbell asks when it rings, and seldom else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from .bell import PATH, Bell
from .conftest import Stage, Visitor, hide, show, wait_for_answers, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.databases("sqlite")

SetBell = Callable[..., tuple[Stage, Bell]]

#: Seconds that no test waits for: what comes sooner did not come by a plain poll.
FOREVER = 3600

# Tells which events of the stream have reached the page's script, when it is done with them.
OVERHEAR = """
window.heard = [];
window.EventSource = class extends EventSource {
  addEventListener(name, listener) {
    super.addEventListener(name, (event) => { listener(event); heard.push(name); });
  }
};
"""


@pytest.fixture
def set_bell(set_stage: Callable[..., Stage]) -> SetBell:
    """Build stages with a doorbell; options are the application's configuration."""

    def set_one(**config: object) -> tuple[Stage, Bell]:
        stage = set_stage(**{"NOTIFY_STREAM_URL": PATH, "NOTIFY_POLL_INTERVAL": FOREVER} | config)
        bell = Bell(stage.site.app.wsgi_app)
        stage.site.app.wsgi_app = bell  # type: ignore[method-assign]
        return stage, bell

    return set_one


def assert_shows(page: Page, count: int) -> None:
    """Check the number in the page's badge."""
    expect(page.locator("#message_count")).to_have_text(str(count))


def reasons(stage: Stage) -> list[str | None]:
    """Return why the page polled, each time."""
    return [poll.stream for poll in stage.front.polls]


def open_listening(stage: Stage, bell: Bell, visitor: Visitor, path: str = "/") -> Page:
    """Open a page, and wait until it has a stream and has asked what came before that was heard."""
    stage.front.forget()
    page = visitor.open(path)
    bell.wait_for_lines(1)
    stage.front.wait_for(2)
    stage.front.forget()
    return page


def stand_still(visitor: Visitor) -> None:
    """Let time pass only when a test says so."""
    visitor.follow()
    clock = visitor.context.clock
    clock.install()
    clock.pause_at(datetime.now(timezone.utc) + timedelta(minutes=1))


def let_pass(page: Page, seconds: int, step: int = 1) -> None:
    """Let time pass on a page whose clock stands still, in steps after which it hears all that it has asked for.

    What is answered in the middle of a longer step is heard at its end.
    """
    for _ in range(0, seconds, step):
        page.context.clock.run_for(step * 1_000)
        wait_for_answers(page)


def ring_until_heard(bell: Bell, *pages: Page, spread: float = 0) -> None:
    """Ring, and wait until every page has heard of it. (They overhear, see above.)"""
    before = [page.evaluate("heard.filter((name) => name === 'ring').length") for page in pages]
    bell.ring(spread)
    for count, page in zip(before, pages, strict=True):
        wait_until(page, f"heard.filter((name) => name === 'ring').length > {count}")


def settle(stage: Stage, page: Page) -> None:
    """Wait until what the page is about to ask for is answered, and it has heard the answer."""
    for _ in range(2):
        page.evaluate("fetch('/other').then((answer) => answer.text())")
        stage.front.wait_until_answered()


def refuse(bell: Bell, visitor: Visitor) -> None:
    """Break off the streams, and let there be no new ones."""
    visitor.expect_complaint("Failed to load resource")
    bell.greeting = None
    bell.hang_up()


# What a ring does


def test_a_page_asks_when_it_is_rung_and_shows_the_news(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    page = open_listening(stage, bell, visitor)

    stage.emit(visitor, "follows", 7)
    bell.ring()

    assert_shows(page, 7)
    assert reasons(stage) == ["rung"]


def test_what_came_before_the_stream_stood_is_asked_for_when_it_stands(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    bell.greeting = ()
    page = visitor.open()
    bell.wait_for_lines(1)
    stage.emit(visitor, "follows", 7)

    bell.tell("hello")

    assert_shows(page, 7)
    assert reasons(stage) == ["1", "rung"]


def test_rings_during_a_poll_are_answered_by_one_more(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    visitor.context.add_init_script(OVERHEAR)
    page = open_listening(stage, bell, visitor)

    stage.front.open.clear()
    bell.ring()
    stage.front.wait_until_asked()
    for _ in range(4):
        bell.ring()
    wait_until(page, "heard.filter((name) => name === 'ring').length === 5")
    stage.emit(visitor, "follows", 7)
    stage.front.open.set()
    assert_shows(page, 7)
    stage.front.wait_for(2)
    settle(stage, page)

    assert len(stage.front.polls) == 2


def test_pages_that_are_rung_together_spread_their_polls(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    pages: list[Page] = []
    for chance in ("0.05", "0.5", "0.95"):
        visitor = stage.visit()
        visitor.context.add_init_script(f"Math.random = () => {chance}")
        visitor.context.add_init_script(OVERHEAR)
        stand_still(visitor)
        pages.append(visitor.open(f"/?tab={chance}"))
        bell.wait_for_lines(len(pages))
        stage.front.wait_for_tab(chance, 2)
        wait_for_answers(pages[-1])
    for page in pages:
        page.context.clock.run_for(1_000)
    stage.front.forget()

    ring_until_heard(bell, *pages, spread=2)

    # After 0.1, 1 and 1.9 seconds.
    for milliseconds, count in [(50, 0), (100, 1), (750, 1), (150, 2), (800, 2), (100, 3)]:
        for page in pages:
            page.context.clock.run_for(milliseconds)
            wait_for_answers(page)
        assert [poll.tab for poll in stage.front.polls] == ["0.05", "0.5", "0.95"][:count]


def test_a_page_that_is_rung_all_the_time_asks_twice_a_second(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    visitor.context.add_init_script(OVERHEAR)
    stand_still(visitor)
    page = open_listening(stage, bell, visitor)

    for _ in range(40):
        ring_until_heard(bell, page)
        visitor.context.clock.run_for(50)
        wait_for_answers(page)
    visitor.context.clock.run_for(500)
    wait_for_answers(page)

    assert 4 <= len(stage.front.polls) <= 6


def test_a_ring_for_one_does_not_wait_for_the_one_that_is_spread(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    visitor.context.add_init_script("Math.random = () => 1")
    page = open_listening(stage, bell, visitor)

    bell.ring(spread=FOREVER)
    stage.emit(visitor, "follows", 7)
    bell.ring()

    assert_shows(page, 7)


def test_a_server_in_trouble_is_not_asked_the_sooner_for_rings(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    visitor.expect_complaint("Failed to load resource")
    visitor.context.add_init_script(OVERHEAR)
    page = open_listening(stage, bell, visitor)
    stage.front.answer(500)
    bell.ring()
    stage.front.wait_for(1)

    for _ in range(5):
        bell.ring()
    wait_until(page, "heard.filter((name) => name === 'ring').length === 6")
    settle(stage, page)

    assert len(stage.front.polls) <= 2  # one more if it was rung before it was told of the first failure


# How often a page asks


@pytest.mark.parametrize("url,polls", [(None, 30), (PATH, 7)], ids=["without", "with"])
def test_an_idle_page_asks_less_often_with_a_doorbell(set_bell: SetBell, url: str | None, polls: int) -> None:
    stage, bell = set_bell(NOTIFY_STREAM_URL=url, NOTIFY_POLL_INTERVAL=10)
    visitor = stage.visit()
    stand_still(visitor)
    page = visitor.open()
    stage.front.wait_for(2 if url else 1)
    if url:
        bell.wait_for_lines(1)
    settle(stage, page)
    wait_for_answers(page)
    stage.front.forget()

    let_pass(page, 300, step=5)

    assert abs(len(stage.front.polls) - polls) <= 1
    if url:
        assert set(reasons(stage)) == {"1"}
        assert len(bell.opened) == 1 + len(stage.front.polls)


def test_a_stream_is_replaced_before_it_ends_and_rings_without_a_gap(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    stand_still(visitor)
    page = open_listening(stage, bell, visitor)
    [first] = bell.lines
    bell.greeting = ()

    visitor.context.clock.run_for(46_000)
    bell.wait_for_lines(2)
    stage.emit(visitor, "follows", 7)
    first.events.put(b'event: ring\ndata: {"spread": 0}\n\n')
    assert_shows(page, 7)
    stage.front.forget()
    second = bell.lines[1]
    second.events.put(b"event: hello\ndata: {}\n\n")

    bell.wait(lambda bell: bell.lines == [second])
    assert stage.front.polls == []
    assert first.token != second.token


def test_news_that_come_often_do_not_renew_the_stream_each_time(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    page = open_listening(stage, bell, visitor)

    for count in range(1, 4):
        stage.emit(visitor, "follows", count)
        bell.ring()
        assert_shows(page, count)

    assert len(bell.opened) == 1


# When the stream is away


def test_without_its_stream_a_page_polls_at_its_plain_pace_and_finds_back(set_bell: SetBell) -> None:
    stage, bell = set_bell(NOTIFY_POLL_INTERVAL=2)
    visitor = stage.visit()
    stand_still(visitor)
    page = open_listening(stage, bell, visitor)

    refuse(bell, visitor)
    stage.emit(visitor, "follows", 7)
    let_pass(page, 60)
    assert_shows(page, 7)
    assert 28 <= len(stage.front.polls) <= 36
    bell.greeting = ("hello",)
    let_pass(page, 65)
    stage.front.forget()
    bell.wait_for_lines(1)
    let_pass(page, 30)

    assert len(stage.front.polls) <= 1
    assert len({line.token for line in bell.opened}) == len(bell.opened), "a token was used twice"


def test_a_stream_that_cannot_hear_of_news_says_so_and_the_page_polls(set_bell: SetBell) -> None:
    stage, bell = set_bell(NOTIFY_POLL_INTERVAL=2)
    visitor = stage.visit()
    visitor.context.add_init_script(OVERHEAR)
    stand_still(visitor)
    page = open_listening(stage, bell, visitor)

    bell.tell("away")
    wait_until(page, "heard.includes('away')")
    let_pass(page, 20)
    assert 9 <= len(stage.front.polls) <= 12
    bell.tell("hello")
    wait_until(page, "heard.at(-1) === 'hello'")
    let_pass(page, 3)
    stage.front.forget()
    let_pass(page, 30)

    assert len(stage.front.polls) <= 1


def test_a_page_whose_stream_begins_by_saying_that_it_is_away_polls_at_its_plain_pace(set_bell: SetBell) -> None:
    stage, bell = set_bell(NOTIFY_POLL_INTERVAL=0.25)
    bell.greeting = ("away",)
    visitor = stage.visit()
    visitor.open()

    bell.wait_for_lines(1)
    stage.front.forget()

    assert {poll.stream for poll in stage.front.wait_for(4)} == {"1"}
    assert len(bell.opened) == 1


def test_a_stream_process_in_trouble_is_tried_less_and_less(set_bell: SetBell) -> None:
    stage, bell = set_bell(NOTIFY_POLL_INTERVAL=10)
    visitor = stage.visit()
    visitor.context.add_init_script("Math.random = () => 1")
    stand_still(visitor)
    refuse(bell, visitor)
    page = visitor.open()
    bell.wait(lambda bell: len(bell.opened) == 1)
    settle(stage, page)

    tries: list[int] = []
    for second in range(240):
        let_pass(page, 1)
        if len(bell.opened) > 1 + len(tries):
            tries.append(second)

    # 1 second and 4, 8, 16, 32, 59 at most; and the poll that brings a token.
    assert len(bell.opened) == 1 + len(tries)
    assert 5 <= len(tries) <= 7, tries
    assert tries[-1] - tries[-2] >= 55


def test_what_keeps_the_stream_back_is_no_stream(set_bell: SetBell) -> None:
    """A proxy that collects the answer before it passes it on."""
    stage, bell = set_bell(NOTIFY_POLL_INTERVAL=10)
    bell.greeting = ()
    visitor = stage.visit()
    stand_still(visitor)
    page = visitor.open()
    bell.wait_for_lines(1)
    settle(stage, page)
    stage.front.forget()

    for _ in range(14):
        visitor.context.clock.run_for(1_000)
        settle(stage, page)
    assert len(stage.front.polls) == 1
    bell.wait_for_lines(1)
    visitor.context.clock.run_for(1_900)

    bell.wait_for_lines(0)


def test_a_stream_that_ends_is_followed_by_another(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    visitor.context.add_init_script("Math.random = () => 0")  # which is how long it waits
    page = open_listening(stage, bell, visitor)

    bell.tell("bye")
    bell.wait_for_lines(0)
    stage.emit(visitor, "follows", 7)

    assert_shows(page, 7)
    bell.wait_for_lines(1)


def test_a_browser_that_is_online_again_has_its_stream_at_once(set_bell: SetBell) -> None:
    stage, bell = set_bell(NOTIFY_POLL_INTERVAL=0.5)
    visitor = stage.visit()
    visitor.context.add_init_script("Math.random = () => 1")
    page = open_listening(stage, bell, visitor)
    visitor.expect_complaint("ERR_INTERNET_DISCONNECTED")

    visitor.context.set_offline(True)
    bell.hang_up()
    bell.wait_for_lines(0)
    stage.emit(visitor, "follows", 7)
    visitor.context.set_offline(False)

    bell.wait_for_lines(1)
    assert_shows(page, 7)


def test_after_sleep_what_looks_open_is_not_trusted(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    page = open_listening(stage, bell, visitor)

    page.evaluate("() => { const real = Date.now; Date.now = () => real() + 90_000; }")
    page.evaluate("document.dispatchEvent(new Event('resume'))")
    stage.front.wait_for_reason("rung")

    assert len(bell.opened) == 2
    bell.wait_for_lines(1)


# Whose stream it is


def test_five_tabs_hold_one_stream(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    first = open_listening(stage, bell, visitor, "/?tab=a")
    others = [visitor.open(f"/?tab={name}") for name in "bcde"]
    stage.front.wait_for(4)
    stage.front.forget()

    stage.emit(visitor, "follows", 7)
    bell.ring()
    for page in (first, *others):
        assert_shows(page, 7)

    assert Counter(poll.tab for poll in stage.front.polls) == {"a": 1}
    assert len(bell.opened) == 1
    first.close()
    bell.wait(lambda bell: len(bell.opened) == 2 and len(bell.lines) == 1)
    stage.front.wait_for(2)
    stage.emit(visitor, "follows", 8)
    bell.ring()
    for page in others:
        assert_shows(page, 8)


def test_a_hidden_page_holds_no_stream(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    page = open_listening(stage, bell, visitor)

    hide(page)
    bell.wait_for_lines(0)
    stage.emit(visitor, "follows", 7)
    show(page)

    assert_shows(page, 7)
    bell.wait_for_lines(1)


def test_a_hidden_page_keeps_its_stream_where_it_is_asked_to(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    page = open_listening(stage, bell, visitor)
    page.evaluate(
        "import(document.querySelector('script[data-notify-stream-script]').src).then((it) => it.keepWhenHidden())"
    )

    hide(page)
    bell.wait(lambda bell: len(bell.opened) == 2 and len(bell.lines) == 1)
    stage.front.wait_for(1)
    stage.emit(visitor, "follows", 7)
    bell.ring()

    assert_shows(page, 7)


def test_of_hidden_pages_none_listens_beside_a_visible_one(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    first = open_listening(stage, bell, visitor, "/?tab=a")
    second = visitor.open("/?tab=b")
    for page in (first, second):
        page.evaluate(
            "import(document.querySelector('script[data-notify-stream-script]').src).then((it) => it.keepWhenHidden())"
        )

    hide(first)
    bell.wait(lambda bell: len(bell.opened) == 2 and len(bell.lines) == 1)
    wait_until(first, "navigator.locks.query().then(({held}) => held.some((lock) => lock.name.endsWith(':hidden')))")
    settle(stage, first)
    settle(stage, second)

    assert len(bell.opened) == 2
    bell.wait_for_lines(1)


def test_who_has_logged_out_loses_the_stream_with_the_next_poll(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    visitor.expect_complaint("401")
    open_listening(stage, bell, visitor)

    visitor.log_out()
    bell.ring()

    bell.wait_for_lines(0)
    assert [poll.status for poll in stage.front.wait_for(1)] == [401]


def test_a_page_of_another_account_loses_its_stream(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    page = open_listening(stage, bell, visitor)
    other = stage.site.add_user()
    visitor.log_in(other)

    stage.site.emit(other, "follows", 55)
    bell.ring()

    bell.wait_for_lines(0)
    expect(page.locator("#message_count")).to_be_hidden()


def test_a_page_that_is_stopped_lets_go_of_its_stream_and_takes_it_up_again(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    page = open_listening(stage, bell, visitor)
    module = "import(document.querySelector('script').src)"

    page.evaluate(f"{module}.then(notify => notify.stop())")
    bell.wait_for_lines(0)
    stage.emit(visitor, "follows", 7)
    page.evaluate(f"{module}.then(notify => notify.start())")

    bell.wait_for_lines(1)
    assert_shows(page, 7)


def test_a_page_in_the_back_forward_cache_holds_no_stream(set_bell: SetBell, caching_browser: Browser) -> None:
    stage, bell = set_bell()
    visitor = stage.visit(using=caching_browser)
    page = open_listening(stage, bell, visitor)
    page.evaluate("window.kept = true")

    page.goto(visitor.url + "/other")
    bell.wait_for_lines(0)
    stage.emit(visitor, "follows", 7)
    page.go_back(wait_until="commit")

    assert page.evaluate("window.kept"), "the page was loaded anew: something keeps it out of the cache"
    bell.wait_for_lines(1)
    assert_shows(page, 7)


def test_a_frozen_page_holds_no_stream(set_bell: SetBell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    page = open_listening(stage, bell, visitor)

    page.evaluate("document.dispatchEvent(new Event('freeze'))")
    bell.wait_for_lines(0)
    stage.emit(visitor, "follows", 7)
    page.evaluate("document.dispatchEvent(new Event('resume'))")

    assert_shows(page, 7)
    bell.wait_for_lines(1)


def test_where_tabs_cannot_agree_none_holds_a_stream(set_bell: SetBell) -> None:
    """As over plain HTTP on another host; a browser has six connections to one host, for all of its tabs."""
    stage, bell = set_bell(NOTIFY_POLL_INTERVAL=0.25)
    visitor = stage.visit()
    visitor.context.add_init_script("delete Navigator.prototype.locks")
    page = visitor.open()

    stage.emit(visitor, "follows", 7)
    assert_shows(page, 7)
    stage.front.wait_for(3)

    assert bell.opened == []
