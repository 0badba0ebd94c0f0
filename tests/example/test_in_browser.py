"""Two people in two browser windows: what one does is seen by the other without a reload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Flask
from playwright.sync_api import expect

from examples.microblog.exports import runner
from examples.microblog.extensions import db, notify
from examples.microblog.models import Task, TaskState, Thread, User
from tests.browser.test_accessibility import violations
from tests.example.visitor import PASSWORD, Visitor
from tests.live import LiveServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGES: tuple[str, ...] = ("/", "/user/alice", "/user/alice/followers", "/user/bob", "/post/1", "/profile", "/exports/")
PAGES += ("/messages", "/preferences", "/send_message/bob", "/post/1/edit", "/threads/", "/threads/1", "/threads/new")
PAGES += ("/threads/1/edit", "/actions/close_thread?row=1", "/unseen")

Window = Callable[[str], "Page"]

#: Milliseconds within which something is seen on a page, where it is seen at all.
PATIENCE = 30_000


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """The application; its pages ask often, so that nobody has to wait."""
    return make_app(NOTIFY_POLL_INTERVAL=0.25)


@pytest.fixture
def people(app: Flask) -> dict[str, Visitor]:
    """Alice and bob, who have an account each."""
    return {name: Visitor(app, name).register() for name in ("alice", "bob")}


@pytest.fixture
def site(app: Flask, people: dict[str, Visitor], serve: Callable[[Flask], LiveServer]) -> LiveServer:
    """The application on a real port."""
    assert people
    return serve(app)


@pytest.fixture
def window(browser: Browser, site: LiveServer, people: dict[str, Visitor]) -> Iterator[Window]:
    """Open a window of their own for somebody who has logged in; no page may complain of anything."""
    complaints: list[str] = []
    with ExitStack() as stack:

        def open_window(username: str) -> Page:
            context = browser.new_context(base_url=site.url)
            stack.callback(context.close)
            page = be_patient(context.new_page())
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            # They have logged in elsewhere; the form has tests of its own.
            context.add_cookies([{"url": site.url, "name": "session", "value": people[username].session}])
            page.goto("/")
            return page

        yield open_window
    assert complaints == []


def be_patient(page: Page) -> Page:
    """Let whoever waits for something on a page wait as long as a slow machine needs."""
    expect.set_options(timeout=PATIENCE)
    page.set_default_timeout(PATIENCE)
    return page


def log_in(page: Page, username: str, password: str = PASSWORD) -> None:
    """Come in by the form."""
    page.goto("/login")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("/")


def badge(page: Page, name: str, text: str) -> None:
    """Wait until a badge can be seen with this text."""
    page.locator(f'[data-notify-badge="{name}"]:visible').get_by_text(text, exact=True).wait_for()


def test_a_new_follower_raises_the_badge_in_the_other_window(window: Window) -> None:
    alice, bob = window("alice"), window("bob")
    assert alice.locator('[data-notify-badge="new_followers"]:visible').count() == 0

    bob.goto("/user/alice")
    bob.get_by_role("button", name="Follow", exact=True).click()

    badge(alice, "new_followers", "1")


def test_looking_in_one_window_clears_the_badge_in_another_of_the_same_person(
    window: Window, people: dict[str, Visitor]
) -> None:
    alice, elsewhere = window("alice"), window("alice")
    people["bob"].follow("alice")
    badge(elsewhere, "new_followers", "1")

    alice.goto("/user/alice/followers")

    elsewhere.locator('[data-notify-badge="new_followers"]').wait_for(state="hidden")


def test_a_new_post_is_counted_and_offered_above_the_feed(window: Window, people: dict[str, Visitor]) -> None:
    people["bob"].follow("alice")
    alice, bob = window("alice"), window("bob")

    alice.get_by_label("What is on your mind?").fill("The tide is out.")
    alice.get_by_role("button", name="Post").click()

    badge(bob, "new_posts", "1")
    bob.get_by_role("link", name="Show 1 new post").click()
    bob.get_by_text("The tide is out.").wait_for()
    bob.locator('[data-notify-badge="new_posts"]').wait_for(state="hidden")


def test_what_somebody_writes_never_runs(window: Window, people: dict[str, Visitor]) -> None:
    people["bob"].follow("alice")
    people["alice"].post('<img src="/x" onerror="document.title = 1">')

    bob = window("bob")

    bob.get_by_text("onerror").wait_for()
    assert bob.locator(".body img").count() == 0


def test_an_export_becomes_a_link_without_a_reload(window: Window, people: dict[str, Visitor]) -> None:
    people["alice"].post("The tide is out.")
    alice = window("alice")
    alice.goto("/exports/")
    alice.get_by_role("button", name="Export my posts").click()
    alice.wait_for_url("/exports/")
    alice.evaluate("window.stillTheSame = true")

    with alice.expect_download() as download:
        alice.get_by_role("link", name="Download").click()

    assert download.value.suggested_filename == "posts-alice.json"
    assert "The tide is out." in download.value.path().read_text(encoding="utf-8")
    assert alice.evaluate("window.stillTheSame")
    expect(alice.locator("progress")).to_have_count(0)


def test_two_tasks_that_begin_elsewhere_get_a_bar_each_which_ends_as_a_link(window: Window, app: Flask) -> None:
    alice = window("alice")
    alice.goto("/exports/")
    with app.app_context():
        tasks = [Task(user=db.session.get_one(User, 1)) for _ in range(2)]
        db.session.add_all(tasks)
        db.session.flush()
        for task in tasks:
            runner.announce(task)
        db.session.commit()

        bars = [alice.locator(f'#exports [data-notify-progress="{task.live_name}"]') for task in tasks]
        for task, bar, progress in zip(tasks, bars, (20, 70), strict=True):
            runner.report(task, progress)
            bar.get_by_text(f"{progress}%").wait_for()
        assert [bar.locator("progress").evaluate("bar => bar.value") for bar in bars] == [20, 70]

        for task in tasks:
            runner.finish(task, TaskState.DONE)
        for bar in bars:
            bar.wait_for(state="detached")
        alice.locator("#exports li:nth-child(1):has(a) + li:has(a)").wait_for()


def test_a_task_that_fails_says_so_without_a_reload(window: Window, app: Flask) -> None:
    alice = window("alice")
    with app.app_context():
        task = Task(user=db.session.get_one(User, 1))
        db.session.add(task)
        db.session.commit()
        alice.goto("/exports/")

        runner.finish(task, TaskState.FAILED)

    alice.get_by_text("This one failed").wait_for()


def test_the_pages_fit_a_small_screen(window: Window, people: dict[str, Visitor]) -> None:
    people["alice"].post("A_very_long_word_" * 12)
    people["alice"].send(people["alice"].open_thread("A_very_long_word_" * 5), body="A_very_long_word_" * 12)
    people["bob"].write_to("alice", "A_very_long_word_" * 8)
    alice = window("alice")
    alice.set_viewport_size({"width": 320, "height": 640})

    for path in (*PAGES, "/explore"):
        alice.goto(path)
        assert alice.evaluate("document.documentElement.scrollWidth") <= 320, path


def test_nothing_to_press_is_smaller_than_44_pixels(window: Window, people: dict[str, Visitor]) -> None:
    people["alice"].post("One.")
    people["alice"].send(people["alice"].open_thread("Two"), body="Three.")
    alice = window("alice")
    alice.set_viewport_size({"width": 360, "height": 740})

    for path in PAGES:
        alice.goto(path)
        small = alice.evaluate(
            """() => [...document.querySelectorAll("button, input:not([type=hidden]), textarea, select, a")]
                // A box is ticked by its whole label.
                .map((element) => element.type === "checkbox" ? element.closest("label") : element)
                .filter((element) => element.checkVisibility())
                .filter((element) => !element.matches(".skip, p:not(.byline) > a, .notify-message-body a"))
                .filter((element) => Math.round(element.getBoundingClientRect().height) < 44)
                .map((element) => element.outerHTML)"""
        )
        assert small == [], path


def test_the_page_tells_how_many_characters_are_left(window: Window) -> None:
    alice = window("alice")
    field = alice.get_by_label("What is on your mind?")

    field.fill("x" * 270)
    alice.get_by_text("10 left").wait_for()
    field.fill("x" * 283)
    alice.get_by_text("3 too many").wait_for()


def test_two_people_write_to_each_other_and_each_sees_it_at_once(window: Window) -> None:
    alice, bob = window("alice"), window("bob")
    badge(alice, "unread_message_count", "1")  # the welcome

    bob.goto("/user/alice")
    bob.get_by_role("link", name="Message", exact=True).click()
    bob.get_by_label("Your message").fill("Is the kettle on?")
    bob.get_by_role("button", name="Send").click()

    badge(alice, "unread_message_count", "2")
    alice.locator(".notify-widget").get_by_text("Is the kettle on?").wait_for()
    alice.goto("/messages")
    alice.get_by_role("link", name="Reply to bob").click()
    alice.get_by_label("Your message").fill("It is.")
    alice.get_by_role("button", name="Send").click()
    # Bob was shown the inbox after he wrote, and with it the welcome.
    badge(bob, "unread_message_count", "1")


def test_the_bell_opens_by_keyboard_and_shows_what_is_new(window: Window, people: dict[str, Visitor]) -> None:
    people["bob"].write_to("alice", "Is the kettle on?")
    alice = window("alice")

    alice.get_by_role("button", name="Messages").focus()
    alice.keyboard.press("Enter")

    panel = alice.get_by_role("region", name="Messages")
    panel.get_by_text("Is the kettle on?").wait_for()
    panel.get_by_role("button", name="Mark all seen").click()
    alice.locator('[data-notify-badge="unread_message_count"]').wait_for(state="hidden")
    alice.keyboard.press("Escape")
    panel.wait_for(state="hidden")


def test_following_a_mention_to_its_post_marks_it_seen(window: Window, people: dict[str, Visitor]) -> None:
    people["bob"].post("Ask @alice.")
    alice = window("alice")
    badge(alice, "unread_message_count", "2")

    alice.locator(".notify-widget").get_by_role("link", name="Ask @alice.").click()

    alice.wait_for_url("/post/*")
    badge(alice, "unread_message_count", "1")


def test_maintenance_is_shown_on_pages_that_are_open(window: Window, app: Flask) -> None:
    alice = window("alice")
    assert not alice.locator(".banner").is_visible()

    with app.app_context():
        notify.broadcast("maintenance", "Back at ten.")
        db.session.commit()

    alice.locator(".banner").get_by_text("Back at ten.").wait_for()
    with app.app_context():
        db.session.get_one(User, 1).remove_notification("maintenance")
        db.session.commit()
    alice.locator(".banner").wait_for(state="hidden")


def test_an_edit_reaches_who_watches_in_the_other_window_with_its_summary(
    window: Window, people: dict[str, Visitor]
) -> None:
    address = people["alice"].open_thread("Lunch at noon")
    alice, bob = window("alice"), window("bob")
    bob.goto(address)
    bob.get_by_role("button", name="Watch", exact=True).click()
    expect(bob.get_by_role("button", name="Watching")).to_have_attribute("aria-pressed", "true")

    alice.goto(address)
    alice.get_by_role("link", name="Edit").click()
    alice.get_by_label("Title").fill("Lunch at one")
    alice.get_by_label("Topic").select_option("Things to do")
    alice.get_by_role("button", name="Save").click()

    badge(bob, "unread_message_count", "2")
    bob.goto("/messages")
    told = bob.locator("[data-notify-message]").filter(has_text="modified by alice")
    expect(told).to_contain_text("Title: Lunch at noon → Lunch at one")
    expect(told).to_contain_text("Topic: Small talk → Things to do")
    told.get_by_role("link", name="Open").click()
    bob.wait_for_url(f"**{address}")


def test_a_thread_is_closed_by_keyboard_and_who_took_part_is_told(
    window: Window, people: dict[str, Visitor], app: Flask
) -> None:
    address = people["alice"].open_thread("Who has seen my umbrella?")
    people["bob"].send(address, body="It is on the ferry.")
    alice, bob = window("alice"), window("bob")
    alice.goto(address)
    alice.get_by_role("button", name="Close thread").focus()

    alice.keyboard.press("Enter")
    dialog = alice.get_by_role("dialog")
    subject = dialog.get_by_label("Subject")
    expect(subject).to_be_focused()
    expect(subject).to_have_value("alice has closed “Who has seen my umbrella?”")
    alice.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(alice.get_by_role("button", name="Close thread")).to_be_focused()
    alice.keyboard.press("Enter")
    expect(subject).to_be_focused()
    alice.keyboard.press("Control+a")
    alice.keyboard.type("Found it")
    alice.keyboard.press("Tab")
    alice.keyboard.type("Thank you, bob.")
    subject.press("Enter")
    question = alice.get_by_role("alertdialog").filter(has_text="Nothing more can be said in it.")
    expect(question.get_by_role("button", name="No")).to_be_focused()
    alice.keyboard.press("Shift+Tab")
    alice.keyboard.press("Enter")

    expect(alice.get_by_text("This thread is closed")).to_be_visible()
    expect(alice.get_by_text("Closed.", exact=True)).to_be_visible()
    expect(alice.get_by_role("button", name="Reopen thread")).to_be_visible()
    badge(bob, "unread_message_count", "2")
    bob.locator(".notify-widget").get_by_text("Thank you, bob.").wait_for()
    with app.app_context():
        assert db.session.get_one(Thread, 1).closed


def test_axe_finds_nothing_on_threads_and_their_dialogs(
    window: Window, people: dict[str, Visitor], module_file: Callable[[str], Path]
) -> None:
    axe = module_file("axe-core/axe.min.js")
    address = people["alice"].open_thread("Who has seen my umbrella?")
    people["bob"].send(address, body="It is on the ferry.")
    alice = window("alice")

    for path in ("/threads/", "/threads/new", "/unseen", address):
        alice.goto(path)
        assert violations(alice, axe) == [], path
    alice.get_by_role("button", name="Close thread").click()
    expect(alice.get_by_role("dialog").get_by_label("Subject")).to_be_focused()
    assert violations(alice, axe) == []
    alice.keyboard.press("Enter")
    expect(alice.get_by_role("alertdialog")).to_be_visible()
    assert violations(alice, axe) == []
    alice.get_by_role("button", name="Yes").click()
    expect(alice.get_by_role("button", name="Reopen thread")).to_be_visible()
    assert violations(alice, axe) == []


def test_several_messages_are_marked_at_once_without_a_reload(window: Window, people: dict[str, Visitor]) -> None:
    for number in range(3):
        people["bob"].write_to("alice", f"Number {number}")
    alice = window("alice")
    alice.goto("/unseen")
    alice.evaluate("window.stillTheSame = true")
    expect(alice.get_by_role("checkbox")).to_have_count(5)

    alice.get_by_label("Select: Number 0").press("Space")
    alice.get_by_label("Select: Number 2").press("Space")
    alice.get_by_role("button", name="Mark as seen").press("Enter")

    expect(alice.get_by_label("Select: Number 0")).to_have_count(0)
    expect(alice.get_by_text("2 marked as seen.")).to_be_visible()
    badge(alice, "unread_message_count", "2")
    alice.get_by_label("All on this page").check()
    alice.get_by_role("button", name="Mark as seen").click()
    expect(alice.get_by_text("You have seen everything.")).to_be_visible()
    alice.locator('[data-notify-badge="unread_message_count"]').wait_for(state="hidden")
    assert alice.evaluate("window.stillTheSame")


def test_an_administrator_tells_everybody_by_a_dialog(window: Window, app: Flask) -> None:
    with app.app_context():
        db.session.get_one(User, 1).is_admin = True
        db.session.commit()
    alice, bob = window("alice"), window("bob")
    alice.goto("/announce")
    alice.get_by_role("button", name="Tell everybody").click()
    dialog = alice.get_by_role("dialog")

    dialog.get_by_label("Headline").fill("Back at ten.")
    dialog.get_by_label("What everybody should know").fill("The database moves.")
    dialog.get_by_label("It is about maintenance").check()
    dialog.get_by_role("button", name="Tell everybody").click()

    expect(alice.get_by_text("On its way to 1 people.")).to_be_visible()
    expect(dialog).to_be_hidden()
    bob.locator(".banner").get_by_text("Back at ten.").wait_for()
    badge(bob, "unread_message_count", "2")
    expect(bob.get_by_role("region", name="Messages", exact=True)).to_contain_text("The database moves.")


def test_threads_are_watched_edited_and_closed_without_javascript(
    browser: Browser, site: LiveServer, people: dict[str, Visitor]
) -> None:
    address = people["alice"].open_thread("Lunch at noon")
    with ExitStack() as stack:
        pages = []
        for name in ("alice", "bob"):
            context = stack.enter_context(browser.new_context(base_url=site.url, java_script_enabled=False))
            pages.append(be_patient(context.new_page()))
            log_in(pages[-1], name)
            pages[-1].goto(address)
        alice, bob = pages

        bob.get_by_role("button", name="Watch", exact=True).click()
        expect(bob.get_by_text("You watch this")).to_be_visible()
        bob.get_by_label("What do you say?").fill("I am in.")
        bob.get_by_role("button", name="Comment").click()
        alice.get_by_role("link", name="Edit").click()
        alice.get_by_label("Title").fill("Lunch at one")
        alice.get_by_role("button", name="Save").click()
        bob.goto("/unseen")
        expect(bob.get_by_text("Title: Lunch at noon → Lunch at one")).to_be_visible()

        alice.get_by_role("button", name="Close thread").click()
        alice.get_by_label("Subject").fill("Lunch is over")
        alice.get_by_role("button", name="Close thread").click()
        expect(alice.get_by_text("Nothing more can be said in it.")).to_be_visible()
        alice.get_by_role("button", name="Yes").click()
        alice.wait_for_url(f"**{address}")
        expect(alice.get_by_text("This thread is closed")).to_be_visible()

        bob.goto("/unseen")
        bob.get_by_label("Select: Lunch is over").check()
        bob.get_by_role("button", name="Mark as seen").click()
        expect(bob.get_by_text("1 marked as seen.")).to_be_visible()
        expect(bob.get_by_label("Select: Lunch is over")).to_have_count(0)


def test_messages_can_be_read_and_written_without_javascript(
    browser: Browser, site: LiveServer, people: dict[str, Visitor]
) -> None:
    people["bob"].write_to("alice", "Is the kettle on?")
    with browser.new_context(base_url=site.url, java_script_enabled=False) as context:
        alice = be_patient(context.new_page())
        log_in(alice, "alice")

        alice.get_by_role("link", name="Messages 2 unseen").click()
        alice.get_by_text("Is the kettle on?").wait_for()
        alice.get_by_role("link", name="Reply to bob").click()
        alice.get_by_label("Your message").fill("It is.")
        alice.get_by_role("button", name="Send").click()
        alice.wait_for_url("/messages")
        alice.get_by_role("button", name="Mark all seen").click()

        alice.locator('[data-notify-badge="unread_message_count"]').wait_for(state="hidden")
    assert people["bob"].messages()[0]["body"] == "It is."
