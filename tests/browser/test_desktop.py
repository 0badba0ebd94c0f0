"""New messages on the desktop: asked for by a button, shown once while nobody looks, and closed when they are seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from .bell import PATH, Bell
from .conftest import HIDE, Stage, wait_for_answers, wait_until
from .desktops import (
    LOOKS,
    ask,
    click,
    look_away,
    open_desk,
    set_desk,
    shown,
    switch_on,
    visit,
    wait_for_titles,
    wait_for_turns,
)
from .inboxes import badge, left, message, tell
from .test_accessibility import violations, violations_in_any_light

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.databases("sqlite")
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> Stage:
    return set_desk(set_stage)


# Asking


def test_nobody_is_asked_before_the_button_is_pressed(stage: Stage) -> None:
    visitor = visit(stage, permitted=False)
    # A headless browser refuses without asking.
    visitor.context.add_init_script("Object.defineProperty(Notification, 'permission', { get: () => 'default' })")
    visitor.context.add_init_script("Notification.requestPermission = async () => (window.asked = true, 'denied')")
    page = visitor.open("/desk")
    expect(ask(page)).to_be_visible()
    tell(stage, visitor, "news")
    expect(badge(page)).to_have_text("1")
    assert not page.evaluate("window.asked")

    ask(page).click()

    wait_until(page, "window.asked")


def test_the_button_says_what_has_become_of_it(stage: Stage) -> None:
    page = switch_on(visit(stage))

    expect(page.get_by_text("In this browser, new messages show on your desktop.")).to_be_visible()
    expect(ask(page)).to_be_hidden()
    # Where it is only offered, there is nothing left to offer.
    page.reload()
    expect(page.locator("[data-notify-desktop-button]")).to_be_hidden()


def test_who_wants_never_to_be_asked_again_is_not(stage: Stage) -> None:
    visitor = visit(stage)
    page = visitor.open("/desk")

    page.get_by_role("button", name="Never ask again").click()

    expect(ask(page)).to_be_hidden()
    page.reload()
    expect(badge(page)).to_be_attached()
    expect(ask(page)).to_be_hidden()
    # On their preferences they can still change their mind.
    page.goto(visitor.url + "/desk?always")
    expect(ask(page)).to_be_visible()


def test_another_user_of_the_same_browser_is_asked_anew(stage: Stage) -> None:
    visitor = visit(stage)
    switch_on(visitor)
    other = stage.site.add_user()

    visitor.log_in(other)
    page = visitor.open("/desk")

    expect(ask(page)).to_be_visible()
    look_away(page)
    (number,) = tell(stage, visitor, "for the first")
    assert number
    with stage.site.app.app_context():
        stage.site.notify.send("for the second", to=stage.site.user(other))
        stage.site.db.session.commit()
    expect(badge(page)).to_have_text("1")
    wait_for_turns(page)
    assert shown(page) == []


def test_a_browser_that_refuses_is_told_of(stage: Stage) -> None:
    visitor = visit(stage, permitted=False)
    visitor.context.add_init_script("Object.defineProperty(Notification, 'permission', { get: () => 'denied' })")
    page = visitor.open("/desk")
    expect(badge(page)).to_be_attached()
    expect(page.locator("[data-notify-desktop-button]")).to_be_hidden()

    page.goto(visitor.url + "/desk?always")

    expect(page.get_by_text("Your browser does not let this site show notifications")).to_be_visible()


def test_what_was_switched_on_can_be_switched_off(stage: Stage) -> None:
    visitor = visit(stage)
    page = switch_on(visitor)

    page.goto(visitor.url + "/desk?always")
    page.get_by_role("button", name="Switch off").press("Enter")

    expect(ask(page)).to_be_focused()
    look_away(page)
    tell(stage, visitor, "news")
    expect(badge(page)).to_have_text("1")
    wait_for_turns(page)
    assert shown(page) == []


# Showing


def test_a_new_message_is_shown_while_nobody_looks(stage: Stage) -> None:
    visitor = visit(stage)
    page = switch_on(visitor)
    look_away(page)

    (number,) = tell(stage, visitor, "Build 7 failed", body="Two tests\nof 4,000.", url="/post")

    assert wait_for_titles(page, "Build 7 failed") == [
        {
            "title": "Build 7 failed",
            "body": "Two tests of 4,000.",
            "tag": f"notify-message-{number}",
            "url": f"/messages/{number}",
        }
    ]
    tell(stage, visitor, "Build 8 failed")
    wait_for_titles(page, "Build 7 failed", "Build 8 failed")


def test_a_hidden_page_shows_it_too(stage: Stage) -> None:
    visitor = visit(stage)
    visitor.follow()
    page = switch_on(visitor)
    page.evaluate(HIDE, True)
    wait_for_answers(page)
    tell(stage, visitor, "news")

    # Hidden pages ask once a minute; this is what they do when they wake.
    page.evaluate("document.dispatchEvent(new Event('resume'))")

    wait_for_titles(page, "news")


def test_nothing_is_shown_while_somebody_looks_at_any_page(stage: Stage) -> None:
    visitor = visit(stage)
    first = switch_on(visitor)
    second = open_desk(visitor)
    look_away(first)

    tell(stage, visitor, "seen on the page")
    expect(badge(first)).to_have_text("1")
    expect(badge(second)).to_have_text("1")
    wait_for_turns(first, second)
    look_away(second)
    tell(stage, visitor, "after that")

    wait_for_titles(first, "after that")


def test_what_came_before_somebody_looked_is_no_news(stage: Stage) -> None:
    visitor = visit(stage)
    switch_on(visitor).close()
    tell(stage, visitor, "while all pages were closed")

    page = open_desk(visitor)
    expect(badge(page)).to_have_text("1")
    look_away(page)
    tell(stage, visitor, "new")

    expect(badge(page)).to_have_text("2")
    wait_for_titles(page, "new")


def test_five_tabs_show_each_message_once(stage: Stage) -> None:
    visitor = visit(stage)
    counting = """(() => {
        if (!window.ServiceWorkerRegistration) return;  // on the empty page of a new tab
        const show = ServiceWorkerRegistration.prototype.showNotification;
        ServiceWorkerRegistration.prototype.showNotification = function (title, options) {
            localStorage.setItem("count", Number(localStorage.getItem("count")) + 1);
            return show.call(this, title, options);
        };
    })()"""
    visitor.context.add_init_script(counting)
    tabs = [switch_on(visitor), *(open_desk(visitor) for _ in range(4))]
    look_away(*tabs)

    for count, subject in enumerate("abc", start=1):
        tell(stage, visitor, subject)
        for tab in tabs:
            expect(badge(tab)).to_have_text(str(count))
    wait_for_titles(tabs[0], *"abc")
    wait_for_turns(*tabs)

    assert tabs[0].evaluate("localStorage.count") == "3"


def test_many_at_once_are_summed_up(stage: Stage) -> None:
    visitor = visit(stage)
    page = switch_on(visitor)
    look_away(page)

    with stage.site.app.app_context():
        for number in range(5):
            stage.site.notify.send(f"number {number}", to=stage.site.user(visitor.key))
        stage.site.db.session.commit()

    (note,) = wait_for_titles(page, "5 new messages")
    assert (note["url"], note["tag"]) == ("/messages", "notify-messages")


def test_what_was_seen_is_closed(stage: Stage) -> None:
    visitor = visit(stage)
    page = switch_on(visitor)
    look_away(page)
    tell(stage, visitor, "first", "second")
    wait_for_titles(page, "first", "second")

    elsewhere = stage.visit(key=visitor.key).open("/messages?seen=0&type=system")
    # A page of a filter marks what it shows.
    expect(message(elsewhere, "first").first).to_be_visible()
    wait_for_titles(page)

    assert left(stage, visitor) == set()


def test_data_never_become_anything_but_text(stage: Stage) -> None:
    visitor = visit(stage)
    page = switch_on(visitor)
    look_away(page)

    tell(stage, visitor, HOSTILE, body=HOSTILE)

    (note,) = wait_for_titles(page, HOSTILE)
    assert note["body"] == HOSTILE
    assert page.locator("img").count() == 0


# Clicking


def test_a_click_leads_an_open_page_to_the_message_and_marks_it_seen(stage: Stage) -> None:
    visitor = visit(stage)
    page = switch_on(visitor)
    look_away(page)
    tell(stage, visitor, "news", url="/post")
    wait_for_titles(page, "news")

    click(page, "news")

    page.wait_for_url("**/post")
    assert left(stage, visitor) == set()


# Browser messages


def send_browser_message(stage: Stage, key: object, *args: str) -> None:
    """Send a user a message that is kept nowhere."""
    with stage.site.app.app_context():
        stage.site.user(key).send_browser_message(*args)
        stage.site.db.session.commit()


def test_a_browser_message_is_shown_while_nobody_looks(stage: Stage) -> None:
    visitor = visit(stage)
    page = switch_on(visitor)
    second = open_desk(visitor)
    look_away(page, second)

    send_browser_message(stage, visitor.key, "The kettle boils", "Tea?", "/post")

    (note,) = wait_for_titles(page, "The kettle boils")
    assert (note["body"], note["url"]) == ("Tea?", "/post")
    assert left(stage, visitor) == set()


def test_a_browser_message_is_a_toast_where_somebody_looks(stage: Stage) -> None:
    visitor = visit(stage)
    page = visitor.open("/desk")

    send_browser_message(stage, visitor.key, "The kettle boils", HOSTILE, "/post")

    toast = page.get_by_role("status").filter(has_text="The kettle boils")
    expect(toast).to_contain_text(HOSTILE)
    assert page.locator("img").count() == 0
    toast.get_by_role("button", name="Open").click()
    page.wait_for_url("**/post")


def test_everybody_gets_a_browser_message_for_all(stage: Stage) -> None:
    first, second = stage.visit(), stage.visit()
    pages = [first.open("/desk"), second.open("/desk")]

    with stage.site.app.app_context():
        assert stage.site.notify.send_browser_message_for_all_users("Back at ten") == 2
        stage.site.db.session.commit()

    for page in pages:
        expect(page.get_by_role("status").filter(has_text="Back at ten")).to_be_visible()


# The test


def test_a_test_shows_although_somebody_looks(stage: Stage) -> None:
    visitor = visit(stage)
    page = switch_on(visitor)

    page.get_by_role("button", name="Send a test notification").click()

    wait_for_titles(page, "A test notification")
    assert left(stage, visitor) == {"A test notification"}


def test_axe_finds_nothing(stage: Stage, module_file: Callable[[str], Path]) -> None:
    axe = module_file("axe-core/axe.min.js")
    visitor = visit(stage, viewport={"width": 320, "height": 640})
    page = visitor.open("/desk")
    expect(ask(page)).to_be_visible()
    assert violations_in_any_light(page, axe) == []

    ask(page).click()
    send_browser_message(stage, visitor.key, "The kettle boils", "Tea?", "/post")

    expect(page.get_by_text("The kettle boils")).to_be_visible()
    assert violations_in_any_light(page, axe) == []


# Not to be disturbed


def test_who_does_not_want_to_be_disturbed_is_shown_nothing(stage: Stage) -> None:
    visitor = visit(stage)
    switch_on(visitor)
    with stage.site.app.app_context():
        stage.site.user(visitor.key).set_notify_preferences(muted=True)
        stage.site.db.session.commit()
    page = visitor.open("/desk?always")
    expect(page.get_by_text("you do not want to be disturbed now")).to_be_visible()
    wait_until(page, LOOKS)
    look_away(page)

    tell(stage, visitor, "news")
    send_browser_message(stage, visitor.key, "The kettle boils")

    # What is said to an open page is a toast, which waits for whoever comes.
    expect(page.get_by_role("status").filter(has_text="The kettle boils")).to_be_visible()
    expect(badge(page)).to_have_text("1")
    wait_for_turns(page)
    assert shown(page) == []


def test_an_open_page_hears_of_it_without_a_reload(stage: Stage) -> None:
    visitor = visit(stage)
    page = switch_on(visitor)
    with stage.site.app.app_context():
        stage.site.user(visitor.key).set_notify_preferences(desktop=False)
        stage.site.db.session.commit()
    look_away(page)

    with page.expect_response("**/notifications/desktop?*") as answer:
        tell(stage, visitor, "news")

    assert answer.value.json()["notes"] == []
    wait_for_turns(page)
    assert shown(page) == []


def test_the_preferences_can_be_used_on_a_small_screen(stage: Stage, module_file: Callable[[str], Path]) -> None:
    axe = module_file("axe-core/axe.min.js")
    visitor = visit(stage, viewport={"width": 320, "height": 640})
    page = visitor.open("/preferences")
    expect(ask(page)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert violations(page, axe) == []

    ask(page).press("Enter")
    expect(page.get_by_role("button", name="Switch off")).to_be_focused()
    page.get_by_role("button", name="Send a test notification").press("Enter")

    wait_for_titles(page, "A test notification")
    assert violations(page, axe) == []


# Without service workers


def test_a_browser_without_workers_shows_it_from_the_page(stage: Stage) -> None:
    visitor = visit(stage, service_workers="block")
    visitor.expect_complaint("Service Worker registration blocked")
    visitor.context.add_init_script("""(() => {
        window.made = [];
        window.Notification = class {
            static permission = "granted";
            static requestPermission = async () => "granted";
            constructor(title, options) { window.made.push([title, options.tag]); window.newest = this; }
        };
    })()""")
    page = visitor.open("/desk")
    ask(page).click()
    look_away(page)

    (number,) = tell(stage, visitor, "news", url="/post")

    wait_until(page, "window.made.length")
    assert page.evaluate("window.made") == [["news", f"notify-message-{number}"]]
    page.evaluate("window.newest.onclick()")
    page.wait_for_url("**/post")


# With a doorbell


def test_a_hidden_page_shows_it_at_once_where_there_is_a_doorbell(set_stage: Callable[..., Stage]) -> None:
    stage = set_desk(set_stage, NOTIFY_STREAM_URL=PATH, NOTIFY_POLL_INTERVAL=3600)
    bell = Bell(stage.site.app.wsgi_app)
    stage.site.app.wsgi_app = bell  # type: ignore[method-assign]
    visitor = visit(stage)
    page = switch_on(visitor)
    bell.wait_for_lines(1)
    page.evaluate(HIDE, True)

    tell(stage, visitor, "news")
    bell.ring()

    wait_for_titles(page, "news")


def test_a_page_out_of_the_back_forward_cache_goes_on(stage: Stage, caching_browser: Browser) -> None:
    visitor = visit(stage, using=caching_browser)
    page = switch_on(visitor)
    page.evaluate("window.kept = true")

    page.goto(visitor.url + "/other")
    tell(stage, visitor, "while it was away")
    page.go_back(wait_until="commit")
    assert page.evaluate("window.kept"), "the page was loaded anew: something keeps it out of the cache"
    expect(badge(page)).to_have_text("1")
    wait_for_turns(page)
    look_away(page)
    tell(stage, visitor, "new")

    wait_for_titles(page, "new")
