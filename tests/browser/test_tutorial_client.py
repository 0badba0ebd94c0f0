"""The client that the Flask Mega-Tutorial teaches works against the polls as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import Stage, Visitor

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def page(visitor: Visitor, module_file: Callable[[str], Path]) -> Page:
    """The tutorial's page, open."""
    module_file("jquery/dist/jquery.js")
    return visitor.open("/tutorial")


def test_the_tutorials_client_shows_counts_and_progress(stage: Stage, visitor: Visitor, page: Page) -> None:
    expect(page.locator("#message_count")).to_be_hidden()

    stage.emit(visitor, "message_count", 3)
    stage.emit(visitor, "task_progress", {"task_id": 7, "progress": 40})

    expect(page.locator("#message_count")).to_have_text("3")
    expect(page.locator("#message_count")).to_be_visible()
    expect(page.get_by_text("40%")).to_be_visible()
    stage.emit(visitor, "message_count", 0)
    expect(page.locator("#message_count")).to_be_hidden()


def test_the_browser_by_itself_makes_its_idle_polls_cheap(stage: Stage, visitor: Visitor, page: Page) -> None:
    stage.emit(visitor, "message_count", 3)
    expect(page.locator("#message_count")).to_have_text("3")
    stage.front.forget()

    _, *others = stage.front.wait_for(4)

    assert [poll.status for poll in others] == [304, 304, 304]
    assert all(poll.ticket for poll in others)
    stage.emit(visitor, "message_count", 4)
    expect(page.locator("#message_count")).to_have_text("4")


def test_the_browser_does_the_same_for_the_script(stage: Stage, visitor: Visitor) -> None:
    stage.emit(visitor, "follows", 3)
    page = visitor.open()

    polls = stage.front.wait_for(4)

    assert [poll.status for poll in polls] == [200, 304, 304, 304]
    stage.emit(visitor, "follows", 4)
    expect(page.locator("#message_count")).to_have_text("4")
