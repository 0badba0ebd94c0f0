"""The button by which a user watches, with the script of actions: no reload, the focus stays, the word is heard."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from .conftest import Stage, Visitor
from .test_watches import PAGE, add_posts, second, state

pytestmark = pytest.mark.databases("sqlite")

WITH_SCRIPT = PAGE.replace("</main>", "</main>{{ notify_script() }}{{ notify_actions_script() }}")


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> Stage:
    """An application with two posts that can be watched."""
    return add_posts(set_stage(), WITH_SCRIPT)


def test_the_button_is_swapped_without_a_reload_and_keeps_the_focus(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open("/posts")
    page.evaluate("window.same = true")

    for before, after, word in (
        ("Watch", "Watching", "You watch this: you will be told of its changes."),
        ("Watching", "Watch", "You do not watch this any more."),
    ):
        second(page).get_by_role("button", name=f"{before} Second", exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").filter(has_text=word)).to_be_visible()
        expect(second(page).get_by_role("button", name=f"{after} Second", exact=True)).to_be_focused()
        assert state(stage, visitor) == (after == "Watching", False)

    assert page.evaluate("window.same") is True


def test_the_choice_of_modes_needs_no_reload_and_keeps_the_focus(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open("/posts")
    page.evaluate("window.same = true")
    second(page).get_by_text("How I am told").press("Enter")
    second(page).get_by_label("Mail about this").select_option("Not at all")

    second(page).get_by_role("button", name="Save").press("Enter")

    expect(second(page).get_by_role("button", name="Muted Second")).to_be_visible()
    expect(second(page).get_by_role("button", name="Save")).to_be_focused()
    expect(second(page).get_by_label("Mail about this")).to_have_value("silent")
    assert state(stage, visitor) == (False, True)
    assert page.evaluate("window.same") is True
