"""Two people in two browser windows: what one does is seen by the other without a reload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from flask import Flask

from tests.example.visitor import PASSWORD, Visitor
from tests.live import LiveServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Window = Callable[[str], "Page"]


@pytest.fixture
def site(make_app: Callable[..., Flask], serve: Callable[[Flask], LiveServer]) -> LiveServer:
    """The application on a real port, with alice and bob; exports take long enough to be seen."""
    app = make_app(NOTIFY_POLL_INTERVAL=0.1, EXPORT_PACE=0.15)
    for name in ("alice", "bob"):
        Visitor(app, name).register()
    return serve(app)


@pytest.fixture
def window(browser: Browser, site: LiveServer) -> Iterator[Window]:
    """Log somebody in, in a window of their own; no page may complain of anything."""
    complaints: list[str] = []
    with ExitStack() as stack:

        def open_window(username: str) -> Page:
            context = browser.new_context(base_url=site.url)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(10_000)
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto("/login")
            page.get_by_label("Username").fill(username)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Log in").click()
            page.wait_for_url("/")
            return page

        yield open_window
    assert complaints == []


def badge(page: Page, name: str, text: str) -> None:
    """Wait until a badge can be seen with this text."""
    page.locator(f'[data-notify-badge="{name}"]:visible').get_by_text(text, exact=True).wait_for()


def write(page: Page, text: str) -> None:
    page.goto("/")
    page.get_by_label("What is on your mind?").fill(text)
    page.get_by_role("button", name="Post").click()
    page.get_by_text("Your post is out.").wait_for()


def follow(page: Page, username: str) -> None:
    page.goto(f"/user/{username}")
    page.get_by_role("button", name="Follow", exact=True).click()
    page.get_by_role("button", name="Unfollow").wait_for()


def test_a_new_follower_raises_the_badge_in_the_other_window(window: Window) -> None:
    alice, bob = window("alice"), window("bob")
    assert alice.locator('[data-notify-badge="new_followers"]:visible').count() == 0

    follow(bob, "alice")

    badge(alice, "new_followers", "1")


def test_looking_in_one_window_clears_the_badge_in_another_of_the_same_person(window: Window) -> None:
    alice, elsewhere, bob = window("alice"), window("alice"), window("bob")
    follow(bob, "alice")
    badge(elsewhere, "new_followers", "1")

    alice.goto("/user/alice/followers")

    elsewhere.locator('[data-notify-badge="new_followers"]').wait_for(state="hidden")


def test_a_new_post_is_counted_and_offered_above_the_feed(window: Window) -> None:
    alice, bob = window("alice"), window("bob")
    follow(bob, "alice")
    bob.goto("/")

    write(alice, "The tide is out.")

    badge(bob, "new_posts", "1")
    bob.get_by_role("link", name="Show 1 new post").click()
    bob.get_by_text("The tide is out.").wait_for()
    assert bob.locator('[data-notify-badge="new_posts"]:visible').count() == 0


def test_what_somebody_writes_never_runs(window: Window) -> None:
    alice, bob = window("alice"), window("bob")
    follow(bob, "alice")

    write(alice, '<img src="/x" onerror="document.title = 1">')

    bob.goto("/")
    bob.get_by_text("onerror").wait_for()
    assert bob.locator(".body img").count() == 0


def test_an_export_fills_its_bar_and_becomes_a_link_without_a_reload(window: Window) -> None:
    alice = window("alice")
    for number in range(4):
        write(alice, f"Post {number}.")
    alice.goto("/exports/")
    alice.evaluate("window.addEventListener('pagehide', () => sessionStorage.setItem('reloaded', 'yes'))")
    alice.get_by_role("button", name="Export my posts").click()
    alice.evaluate("sessionStorage.removeItem('reloaded')")

    alice.wait_for_function("document.querySelector('progress')?.value > 0")
    with alice.expect_download() as download:
        alice.get_by_role("link", name="Download").click()

    assert download.value.suggested_filename == "posts-alice.json"
    assert "Post 3." in download.value.path().read_text(encoding="utf-8")
    assert alice.evaluate("sessionStorage.getItem('reloaded')") is None
    assert alice.locator("progress").count() == 0


def test_two_exports_have_two_bars_of_which_another_window_tells(window: Window) -> None:
    alice, elsewhere = window("alice"), window("alice")
    for number in range(6):
        write(alice, f"Post {number}.")
    elsewhere.goto("/exports/")

    for _ in range(2):
        alice.goto("/exports/")
        alice.get_by_role("button", name="Export my posts").click()
        alice.wait_for_url("/exports/")

    elsewhere.wait_for_function(
        "[...document.querySelectorAll('progress')].filter((bar) => bar.value > 0).length === 2"
    )
    elsewhere.wait_for_function("document.querySelectorAll('#exports a[href$=\"posts.json\"]').length === 2")


def test_the_pages_fit_a_small_screen(window: Window) -> None:
    alice = window("alice")
    write(alice, "A_very_long_word_" * 12)
    alice.set_viewport_size({"width": 320, "height": 640})

    for path in ("/", "/explore", "/user/alice", "/user/alice/followers", "/profile", "/exports/"):
        alice.goto(path)
        assert alice.evaluate("document.documentElement.scrollWidth") <= 320, path


def test_nothing_to_press_is_smaller_than_44_pixels(window: Window) -> None:
    alice = window("alice")
    write(alice, "One.")
    alice.set_viewport_size({"width": 360, "height": 740})

    for path in ("/", "/user/alice", "/user/alice/followers", "/profile", "/exports/"):
        alice.goto(path)
        small = alice.evaluate(
            """() => [...document.querySelectorAll("button, input:not([type=hidden]), textarea, a")]
                .filter((element) => element.checkVisibility() && !element.matches(".skip, p:not(.byline) > a"))
                .filter((element) => Math.round(element.getBoundingClientRect().height) < 44)
                .map((element) => element.outerHTML)"""
        )
        assert small == [], path


def test_the_page_tells_how_many_characters_are_left(window: Window) -> None:
    alice = window("alice")
    field = alice.get_by_label("What is on your mind?")

    field.fill("x" * 270)
    alice.get_by_text("10 left").wait_for()
    field.fill("x" * 283)
    alice.get_by_text("3 too many").wait_for()
