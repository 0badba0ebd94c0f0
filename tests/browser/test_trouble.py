"""Servers that fail, sessions that end, pages that come back."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from .conftest import Stage, Visitor, hide, show, wait_for_complaint

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


def in_seconds() -> str:
    """Return two seconds as a Retry-After."""
    return "2"


def as_date() -> str:
    """Return between two and three seconds as a Retry-After."""
    return formatdate(time.time() + 3, usegmt=True)


@pytest.mark.parametrize("status,retry_after", [(503, in_seconds), (429, in_seconds), (503, as_date)])
def test_retry_after_is_obeyed(stage: Stage, visitor: Visitor, status: int, retry_after: Callable[[], str]) -> None:
    failing(visitor)
    visitor.context.add_init_script("const real = Date.now; Date.now = () => real() + 90_000_000;")
    page = visitor.open()
    stage.front.wait_for(1)

    stage.front.answer(status, {"Retry-After": retry_after()})
    wait_for_complaint(page, visitor, str(status))
    stage.front.pass_on()
    stage.emit(visitor, "follows", 7)
    expect(page.locator("#message_count")).to_have_text("7")

    refused = [poll.status for poll in stage.front.polls].index(status)
    assert stage.front.polls[refused + 1].at - stage.front.polls[refused].at >= 1.5
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


def test_a_server_in_trouble_is_asked_less_and_less(stage: Stage, visitor: Visitor) -> None:
    failing(visitor)
    page = visitor.open()
    stage.front.wait_for(1)
    stage.front.answer(500)

    waits = gaps(stage, 4)
    stage.front.pass_on()
    stage.emit(visitor, "follows", 7)

    # Half to all of 0.25 s × 2, 4, 8, 16.
    assert all(wait >= 0.25 * 2**power / 2 for power, wait in enumerate(waits, start=1))
    expect(page.locator("#message_count")).to_have_text("7", timeout=15_000)


def test_a_server_that_comes_back_is_found_again(stage: Stage, visitor: Visitor) -> None:
    failing(visitor)
    page = visitor.open()
    stage.front.wait_for(1)

    stage.server.stop()
    stage.emit(visitor, "follows", 7)
    wait_for_complaint(page, visitor, "ERR_CONNECTION_REFUSED")
    stage.server.start()

    expect(page.locator("#message_count")).to_have_text("7", timeout=15_000)


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

    expect(page.locator("#message_count")).to_have_text("7", timeout=15_000)


def test_a_session_that_ended_ends_polling_until_the_page_is_looked_at(stage: Stage, visitor: Visitor) -> None:
    failing(visitor)
    page = visitor.open()
    stage.emit(visitor, "follows", 7)
    expect(page.locator("#message_count")).to_have_text("7")

    visitor.log_out()
    wait_for_complaint(page, visitor, "401")
    stage.front.forget()
    show(page)
    assert [poll.status for poll in stage.front.wait_for(1)] == [401]

    visitor.log_in(visitor.key)
    stage.emit(visitor, "follows", 8)
    hide(page)
    show(page)
    expect(page.locator("#message_count")).to_have_text("8")
    assert [poll.status for poll in stage.front.wait_for(4)][:2] == [401, 200]
    stage.emit(visitor, "follows", 9)
    expect(page.locator("#message_count")).to_have_text("9")


def test_a_redirect_to_a_login_page_ends_polling_like_a_401(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open()
    stage.front.wait_for(1)

    stage.front.answer(302, {"Location": "/other"})
    stage.front.forget()
    stage.front.wait_for(1)
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

    stage.front.answer(200, {"X-Notify-User": user, "X-Poll-Interval": "1.5", "Cache-Control": "no-store"}, "[]")
    gaps(stage, 1)

    assert gaps(stage, 2)[-1] >= 1.45


def test_an_application_can_stop_and_start_the_script(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open()
    stage.front.wait_for(1)
    module = "import(document.querySelector('script').src)"

    page.evaluate(f"{module}.then(notify => notify.stop())")
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
