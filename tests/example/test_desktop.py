"""The microblog on the desktop: what people switch on, what shows by itself, and how they try it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from playwright.sync_api import expect

from tests.browser.desktops import TAKE_TURNS, ask, look_away, wait_for_titles
from tests.example.test_in_browser import be_patient, log_in
from tests.example.visitor import Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.live import LiveServer


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """The application; its pages ask often, so that nobody has to wait."""
    return make_app(NOTIFY_POLL_INTERVAL=0.25)


@pytest.fixture
def bob(app: Flask) -> Visitor:
    """Somebody with an account, beside alice."""
    Visitor(app, "alice").register()
    return Visitor(app, "bob").register()


@pytest.fixture
def page(app: Flask, bob: Visitor, browser: Browser, serve: Callable[[Flask], LiveServer]) -> Iterator[Page]:
    """A page of alice's, whose browser permits notifications."""
    assert bob
    with browser.new_context(base_url=serve(app).url, permissions=["notifications"]) as context:
        context.add_init_script(TAKE_TURNS)
        page = be_patient(context.new_page())
        log_in(page, "alice")
        yield page


def test_a_mention_shows_on_the_desktop_of_who_has_switched_it_on(page: Page, bob: Visitor) -> None:
    ask(page).click()
    expect(page.get_by_text("In this browser, new messages show on your desktop.")).to_be_visible()
    look_away(page)

    bob.post("Has @alice seen the limes?")

    (note,) = wait_for_titles(page, "bob mentioned you")
    assert note["body"] == "Has @alice seen the limes?"


def test_the_page_of_preferences_is_the_extensions_but_for_one_block(bob: Visitor) -> None:
    page = bob.open("/preferences")

    assert "See it for yourself" in page
    assert "Does it work?" not in page
    assert "What may interrupt you" in page


def test_who_sends_a_test_finds_it_in_the_inbox_and_on_the_desktop(page: Page) -> None:
    page.goto("/preferences")
    ask(page).click()

    page.get_by_role("button", name="Send me a test notification").click()

    expect(page.get_by_text("A test notification is on its way.")).to_be_visible()
    wait_for_titles(page, "A test notification")
    page.get_by_role("button", name="Messages").click()
    expect(page.get_by_text("This is how new messages reach you here.")).to_be_visible()
