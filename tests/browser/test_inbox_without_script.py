"""The inbox without JavaScript: real links and real forms."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from .conftest import Stage, Visitor
from .inboxes import badge, left, message, set_inbox, tell

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> Stage:
    return set_inbox(set_stage, NOTIFY_MESSAGES_PER_PAGE=3)


@pytest.fixture
def visitor(stage: Stage) -> Visitor:
    return stage.visit(key=stage.site.add_user("susan"), java_script_enabled=False)


def test_the_bell_is_a_link_and_the_page_has_a_button(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, "first", "second")
    page = visitor.open("/home")
    expect(badge(page)).to_have_text("2")

    page.get_by_role("link", name="Messages 2 unseen").click()
    assert left(stage, visitor) == {"first", "second"}
    page.get_by_role("button", name="Mark all seen").click()

    expect(page).to_have_title("Messages")
    expect(page.get_by_role("button", name="Mark all seen")).to_have_count(0)
    assert left(stage, visitor) == set()


def test_one_message_is_marked_seen_and_unseen(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, "first", "second")
    page = visitor.open("/messages")

    message(page, "first").get_by_role("button", name="Mark seen").click()
    assert left(stage, visitor) == {"second"}
    message(page, "first").get_by_role("button", name="Mark unseen").click()

    assert left(stage, visitor) == {"first", "second"}


def test_the_pages_lead_on_and_back_while_they_are_marked(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, *"abcde")
    page = visitor.open("/messages")
    bodies = page.locator(".notify-message-body")

    page.get_by_role("link", name="Older").click()
    expect(bodies).to_have_text(["b", "a"])
    page.get_by_role("button", name="Mark these seen").click()
    expect(bodies).to_have_text(["b", "a"])
    page.get_by_role("link", name="Newer").click()

    expect(bodies).to_have_text(["e", "d", "c"])
    assert left(stage, visitor) == {"c", "d", "e"}


def test_a_filter_is_chosen(stage: Stage, visitor: Visitor) -> None:
    first, _ = tell(stage, visitor, "first", "second")
    visitor.open(f"/messages/{first}")
    page = visitor.open("/messages")

    page.get_by_text("Filter").click()
    page.get_by_label("Show").select_option("Seen only")
    page.get_by_role("button", name="Apply").click()

    expect(page.locator(".notify-message-body")).to_have_text(["first"])


def test_one_user_writes_to_another_who_answers_and_blocks(stage: Stage, visitor: Visitor) -> None:
    david = stage.visit(key=stage.site.add_user("david"), java_script_enabled=False)
    page = visitor.open("/send_message/david")
    page.get_by_label("Your message").fill("Hello, David!")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status").filter(has_text="was sent")).to_be_visible()

    his = david.open("/messages")
    message(his, "Hello, David!").get_by_role("link", name="Reply").click()
    his.get_by_label("Your message").fill("Hello, Susan!")
    his.get_by_role("button", name="Send").click()
    page = visitor.open("/messages")
    expect(message(page, "Hello, Susan!")).to_be_visible()

    his.goto(f"{david.url}/messages/1")
    his.get_by_role("button", name="Block susan").click()
    expect(his.get_by_text("susan can no longer write to you.")).to_be_visible()
    visitor.expect_complaint("403")
    page.goto(f"{visitor.url}/send_message/david")
    expect(page.get_by_text("does not take private messages")).to_be_visible()


def test_the_widget_is_used_and_switched_off(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, "first", "second")
    page = visitor.open("/home")
    widget = page.get_by_role("region", name="New messages")

    message(page, "first").get_by_role("button", name="Mark seen").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    expect(widget.locator(".notify-message-link")).to_have_text(["second"])
    page.get_by_role("button", name="Do not show this again").click()

    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    expect(widget).to_have_count(0)
    assert left(stage, visitor) == {"second"}
