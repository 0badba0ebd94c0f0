"""What the server renders is right before the first poll, and without any script."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import Stage, Visitor, wait_until

pytestmark = pytest.mark.databases("sqlite")


def test_the_badge_is_right_before_any_poll_was_answered(stage: Stage, visitor: Visitor) -> None:
    stage.emit(visitor, "follows", 3)
    stage.front.open.clear()

    page = visitor.open()

    expect(page.locator("#message_count")).to_have_text("3")
    expect(page.locator("#message_count")).to_be_visible()
    expect(page).to_have_title("(3) Microblog")
    assert stage.front.polls == []
    stage.front.open.set()


def test_everything_is_right_without_scripts(stage: Stage) -> None:
    visitor = stage.visit(java_script_enabled=False)
    stage.emit(visitor, "follows", 120)
    stage.emit(visitor, "task:1", {"progress": 40.5})
    stage.emit(visitor, "status", "<b>Busy</b>")

    page = visitor.open()

    expect(page.get_by_role("link", name="Followers 99+ new followers")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Exporting posts")).to_have_attribute("value", "40.5")
    expect(page.get_by_text("40%")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Importing contacts")).to_be_hidden()
    expect(page.locator("[data-notify-text=status]")).to_have_text("<b>Busy</b>")


def test_a_badge_of_nothing_is_in_the_page_but_hidden(visitor: Visitor) -> None:
    page = visitor.open()

    badge = page.locator("#message_count")
    expect(badge).to_have_text("0")
    expect(badge).to_be_hidden()
    expect(page.get_by_role("link", name="Followers", exact=True)).to_be_visible()
    expect(page).to_have_title("Microblog")


def test_a_visitor_who_is_not_logged_in_gets_no_script_and_polls_nothing(stage: Stage, visitor: Visitor) -> None:
    visitor.log_out()

    page = visitor.open()

    expect(page.locator("#message_count")).to_be_hidden()
    expect(page.locator("script")).to_have_count(0)
    assert stage.front.polls == []


def test_the_page_polls_from_the_cursor_that_it_was_rendered_at(stage: Stage, visitor: Visitor) -> None:
    written = stage.emit(visitor, "follows", 3)

    visitor.open()

    assert stage.front.wait_for(1)[0].since == written


def test_a_page_can_ask_for_all_values_as_events(stage: Stage, visitor: Visitor) -> None:
    written = stage.emit(visitor, "follows", 3)
    visitor.context.add_init_script(
        "document.addEventListener('notify:follows', event => { window.told = event.detail; })"
    )

    page = visitor.open("/?since=0")

    wait_until(page, "window.told")
    assert page.evaluate("window.told") == {"data": 3, "timestamp": written}
