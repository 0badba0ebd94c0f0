"""A message with `popup` opens the inbox by itself: where somebody looks, once, and without taking the focus."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from flask_notify import MessageType

from .conftest import Stage, Visitor
from .desktops import look_at, look_away, set_desk
from .inboxes import badge, bell, message, tell

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.databases("sqlite")


class Urgent(MessageType):
    """One that shows itself."""

    popup = True

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return "Look at this"


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> Stage:
    stage = set_desk(set_stage)
    stage.site.notify.message_type(Urgent)
    return stage


def send(stage: Stage, visitor: Visitor) -> None:
    """Send a message that shows itself."""
    with stage.site.app.app_context():
        stage.site.notify.send(Urgent(), to=stage.site.user(visitor.key))
        stage.site.db.session.commit()


def panel(page: Page) -> Locator:
    """Return what the bell opens."""
    return page.locator(".notify-inbox-panel")


def test_it_opens_on_the_page_that_is_looked_at(stage: Stage, visitor: Visitor) -> None:
    away, page = visitor.open("/desk"), visitor.open("/desk")
    look_away(away)
    page.get_by_label("Text").fill("half a sen")

    send(stage, visitor)

    expect(message(page, "Look at this")).to_be_visible()
    expect(bell(page)).to_have_attribute("aria-expanded", "true")
    expect(badge(away)).to_have_text("1")
    expect(panel(away)).to_be_hidden()
    # Whoever is writing goes on writing.
    expect(page.get_by_label("Text")).to_be_focused()


def test_it_waits_until_somebody_looks(stage: Stage, visitor: Visitor) -> None:
    first, second = visitor.open("/desk"), visitor.open("/desk")
    look_away(first, second)
    send(stage, visitor)
    for page in (first, second):
        expect(badge(page)).to_have_text("1")
        expect(panel(page)).to_be_hidden()

    look_at(first)
    expect(panel(first)).to_be_visible()
    look_away(first)
    look_at(second)

    # It was shown already.
    second.get_by_label("Text").fill("text")
    expect(panel(second)).to_be_hidden()


def test_other_messages_open_nothing(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open("/desk")

    tell(stage, visitor, "quiet")

    expect(badge(page)).to_have_text("1")
    expect(panel(page)).to_be_hidden()
    tell(stage, visitor, "loud", data={"popup": True})
    expect(message(page, "loud")).to_be_visible()


def test_a_page_that_is_opened_later_is_met_by_none(stage: Stage, visitor: Visitor) -> None:
    send(stage, visitor)

    page = visitor.open("/desk")
    tell(stage, visitor, "after that")

    expect(badge(page)).to_have_text("2")
    expect(panel(page)).to_be_hidden()
