"""What the documentation shows of actions is what a browser shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from .boards import BoardStage, button, dialog, question, set_board, toast
from .conftest import Stage
from .pictures import SIZE, take_picture

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> BoardStage:
    stage = set_board(set_stage, options=SIZE)
    stage.add("Where shall we have lunch?")
    return stage


def test_a_button_opens_a_dialog(stage: BoardStage) -> None:
    page = stage.open()

    button(page, "lunch", "Close thread").click()

    expect(dialog(page, "Close thread")).to_be_visible()
    page.get_by_label("Description").fill("We meet at noon, at the usual place.")
    take_picture(page, "action-dialog")


def test_a_question_is_asked(stage: BoardStage) -> None:
    page = stage.open()

    button(page, "lunch", "Delete").press("Enter")

    expect(question(page, "Delete")).to_be_visible()
    take_picture(page, "action-question")


def test_toasts_tell_what_has_happened(stage: BoardStage) -> None:
    stage.visitor.expect_complaint("500")
    page = stage.open()

    button(page, "lunch", "Vote").click()
    button(page, "lunch", "Report").click()

    expect(toast(page, "Thank you.")).to_be_visible()
    expect(toast(page, "Something went wrong.")).to_be_visible()
    take_picture(page, "action-toasts")
