"""Servers that fail, sessions that end, pages that come back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from .conftest import Stage, Visitor, hide, show, wait_for_answers, wait_for_complaint

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.databases("sqlite")


def failing(visitor: Visitor) -> None:
    """Allow the line that the browser writes for each answer of the range 400–599 or refused connection."""
    visitor.expect_complaint("Failed to load resource")


def gaps(stage: Stage, count: int) -> list[float]:
    """Return the seconds between the next polls."""
    stage.front.forget()
    polls = stage.front.wait_for(count + 1)
    return [later.at - earlier.at for earlier, later in pairwise(polls)]


#: To come back in a second, in both ways to say so. A date counts from that of the answer, whatever the page's clock.
IN_SECONDS = {"Retry-After": "1"}
AS_DATE = {"Date": "Fri, 31 Dec 1999 23:59:59 GMT", "Retry-After": "Sat, 01 Jan 2000 00:00:00 GMT"}


@pytest.mark.parametrize(
    "status,retry_after",
    [(503, IN_SECONDS), (429, IN_SECONDS), (503, AS_DATE)],
    ids=["503-in_seconds", "429-in_seconds", "503-as_date"],
)
def test_retry_after_is_obeyed(set_stage: Callable[..., Stage], status: int, retry_after: dict[str, str]) -> None:
    stage = set_stage(NOTIFY_POLL_INTERVAL=0.1)
    visitor = stage.visit()
    failing(visitor)
    visitor.context.add_init_script("const real = Date.now; Date.now = () => real() + 90_000_000;")
    page = visitor.open()
    stage.front.wait_for(1)

    stage.front.answer(status, retry_after)
    wait_for_complaint(page, visitor, str(status))
    stage.front.pass_on()
    stage.emit(visitor, "follows", 7)
    expect(page.locator("#message_count")).to_have_text("7")

    refused = [poll.status for poll in stage.front.polls].index(status)
    assert stage.front.polls[refused + 1].at - stage.front.polls[refused].at >= 0.95
    expect(page.locator("#message_count")).to_have_text("7")


def test_retry_after_is_obeyed_by_a_tab_that_is_looked_at_again(stage: Stage, visitor: Visitor) -> None:
    failing(visitor)
    page = visitor.open()
    stage.front.answer(503, {"Retry-After": "3600"})
    wait_for_complaint(page, visitor, "503")
    stage.front.forget()

    hide(page)
    show(page)

    page.evaluate("fetch('/other').then(answer => answer.text())")  # were it to poll, it would have by then
    assert stage.front.polls == []


def test_a_server_in_trouble_is_asked_less_and_less(set_stage: Callable[..., Stage]) -> None:
    stage = set_stage(NOTIFY_POLL_INTERVAL=0.1)
    visitor = stage.visit()
    failing(visitor)
    stage.front.answer(500)
    page = visitor.open()

    polls = stage.front.wait_for(5)
    stage.front.pass_on()
    stage.emit(visitor, "follows", 7)

    # Half to all of 0.1 s × 2, 4, 8, 16.
    waits = [later.at - earlier.at for earlier, later in pairwise(polls[:5])]
    assert all(wait >= 0.1 * 2**power / 2 for power, wait in enumerate(waits, start=1)), waits
    expect(page.locator("#message_count")).to_have_text("7")


def test_a_server_that_comes_back_is_found_again(stage: Stage, visitor: Visitor) -> None:
    failing(visitor)
    page = visitor.open()
    stage.front.wait_for(1)

    stage.server.stop()
    stage.emit(visitor, "follows", 7)
    wait_for_complaint(page, visitor, "ERR_CONNECTION_REFUSED")
    stage.server.start()

    expect(page.locator("#message_count")).to_have_text("7")


@pytest.mark.parametrize("told", ["", "of the right user"])
def test_a_page_of_something_else_in_place_of_an_answer_is_no_answer(stage: Stage, visitor: Visitor, told: str) -> None:
    page = visitor.open()
    user = page.locator("script").get_attribute("data-notify-user") or ""
    stage.front.wait_for(1)

    stage.front.answer(200, {"X-Notify-User": user} if told else {}, "<p>Hi")
    stage.front.forget()
    stage.front.wait_for(2)
    stage.front.pass_on()
    stage.emit(visitor, "follows", 7)

    expect(page.locator("#message_count")).to_have_text("7")


def test_a_session_that_ended_ends_polling_until_the_page_is_looked_at(stage: Stage, visitor: Visitor) -> None:
    failing(visitor)
    visitor.follow()
    page = visitor.open()
    stage.emit(visitor, "follows", 7)
    expect(page.locator("#message_count")).to_have_text("7")

    visitor.log_out()
    wait_for_complaint(page, visitor, "401")
    wait_for_answers(page)
    stage.front.forget()
    show(page)
    assert [poll.status for poll in stage.front.wait_for(1)] == [401]
    wait_for_answers(page)

    visitor.log_in(visitor.key)
    stage.emit(visitor, "follows", 8)
    hide(page)
    show(page)
    expect(page.locator("#message_count")).to_have_text("8")
    assert [poll.status for poll in stage.front.wait_for(4)][:2] == [401, 200]
    stage.emit(visitor, "follows", 9)
    expect(page.locator("#message_count")).to_have_text("9")


def test_a_redirect_to_a_login_page_ends_polling_like_a_401(stage: Stage, visitor: Visitor) -> None:
    visitor.follow()
    stage.front.answer(302, {"Location": "/other"})
    page = visitor.open()
    stage.front.wait_for(1)
    wait_for_answers(page)
    stage.front.pass_on()
    stage.emit(visitor, "follows", 7)
    hide(page)
    show(page)

    expect(page.locator("#message_count")).to_have_text("7")
    assert [poll.status for poll in stage.front.wait_for(2)][:2] == [302, 200]


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_ends_polling_with_one_warning(stage: Stage, visitor: Visitor, status: int) -> None:
    failing(visitor)
    visitor.expect_complaint("notify.js: /notifications answered")
    stage.front.answer(status)
    page = visitor.open()
    stage.front.wait_for(1)
    wait_for_complaint(page, visitor, "notify.js:")

    hide(page)
    show(page)
    page.evaluate("fetch('/other').then(answer => answer.text())")

    assert len(stage.front.polls) == 1
    assert [line for line in visitor.complaints if "notify.js:" in line] == [
        f"notify.js: /notifications answered {status}; updates stop."
    ]


def test_the_server_sets_the_pace(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open()
    user = page.locator("script").get_attribute("data-notify-user") or ""
    stage.front.wait_for(1)

    stage.front.answer(200, {"X-Notify-User": user, "X-Poll-Interval": "1", "Cache-Control": "no-store"}, "[]")
    gaps(stage, 1)

    assert gaps(stage, 1)[0] >= 0.95


def test_an_application_can_stop_and_start_the_script(stage: Stage, visitor: Visitor) -> None:
    visitor.follow()
    page = visitor.open()
    stage.front.wait_for(1)
    module = "import(document.querySelector('script').src)"

    # Between two polls: one that is broken off would still be counted.
    page.evaluate(f"""{module}.then(async notify => {{
        while (pending) await new Promise(done => setTimeout(done, 10));
        notify.stop();
    }})""")
    stage.front.forget()
    stage.emit(visitor, "follows", 7)
    hide(page)
    show(page)
    page.evaluate("fetch('/other').then(answer => answer.text())")
    assert stage.front.polls == []
    page.evaluate(f"{module}.then(notify => notify.start())")

    expect(page.locator("#message_count")).to_have_text("7")


def test_a_page_out_of_the_back_forward_cache_is_put_right(stage: Stage, caching_browser: Browser) -> None:
    visitor = stage.visit(using=caching_browser)
    page = visitor.open()
    stage.front.wait_for(2)
    page.evaluate("window.kept = true")

    page.goto(visitor.url + "/other")
    stage.front.forget()
    stage.emit(visitor, "follows", 7)
    page.go_back(wait_until="commit")

    assert page.evaluate("window.kept"), "the page was loaded anew: something keeps it out of the cache"
    expect(page.locator("#message_count")).to_have_text("7")
    stage.emit(visitor, "follows", 8)
    expect(page.locator("#message_count")).to_have_text("8")


def test_a_page_in_the_back_forward_cache_does_not_keep_the_lead(stage: Stage, caching_browser: Browser) -> None:
    visitor = stage.visit(using=caching_browser)
    page = visitor.open("/?tab=a")
    stage.front.wait_for(2)
    other = visitor.open("/?tab=b")
    stage.front.wait_for(4)

    page.goto(visitor.url + "/other")
    stage.emit(visitor, "follows", 7)

    expect(other.locator("#message_count")).to_have_text("7")


def test_a_page_out_of_the_disk_cache_drops_what_expired(stage: Stage, visitor: Visitor) -> None:
    """Without the back-forward cache, going back may show the page as it was once sent."""
    page = visitor.open("/?offer=3600")
    stage.front.wait_for(1)

    page.goto(visitor.url + "/other")
    page.go_back()

    expect(page.get_by_text("Today only")).to_be_hidden()
