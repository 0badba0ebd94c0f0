"""What happens on the page when a value is written, replaced, removed, expired or reset."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from .conftest import Stage, Visitor, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.databases("sqlite")

# The wall clock of a page, which a test may set; everything else about time stays as it is.
OWN_CLOCK = "const real = Date.now; window.skew = 0; Date.now = () => real() + window.skew;"


def collect(page: Page, name: str) -> None:
    """Keep in ``told`` what code that listens to a name hears."""
    page.evaluate("name => { window.told = []; document.addEventListener(name, e => told.push(e.detail)); }", name)


def test_two_users_see_their_own_values_change_without_a_reload(stage: Stage) -> None:
    susan, david = stage.visit(), stage.visit()
    hers, his = susan.open(), david.open()

    stage.emit(susan, "follows", 1)
    stage.emit(david, "follows", 2)

    expect(hers.locator("#message_count")).to_have_text("1")
    expect(his.locator("#message_count")).to_have_text("2")
    stage.emit(susan, "follows", 3)
    expect(hers.locator("#message_count")).to_have_text("3")
    expect(hers).to_have_title("(3) Microblog")
    expect(his).to_have_title("(2) Microblog")


def test_a_badge_that_falls_to_nothing_hides_and_leaves_the_title(stage: Stage, visitor: Visitor) -> None:
    stage.emit(visitor, "follows", 2)
    page = visitor.open()

    stage.emit(visitor, "follows", 0)

    expect(page.locator("#message_count")).to_be_hidden()
    expect(page).to_have_title("Microblog")


def test_a_title_that_the_application_changes_keeps_the_count(stage: Stage, visitor: Visitor) -> None:
    stage.emit(visitor, "follows", 2)
    page = visitor.open()
    page.evaluate("document.title = 'Explore'")

    stage.emit(visitor, "follows", 3)

    expect(page).to_have_title("(3) Explore")


def test_more_than_99_is_shown_as_such(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open()

    stage.emit(visitor, "follows", 100)

    expect(page.locator("#message_count")).to_have_text("99+")


def test_two_tasks_have_a_progress_bar_each(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open()
    export = page.get_by_role("progressbar", name="Exporting posts")
    imported = page.get_by_role("progressbar", name="Importing contacts")

    stage.emit(visitor, "task:1", {"progress": 40})
    stage.emit(visitor, "task:2", 75.9)

    expect(export).to_have_js_property("value", 40)
    expect(imported).to_have_js_property("value", 75.9)
    expect(page.get_by_text("75%")).to_be_visible()
    stage.emit(visitor, "task:1", {"progress": 100})
    expect(export).to_have_js_property("value", 100)
    expect(imported).to_have_js_property("value", 75.9)


def test_a_task_that_cannot_tell_how_far_it_is_shows_that_it_runs(stage: Stage, visitor: Visitor) -> None:
    stage.emit(visitor, "task:1", 10)
    page = visitor.open()

    stage.emit(visitor, "task:1", {"progress": None})

    expect(page.locator("progress:indeterminate").first).to_be_visible()
    expect(page.get_by_text("10%")).to_be_hidden()


def test_what_is_removed_disappears(stage: Stage, visitor: Visitor) -> None:
    stage.emit(visitor, "task:1", 10)
    stage.emit(visitor, "follows", 4)
    stage.emit(visitor, "status", "Busy")
    page = visitor.open()
    collect(page, "notify:task:1")

    for name in ("task:1", "follows", "status"):
        stage.remove(visitor, name)

    expect(page.get_by_role("progressbar")).to_have_count(0)
    expect(page.locator("#message_count")).to_be_hidden()
    expect(page.locator("[data-notify-text=status]")).to_have_text("All quiet")
    (told,) = page.evaluate("told")
    assert (told["data"], told["removed"]) == (None, True)


def test_code_hears_each_new_value_once(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open()
    collect(page, "notify:any thing: \"é'")

    first = stage.emit(visitor, "any thing: \"é'", {"deep": [1, None]})
    wait_until(page, "told.length")
    second = stage.emit(visitor, "any thing: \"é'", "later")

    wait_until(page, "told.length > 1")
    expected = [{"data": {"deep": [1, None]}, "timestamp": first}, {"data": "later", "timestamp": second}]
    assert page.evaluate("told") == expected


def test_a_name_that_never_had_a_value_is_not_told_as_removed(stage: Stage, visitor: Visitor) -> None:
    visitor.context.add_init_script(
        "window.told = []; document.addEventListener('notify:task:1', e => told.push(e.detail));"
    )
    page = visitor.open("/?since=0")
    stage.front.wait_for(2)

    stage.emit(visitor, "status", "later")
    expect(page.locator("[data-notify-text]")).to_have_text("later")

    assert page.evaluate("told") == []


def test_a_name_may_hold_any_character(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open()
    name = "a\"] b\\'<ü>:1"
    page.evaluate("name => document.querySelector('[data-notify-text]').dataset.notifyText = name", name)

    stage.emit(visitor, name, "found")

    expect(page.locator("[data-notify-text]")).to_have_text("found")


def test_data_never_becomes_html(stage: Stage, visitor: Visitor) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\">"
    stage.emit(visitor, "status", evil)
    page = visitor.open()

    for name in ("follows", "task:1", "status"):
        stage.emit(visitor, name, evil + name)

    expect(page.locator("[data-notify-text=status]")).to_have_text(evil + "status")
    expect(page.locator("img")).to_have_count(0)
    expect(page).to_have_title("Microblog")


@pytest.mark.parametrize("data", [{"valueOf": 1, "toString": 2}, [5], "5", True, {"progress": {"valueOf": 1}}])
def test_data_of_an_unexpected_kind_counts_as_none(stage: Stage, visitor: Visitor, data: object) -> None:
    stage.emit(visitor, "follows", 5)
    page = visitor.open()

    for name in ("follows", "task:1", "status"):
        stage.emit(visitor, name, data)
    stage.emit(visitor, "task:2", 20)

    expect(page.get_by_text("20%")).to_be_visible()
    expect(page.locator("#message_count")).to_be_hidden()
    expect(page.locator("[data-notify-progress='task:1'] progress")).not_to_have_attribute("value", "5")


def test_an_element_added_later_shows_the_known_value(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open()
    stage.emit(visitor, "status", "Busy")
    expect(page.locator("[data-notify-text=status]")).to_have_text("Busy")
    page.evaluate("document.querySelector('main').append(document.querySelector('[data-notify-text]').cloneNode())")
    added = page.locator("[data-notify-text]").nth(1)
    expect(added).to_be_empty()

    page.evaluate("import(document.querySelector('script').src).then(notify => notify.refresh())")

    expect(added).to_have_text("Busy")


def test_an_element_that_a_listener_adds_is_painted_with_the_same_update(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open()
    page.evaluate("""document.addEventListener("notify:task:9", () => {
        const bar = document.querySelector("[data-notify-progress]").cloneNode(true);
        bar.dataset.notifyProgress = "task:9";
        document.querySelector("main").append(bar);
    }, {once: true})""")

    stage.emit(visitor, "task:9", 30)

    expect(page.get_by_role("progressbar")).to_have_js_property("value", 30)


@pytest.mark.parametrize("ahead", [-90_000, 0, 90_000])
def test_what_expires_disappears_by_itself_whatever_the_clock_of_the_page(
    stage: Stage, visitor: Visitor, ahead: int
) -> None:
    visitor.context.clock.install(time=datetime.now(timezone.utc) + timedelta(seconds=ahead))
    page = visitor.open()
    collect(page, "notify:task:1")

    stage.emit(visitor, "follows", 7, expires_in=7200)
    stage.emit(visitor, "task:1", 10, expires_in=3600)
    expect(page.get_by_role("progressbar")).to_have_js_property("value", 10)
    stage.front.answer(503)
    visitor.expect_complaint("503")
    visitor.context.clock.fast_forward(3_000_000)
    expect(page.get_by_role("progressbar")).to_have_js_property("value", 10)
    visitor.context.clock.fast_forward(600_000)

    expect(page.get_by_role("progressbar")).to_have_count(0)
    assert page.evaluate("told.map(detail => [detail.data, detail.removed ?? false])") == [[10, False], [None, True]]
    expect(page.locator("#message_count")).to_have_text("7")


def test_what_the_server_rendered_expires_too(stage: Stage, visitor: Visitor) -> None:
    visitor.context.clock.install()
    stage.emit(visitor, "task:1", 10, expires_in=3600)

    page = visitor.open()

    expect(page.get_by_role("progressbar")).to_have_js_property("value", 10)
    visitor.context.clock.fast_forward(3_600_000)
    expect(page.get_by_role("progressbar")).to_have_count(0)


def test_a_page_that_slept_drops_what_expired_meanwhile(stage: Stage, visitor: Visitor) -> None:
    """Some systems stop performance.now() during sleep: the wall clock then is ahead of it."""
    visitor.context.add_init_script(OWN_CLOCK)
    page = visitor.open()
    stage.emit(visitor, "task:1", 10, expires_in=600)
    stage.emit(visitor, "task:2", 20)
    expect(page.get_by_text("10%")).to_be_visible()
    expect(page.get_by_text("20%")).to_be_visible()
    stage.front.answer(503)
    visitor.expect_complaint("503")

    page.evaluate("window.skew += 700_000")

    expect(page.get_by_text("10%")).to_be_hidden()
    expect(page.get_by_text("20%")).to_be_visible()


def test_a_wall_clock_that_is_set_ahead_costs_no_value(stage: Stage, visitor: Visitor) -> None:
    visitor.context.add_init_script(OWN_CLOCK)
    page = visitor.open()
    stage.emit(visitor, "task:1", 10, expires_in=600)
    expect(page.get_by_text("10%")).to_be_visible()
    stage.front.forget()

    page.evaluate("window.skew += 3_600_000")

    wait_until(page, "!document.querySelector('[data-notify-progress]').hidden")
    assert any(poll.since == 0 for poll in stage.front.wait_for(5))
    expect(page.get_by_text("10%")).to_be_visible()


def test_a_reset_drops_what_is_not_listed(stage: Stage, visitor: Visitor) -> None:
    stage.emit(visitor, "task:1", 10)
    page = visitor.open("/?since=99999999999")
    collect(page, "notify:task:1")
    stage.front.wait_for(2)
    expect(page.get_by_text("10%")).to_be_visible()
    page.evaluate("""document.querySelector("[data-notify-text]").textContent = "long gone" """)

    with stage.site.app.app_context():
        inbox, notification = stage.site.notify.Inbox, stage.site.notify.Notification
        stage.site.db.session.query(notification).delete()
        stage.site.db.session.query(inbox).update({"cursor": 5.0})
        stage.site.db.session.commit()

    expect(page.get_by_text("10%")).to_be_hidden()
    expect(page.locator("[data-notify-text]")).to_have_text("All quiet")
    wait_until(page, "told.at(-1)?.removed")
    stage.emit(visitor, "task:1", 50)
    expect(page.get_by_text("50%")).to_be_visible()
