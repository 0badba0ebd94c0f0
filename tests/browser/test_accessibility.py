"""The page can be heard, read in any colour scheme, and does not jump."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import expect

from .conftest import Stage, Visitor, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.databases("sqlite")

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

# What a screen reader is told: each text that the live region of the badge comes to hold.
LISTEN = """() => {
    window.spoken = [];
    const region = document.querySelector("[role=status]");
    const changed = () => region.textContent && spoken.push(region.textContent);
    new MutationObserver(changed).observe(region, {childList: true, characterData: true, subtree: true});
}"""


# Half-transparent text has no contrast.
_BRING_TO_REST = """
for (const animation of document.getAnimations())
    if (Number.isFinite(animation.effect.getComputedTiming().endTime)) animation.finish();
"""


def violations(page: Page, axe: Path) -> list[str]:
    """Return what axe finds on the page as it is, once it has its style and what moves has come to rest."""
    page.wait_for_load_state()
    page.evaluate(_BRING_TO_REST)
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(axe.read_text())
    found = page.evaluate("axe.run().then(results => results.violations)")
    return [f"{rule['id']}: {rule['nodes'][0]['html']}" for rule in found]


def violations_in_any_light(page: Page, axe: Path) -> list[str]:
    """Return what axe finds on the page as it is, in the light and in the dark."""
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {violation}" for violation in violations(page, axe)]
    return found


def test_axe_finds_nothing(stage: Stage, visitor: Visitor, module_file: Callable[[str], Path]) -> None:
    axe = module_file("axe-core/axe.min.js")
    page = visitor.open()
    assert violations_in_any_light(page, axe) == []

    stage.emit(visitor, "follows", 100)
    stage.emit(visitor, "task:1", 40)
    stage.emit(visitor, "task:2", {"progress": None})
    stage.emit(visitor, "status", "Busy")

    expect(page.get_by_role("progressbar")).to_have_count(2)
    expect(page.locator("[data-notify-text]")).to_have_text("Busy")
    assert violations_in_any_light(page, axe) == []


def test_a_rise_of_the_badge_is_announced_and_a_fall_is_not(stage: Stage, visitor: Visitor) -> None:
    stage.emit(visitor, "follows", 1)
    page = visitor.open()
    page.evaluate(LISTEN)

    for count in (2, 1, 0, 4):
        stage.emit(visitor, "follows", count)
        expect(page.locator("#message_count")).to_have_text(str(count))

    wait_until(page, "spoken.length > 1")
    assert page.evaluate("spoken") == ["2 new followers", "4 new followers"]


def test_a_badge_above_99_is_announced_once(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open()
    page.evaluate(LISTEN)

    stage.emit(visitor, "follows", 100)
    expect(page.locator("#message_count")).to_have_text("99+")
    stage.emit(visitor, "follows", 101)
    stage.emit(visitor, "status", "later")
    expect(page.locator("[data-notify-text]")).to_have_text("later")

    assert page.evaluate("spoken") == ["99+ new followers"]


def test_the_link_around_a_badge_is_reached_by_keyboard_and_says_the_count(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open()
    stage.emit(visitor, "follows", 2)
    expect(page.locator("#message_count")).to_have_text("2")

    page.keyboard.press("Tab")
    page.keyboard.press("Tab")

    expect(page.get_by_role("link", name="Followers 2 new followers", exact=True)).to_be_focused()


def test_nothing_moves_when_a_number_changes(stage: Stage, visitor: Visitor) -> None:
    stage.emit(visitor, "task:1", 1)
    page = visitor.open()
    after_badge, bar = page.get_by_role("link", name="Profile"), page.get_by_role("progressbar")
    places = [after_badge.bounding_box(), bar.bounding_box()]

    for count in (1, 10, 100, 0):
        stage.emit(visitor, "follows", count)
        stage.emit(visitor, "task:1", min(99, count))
        expect(page.get_by_text(f"{min(99, count)}%", exact=True)).to_be_visible()
        assert [after_badge.bounding_box(), bar.bounding_box()] == places


def test_who_wants_no_motion_gets_none(stage: Stage) -> None:
    visitor = stage.visit(reduced_motion="reduce")
    stage.emit(visitor, "task:1", 1)

    page = visitor.open()

    moving = "getComputedStyle(document.querySelector('progress'), '::-webkit-progress-value').transitionDuration"
    assert page.evaluate(moving) in ("0s", "")


def test_an_application_colours_it_all_with_one_property(stage: Stage, visitor: Visitor) -> None:
    stage.emit(visitor, "follows", 1)
    page = visitor.open()

    page.evaluate("document.documentElement.style.setProperty('--notify-accent', 'rgb(1, 2, 3)')")

    expect(page.locator("#message_count")).to_have_css("background-color", "rgb(1, 2, 3)")


def test_the_application_icon_follows_the_badge(stage: Stage, visitor: Visitor) -> None:
    """The headless browser has no icon to look at, so what would be drawn is kept."""
    visitor.context.add_init_script(
        "window.drawn = []; navigator.setAppBadge = count => (drawn.push(count), Promise.resolve());"
    )
    stage.emit(visitor, "follows", 2)
    page = visitor.open()

    stage.emit(visitor, "follows", 5)
    expect(page.locator("#message_count")).to_have_text("5")
    stage.emit(visitor, "follows", 0)

    wait_until(page, "drawn.length > 2")
    assert page.evaluate("drawn") == [2, 5, 0]


def test_a_badge_of_the_applications_own_leaves_its_surroundings_alone(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open()
    page.evaluate("""() => {
        const main = document.querySelector("main");
        for (const [attribute, value, text] of [["role", "status", "Saved"], ["data-notify-badge", "cart", "0"]]) {
            const element = document.createElement("span");
            element.setAttribute(attribute, value);
            element.textContent = text;
            main.append(element);
        }
    }""")

    stage.emit(visitor, "cart", 2)

    expect(page.locator("[data-notify-badge=cart]")).to_have_text("2")
    expect(page.locator("main [role=status]")).to_have_text("Saved")
