"""What the documentation shows of watching is what the example shows in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from playwright.sync_api import expect

from tests.browser.pictures import SIZE, take_picture
from tests.example.test_in_browser import be_patient, log_in
from tests.example.visitor import Visitor
from tests.live import LiveServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow


@pytest.fixture
def thread(app: Flask) -> str:
    """The address of a thread that yuki has opened, in which pilar has said something, and which wren watches."""
    people = {name: Visitor(app, name).register() for name in ("wren", "yuki", "pilar")}
    people["wren"].visit("/messages/1", 302)
    title = "Sunday at ten: the sixth lime tree"
    address = people["yuki"].open_thread(title, body="Bring gloves.", topic="EVENTS")
    people["pilar"].send(address, body="I bring soup. Whoever digs gets two bowls.")
    people["wren"].send(address, "/watches", target_type="Thread", target_id="1")
    values = {"body": "Bring gloves,\nand three stakes.", "topic": "EVENTS", "visibility": "members"}
    people["yuki"].send(f"{address}/edit", title=title.replace("ten", "eleven"), **values)
    return address


@pytest.fixture
def page(app: Flask, thread: str, browser: Browser, serve: Callable[[Flask], LiveServer]) -> Iterator[Page]:
    """A page of wren's."""
    assert thread
    with browser.new_context(base_url=serve(app).url, permissions=["notifications"], **SIZE) as context:
        page = be_patient(context.new_page())
        log_in(page, "wren")
        yield page


def test_a_change_stands_in_the_inbox_with_its_summary(page: Page) -> None:
    page.goto("/messages")

    told = page.locator("[data-notify-message]").first
    expect(told).to_contain_text("Title: Sunday at ten: the sixth lime tree → Sunday at eleven: the sixth lime tree")
    expect(told).to_contain_text("Who may read it: Everybody → People with an account")
    take_picture(page, "change-message")


def test_a_thread_has_a_button_to_watch_it(page: Page, thread: str) -> None:
    page.goto(thread)

    expect(page.get_by_role("button", name="Watching")).to_have_attribute("aria-pressed", "true")
    page.get_by_text("How I am told").click()
    page.evaluate("scrollBy(0, 64)")
    take_picture(page, "watch-button")


def test_people_choose_what_may_interrupt_them(page: Page) -> None:
    page.goto("/preferences")

    part = page.get_by_role("group", name="What may interrupt you")
    part.get_by_role("button", name="Notify me on my desktop").click()
    expect(part.get_by_text("In this browser, new messages show on your desktop.")).to_be_visible()
    part.evaluate("part => part.scrollIntoView({ block: 'start' })")
    page.evaluate("scrollBy(0, -96)")
    take_picture(page, "preferences")
