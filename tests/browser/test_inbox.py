"""The inbox in a browser: nothing needs a reload, every tab has the same count, and the keyboard reaches all of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import expect

from .conftest import HIDE, Stage, Visitor, show, wait_until
from .inboxes import badge, bell, left, lose_tokens, message, posts, set_inbox, tell
from .test_accessibility import violations

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> Stage:
    return set_inbox(set_stage)


# The bell


def test_the_bell_opens_the_newest_messages(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, "first", "second")
    page = visitor.open("/home")
    expect(badge(page)).to_have_text("2")

    bell(page).click()

    panel = page.get_by_role("region", name="Messages", exact=True)
    expect(panel.locator(".notify-message-link")).to_have_text(["second", "first"])
    expect(bell(page)).to_have_attribute("aria-expanded", "true")
    assert left(stage, visitor) == {"first", "second"}


def test_the_bell_is_worked_by_keyboard(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, "first")
    page = visitor.open("/home")
    panel = page.get_by_role("region", name="Messages", exact=True)
    expect(bell(page)).to_be_visible()

    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(bell(page)).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel).to_be_visible()
    page.keyboard.press("Tab")
    expect(panel.get_by_role("button", name="Mark all seen")).to_be_focused()
    page.keyboard.press("Escape")

    expect(panel).to_be_hidden()
    expect(bell(page)).to_be_focused()
    expect(bell(page)).to_have_attribute("aria-expanded", "false")


def test_the_panel_closes_when_one_turns_to_something_else(visitor: Visitor) -> None:
    page = visitor.open("/home")
    panel = page.get_by_role("region", name="Messages", exact=True)
    expect(bell(page)).to_be_visible()

    for elsewhere in (page.get_by_role("heading", name="Dashboard"), bell(page)):
        bell(page).click()
        expect(panel).to_be_visible()
        elsewhere.click()
        expect(panel).to_be_hidden()
    bell(page).click()
    expect(panel).to_be_visible()
    page.get_by_role("link", name="Profile").focus()
    expect(panel).to_be_hidden()


def test_an_open_panel_shows_what_arrives(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open("/home")
    expect(bell(page)).to_be_visible()
    bell(page).click()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()

    tell(stage, visitor, "news")

    expect(message(page, "news").first).to_be_visible()
    expect(badge(page)).to_have_text("1")


def test_a_message_is_marked_seen_and_unseen_in_the_panel_without_a_reload(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, "first", "second")
    page, other = visitor.open("/home"), visitor.open("/home")
    page.bring_to_front()
    bell(page).click()
    panel = page.get_by_role("region", name="Messages", exact=True)
    page.evaluate("window.mine = true")

    message(panel, "first").get_by_role("button", name="Mark seen").press("Enter")  # type: ignore[arg-type]

    expect(badge(page)).to_have_text("1")
    expect(badge(other)).to_have_text("1")
    again = message(panel, "first").get_by_role("button", name="Mark unseen")  # type: ignore[arg-type]
    expect(again).to_be_focused()
    assert left(stage, visitor) == {"second"}
    again.press("Enter")
    expect(badge(page)).to_have_text("2")
    expect(badge(other)).to_have_text("2")
    assert left(stage, visitor) == {"first", "second"}
    assert page.evaluate("window.mine")


def test_all_that_the_panel_shows_is_marked_at_once(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, *"abc")
    page = visitor.open("/home")
    bell(page).click()

    page.get_by_role("region", name="Messages", exact=True).get_by_role("button", name="Mark all seen").click()

    expect(badge(page)).to_be_hidden()
    expect(page.locator(".notify-inbox .notify-message-unseen")).to_have_count(0)
    assert left(stage, visitor) == set()


# The page of messages


def test_opening_the_messages_brings_the_badge_of_every_tab_to_zero(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, "first", "second")
    home = visitor.open("/home")
    expect(badge(home)).to_have_text("2")

    page = visitor.open("/messages")

    expect(badge(home)).to_be_hidden()
    expect(page.get_by_role("button", name="Mark all seen")).to_have_count(0)
    expect(page.locator(".notify-message-new").first).to_be_visible()  # what was new still shows as new
    assert left(stage, visitor) == set()


def test_a_page_that_nobody_looks_at_marks_nothing(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, "first")
    visitor.context.add_init_script(f"({HIDE})(true)")

    page = visitor.open("/messages")
    tell(stage, visitor, "second")
    wait_until(page, "document.title.length > 0")
    unseen_while_hidden = left(stage, visitor)
    show(page)

    wait_until(page, "!document.querySelector('[data-notify-auto]')")
    assert unseen_while_hidden == {"first", "second"}
    assert left(stage, visitor) == {"second"}
    assert posts(stage) == [("/messages/seen", 200)]


def test_a_message_is_marked_unseen_on_the_page_without_a_reload(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, "first", "second")
    home, page = visitor.open("/home"), visitor.open("/messages")
    expect(badge(home)).to_be_hidden()

    message(page, "first").get_by_role("button", name="Mark unseen").click()

    expect(badge(home)).to_have_text("1")
    expect(page.get_by_role("link", name="Show new messages")).to_be_hidden()
    assert left(stage, visitor) == {"first"}


def test_what_arrives_is_offered_and_shown_without_a_reload(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, "old")
    page = visitor.open("/messages")
    wait_until(page, "!document.querySelector('[data-notify-auto]')")
    page.evaluate("window.mine = true")

    tell(stage, visitor, "arrived")
    page.get_by_role("link", name="Show new messages").click()

    expect(message(page, "arrived")).to_be_visible()
    wait_until(page, "!document.querySelector('[data-notify-auto]')")
    assert left(stage, visitor) == set()
    assert page.evaluate("window.mine")


def test_a_page_that_was_open_for_long_fetches_a_new_token_once(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, "first", "second")
    page = visitor.open("/home")
    bell(page).click()
    expect(page.locator(".notify-inbox").get_by_role("link", name="first")).to_be_visible()
    lose_tokens(page)
    visitor.expect_complaint("400")

    page.locator(".notify-inbox").get_by_role("button", name="Mark seen").first.click()
    expect(badge(page)).to_have_text("1")
    page.locator(".notify-inbox").get_by_role("button", name="Mark all seen").click()

    expect(badge(page)).to_be_hidden()
    assert [status for _, status in posts(stage)] == [400, 200, 200]


def test_who_was_logged_out_is_led_to_the_login(stage: Stage, visitor: Visitor) -> None:
    stage.site.app.login_manager.login_view = "log_in"  # type: ignore[attr-defined]
    tell(stage, visitor, "first")
    page = visitor.open("/messages")
    wait_until(page, "!document.querySelector('[data-notify-auto]')")
    visitor.log_out()
    visitor.expect_complaint("401")

    message(page, "first").get_by_role("button", name="Mark unseen").click()

    expect(page).to_have_title("Log in")
    assert left(stage, visitor) == set()


def test_two_users_do_not_disturb_each_other(stage: Stage) -> None:
    susan, david = stage.visit(), stage.visit()
    tell(stage, susan, "for susan")
    tell(stage, david, "for david")
    hers, his = susan.open("/messages"), david.open("/home")
    wait_until(hers, "!document.querySelector('[data-notify-auto]')")

    expect(badge(his)).to_have_text("1")
    expect(hers.get_by_text("for david")).to_have_count(0)
    assert (left(stage, susan), left(stage, david)) == (set(), {"for david"})


def test_a_page_of_one_account_touches_nothing_of_another_in_the_same_browser(stage: Stage, visitor: Visitor) -> None:
    david = stage.visit()
    tell(stage, visitor, "for susan")
    tell(stage, david, "for david")
    page = visitor.open("/home")
    visitor.log_in(david.key)
    visitor.expect_complaint("409")

    page.get_by_role("button", name="Mark all seen").click()

    expect(page.get_by_text("made for another account")).to_be_visible()
    assert (left(stage, visitor), left(stage, david)) == ({"for susan"}, {"for david"})


def test_the_bell_of_one_account_does_not_open_the_messages_of_another(stage: Stage, visitor: Visitor) -> None:
    david = stage.visit()
    tell(stage, visitor, "for susan")
    tell(stage, david, "for david")
    page = visitor.open("/home")
    visitor.log_in(david.key)

    bell(page).click()

    expect(page.get_by_text("for susan")).to_have_count(0)


# The widget


def test_the_widget_comes_and_goes_with_what_is_new(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open("/home")
    widget = page.get_by_role("region", name="New messages")
    expect(widget).to_be_hidden()

    tell(stage, visitor, "news")
    expect(widget.get_by_role("link", name="news")).to_be_visible()
    widget.get_by_role("button", name="Mark seen", exact=True).click()

    expect(widget).to_be_hidden()
    assert left(stage, visitor) == set()


def test_the_widget_is_switched_off_for_good(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, "news")
    page = visitor.open("/home")

    page.get_by_role("button", name="Do not show this again").click()

    expect(page.locator(".notify-widget")).to_have_count(0)
    expect(badge(page)).to_have_text("1")
    page.reload()
    expect(page.locator(".notify-widget")).to_have_count(0)


# What a visit is, as a real browser tells it


def test_following_a_link_marks_its_message_seen(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, "first", "second", url="/post")
    page = visitor.open("/home")

    page.locator(".notify-widget").get_by_role("link", name="first").click()

    expect(page).to_have_title("Post")
    assert left(stage, visitor) == {"second"}


def test_an_address_that_is_entered_marks_its_message_seen(stage: Stage, visitor: Visitor) -> None:
    (number,) = tell(stage, visitor, "mailed", url="/post")

    expect(visitor.open(f"/messages/{number}")).to_have_title("Post")

    assert left(stage, visitor) == set()


@pytest.mark.parametrize(
    "asking",
    [
        "fetch(url)",
        "loaded(Object.assign(new Image(), {src: url}))",
        "loaded(Object.assign(document.createElement('iframe'), {src: url}))",
        "loaded(Object.assign(document.createElement('link'), {rel: 'prefetch', href: url}))",
    ],
    ids=["fetch", "an image", "an iframe", "a prefetch"],
)
def test_what_a_page_asks_for_by_itself_is_no_visit(stage: Stage, visitor: Visitor, asking: str) -> None:
    (number,) = tell(stage, visitor, "mailed", url="/post")
    page = visitor.open("/other")

    page.evaluate(f"""async () => {{
        const url = "/messages/{number}";
        const loaded = it => new Promise(done => {{ it.onload = it.onerror = done; document.body.append(it); }});
        await {asking};
    }}""")

    assert f"/messages/{number}" in [request.path for request in stage.server.requests]
    assert left(stage, visitor) == {"mailed"}


# For everybody


def test_axe_finds_nothing_and_all_can_be_touched(
    stage: Stage, visitor: Visitor, module_file: Callable[[str], Path]
) -> None:
    axe = module_file("axe-core/axe.min.js")
    tell(stage, visitor, "seen already")
    stage.site.add_user("david")
    page = visitor.open("/messages")
    wait_until(page, "!document.querySelector('[data-notify-auto]')")
    tell(stage, visitor, "new", body="word " * 60 + "unbroken" * 30)
    home = visitor.open("/home")
    bell(home).click()
    expect(home.locator(".notify-inbox").get_by_role("link", name="word")).to_be_visible()

    for each in (page, visitor.open("/messages?seen=0"), visitor.open("/send_message/david"), home):
        for width, scheme in LOOKS:
            each.set_viewport_size({"width": width, "height": 700})
            each.emulate_media(color_scheme=scheme)
            assert violations(each, axe) == []
            assert each.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert each.evaluate(TOO_SMALL) == []


LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((320, "dark"), (1024, "light"))
TOO_SMALL = """() => [...document.querySelectorAll(".notify-main :is(button, a.notify-button, select, input, summary),"
    + ".notify-inbox :is(button, a), .notify-widget button")]
  .filter(element => element.checkVisibility() && element.getBoundingClientRect().height < 44)
  .map(element => element.outerHTML)"""


def test_the_page_tells_how_long_ago_a_message_came(stage: Stage, visitor: Visitor) -> None:
    tell(stage, visitor, "first")
    page = visitor.context.new_page()
    page.clock.install()
    page.goto(f"{visitor.url}/messages")
    expect(page.locator("time")).to_have_text("just now")

    page.clock.fast_forward("03:10")

    expect(page.locator("time")).to_have_text("3 minutes ago")
