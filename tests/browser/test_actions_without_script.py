"""Actions without JavaScript: real forms, which lead to pages and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from .boards import BoardStage, button, set_board, thread
from .conftest import Stage

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> BoardStage:
    return set_board(set_stage, options={"java_script_enabled": False})


def told(page: Page, text: str) -> None:
    """Wait until a page says so."""
    expect(page.locator(".notify-flash").filter(has_text=text)).to_be_visible()


def test_a_button_runs_its_action(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.visitor.open("/board")

    button(page, "Lunch", "Vote").press("Enter")

    told(page, "Thank you.")
    expect(page).to_have_title("Board")
    expect(thread(page, "Lunch").get_by_text("1 votes")).to_be_visible()


def test_selected_rows_are_closed(stage: BoardStage) -> None:
    stage.add("Lunch", "Tea", "Dinner")
    page = stage.visitor.open("/board")
    page.get_by_role("button", name="Close the selected").click()
    told(page, "Select at least one.")

    page.get_by_role("checkbox", name="Select Lunch").check()
    page.get_by_role("checkbox", name="Select Dinner").check()
    page.get_by_role("button", name="Close the selected").click()

    told(page, "2 closed.")
    assert stage.board.closed() == {"Lunch", "Dinner"}


def test_a_dialog_and_a_question_are_pages(stage: BoardStage) -> None:
    stage.add("Lunch")
    david = stage.stage.site.add_user("david")
    page = stage.visitor.open("/board")

    button(page, "Lunch", "Close thread").press("Enter")
    expect(page.get_by_role("heading", name="Close thread")).to_be_visible()
    page.get_by_label("Subject").fill("Lunch is over")
    page.get_by_role("button", name="Close thread").press("Enter")
    expect(page.get_by_text("Close “Lunch”?")).to_be_visible()
    assert stage.board.closed() == set()
    page.get_by_role("button", name="Yes").press("Enter")

    told(page, "“Lunch” is closed.")
    expect(page).to_have_title("Board")
    expect(button(page, "Lunch", "Close thread")).to_be_disabled()
    assert stage.board.closed() == {"Lunch"}
    with stage.stage.site.app.app_context():
        assert stage.stage.site.user(david).unread_message_count == 1


def test_cancel_and_no_lead_back_and_change_nothing(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.visitor.open("/board")
    button(page, "Lunch", "Close thread").click()
    page.get_by_role("link", name="Cancel").click()
    expect(page).to_have_title("Board")

    button(page, "Lunch", "Delete").click()
    page.get_by_role("button", name="No").click()

    told(page, "Nothing was changed.")
    assert stage.board.state() == {"Lunch": (False, 0)}


def test_several_questions_follow_one_another(stage: BoardStage) -> None:
    stage.add("Lunch")
    page = stage.visitor.open("/board")

    button(page, "Lunch", "Delete").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("It is still open.")).to_be_visible()
    page.get_by_role("button", name="Yes").click()

    told(page, "Deleted.")
    assert stage.board.state() == {}


def test_errors_stand_beside_their_fields(stage: BoardStage) -> None:
    stage.visitor.expect_complaint("422")
    page = stage.visitor.open("/board")
    page.get_by_role("button", name="Announce").click()
    page.get_by_label("Text").fill("SHOUT")
    page.get_by_label("More").fill("kept")
    page.get_by_label("Your password").fill("x")

    page.get_by_role("button", name="Announce").click()

    expect(page.get_by_label("Text")).to_have_accessible_description("In a line. Do not shout, <b>please</b>.")
    expect(page.get_by_label("More")).to_have_value("kept")
    page.get_by_label("Text").fill("Hello")
    page.get_by_label("Your password").fill("x")
    page.get_by_label("Loud").check()
    page.get_by_role("button", name="Announce").click()
    expect(page.get_by_text("As loud as that?")).to_be_visible()
    page.get_by_label("Your password").fill("x")
    page.get_by_role("button", name="Yes").click()
    for text in ("Announced.", "It is on top now.", "Some are asleep."):
        told(page, text)
    assert stage.board.ran == [
        {"text": "Hello", "more": "kept", "tone": "loud", "place": "top", "password": "x", "origin": "board"}
    ]


def test_an_exception_is_told_by_a_reference(stage: BoardStage) -> None:
    stage.add("Lunch")
    stage.visitor.expect_complaint("500")
    page = stage.visitor.open("/board")

    button(page, "Lunch", "Report").click()

    expect(page.get_by_text("Nothing was changed. Reference ")).to_be_visible()
