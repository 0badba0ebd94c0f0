"""Of all tabs of one user in one browser one polls, and all show the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from .conftest import Stage, Visitor, hide, show, wait_for_answers, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .stage import Poll

pytestmark = pytest.mark.databases("sqlite")


def assert_all_show(pages: list[Page], text: str) -> None:
    """Check that the badge of every page shows the same."""
    for page in pages:
        expect(page.locator("#message_count")).to_have_text(text)


def next_polls(stage: Stage, count: int) -> list[Poll]:
    """Return the next polls, from now."""
    stage.front.forget()
    return stage.front.wait_for(count)


def tabs_of(polls: list[Poll]) -> set[str]:
    """Return the names of the tabs that polled."""
    return {poll.tab for poll in polls}


def open_tabs(stage: Stage, visitor: Visitor, names: str = "abc") -> list[Page]:
    """Open tabs, of which the first leads when the others have polled for themselves."""
    pages = []
    for name in names:
        stage.front.forget()
        pages.append(visitor.open(f"/?tab={name}"))
        # Each polls for itself at first; a second poll comes from the leader only.
        stage.front.wait_for_tab(name, 2 if name == names[0] else 1)
    return pages


def wait_until_over(page: Page) -> None:
    """Wait until no page polls any more: each that does holds a place in a queue."""
    wait_until(page, "navigator.locks.query().then(({held, pending}) => held.length + pending.length === 0)")


def test_three_tabs_make_one_request_per_interval_and_show_the_same(set_stage: Callable[..., Stage]) -> None:
    stage = set_stage(NOTIFY_POLL_INTERVAL=0.4)
    visitor = stage.visit()
    pages = open_tabs(stage, visitor)

    polls = next_polls(stage, 3)
    stage.emit(visitor, "follows", 7)
    assert_all_show(pages, "7")
    polls = stage.front.wait_for(8)

    assert tabs_of(polls) == {"a"}
    assert all(later.at - earlier.at >= 0.39 for earlier, later in pairwise(polls))


def test_when_the_leading_tab_closes_another_takes_over(stage: Stage, visitor: Visitor) -> None:
    first, *others = open_tabs(stage, visitor)

    first.close()
    stage.emit(visitor, "follows", 7)

    assert_all_show(others, "7")
    next_polls(stage, 1)
    assert len(tabs_of(next_polls(stage, 4))) == 1


def test_a_hidden_tab_gives_up_the_lead(stage: Stage, visitor: Visitor) -> None:
    first, second = open_tabs(stage, visitor, "ab")

    hide(first)
    stage.emit(visitor, "follows", 7)

    assert_all_show([first, second], "7")
    next_polls(stage, 1)
    assert tabs_of(next_polls(stage, 4)) == {"b"}


def test_a_tab_opened_late_shows_everything(stage: Stage, visitor: Visitor) -> None:
    (first,) = open_tabs(stage, visitor, "a")
    stage.emit(visitor, "follows", 7)
    stage.emit(visitor, "task:1", 30)
    assert_all_show([first], "7")

    late = visitor.open("/?tab=z")
    stage.front.wait_for_tab("z", 1)

    assert_all_show([late], "7")
    expect(late.get_by_text("30%")).to_be_visible()


def test_a_tab_that_becomes_visible_polls_at_once(set_stage: Callable[..., Stage]) -> None:
    stage = set_stage(NOTIFY_POLL_INTERVAL=3600)
    visitor = stage.visit()
    visitor.follow()
    page = visitor.open()
    wait_for_answers(page)
    hide(page)
    stage.emit(visitor, "follows", 7)

    show(page)

    assert_all_show([page], "7")
    assert len(stage.front.polls) == 2


def test_with_all_tabs_hidden_one_polls_once_a_minute(stage: Stage, visitor: Visitor) -> None:
    clock = visitor.context.clock
    clock.install()
    clock.pause_at(datetime.now(timezone.utc) + timedelta(minutes=1))
    visitor.follow()
    pages = [visitor.open(f"/?tab={name}") for name in "abc"]
    for page in pages:
        wait_for_answers(page)
        hide(page)
    wait_until(pages[0], "navigator.locks.query().then(({held, pending}) => held.length + 10 * pending.length === 21)")
    stage.emit(visitor, "follows", 7)
    stage.front.forget()

    clock.run_for(55_000)
    assert_all_show(pages, "0")
    clock.run_for(10_000)
    assert_all_show(pages, "7")
    stage.emit(visitor, "follows", 8)
    clock.run_for(50_000)
    assert_all_show(pages, "7")
    clock.run_for(10_000)
    assert_all_show(pages, "8")

    polls = stage.front.wait_for(2)
    assert len(polls) == 2
    assert len(tabs_of(polls)) == 1


def test_a_tab_that_missed_what_the_others_were_told_catches_up(stage: Stage, visitor: Visitor) -> None:
    first, second = open_tabs(stage, visitor, "ab")
    # A frozen page leaves the channel, and may come back without having been visible in between.
    second.evaluate("document.dispatchEvent(new Event('freeze'))")
    stage.emit(visitor, "follows", 7)
    assert_all_show([first], "7")
    assert_all_show([second], "0")

    second.evaluate("document.dispatchEvent(new Event('resume'))")

    assert_all_show([second], "7")


def test_a_tab_whose_own_poll_failed_is_put_right_by_the_leader(stage: Stage, visitor: Visitor) -> None:
    (first,) = open_tabs(stage, visitor, "a")
    visitor.context.route("**/notifications?*", lambda route: route.abort())
    visitor.expect_complaint("ERR_FAILED")
    second = visitor.open("/?tab=b")
    stage.emit(visitor, "follows", 7)
    wait_until(second, "performance.getEntriesByType('resource').some(entry => entry.name.includes('since='))")

    visitor.context.unroute_all()

    assert_all_show([first, second], "7")


@pytest.mark.parametrize("missing", ["Navigator.prototype, 'locks'", "window, 'BroadcastChannel'"])
def test_where_tabs_cannot_talk_each_polls_for_itself(stage: Stage, visitor: Visitor, missing: str) -> None:
    visitor.context.add_init_script(f"Object.defineProperty({missing}, {{value: undefined}})")
    first, second = visitor.open("/?tab=a"), visitor.open("/?tab=b")

    stage.emit(visitor, "follows", 7)

    assert_all_show([first, second], "7")
    stage.front.forget()
    for tab in "ab":
        stage.front.wait_for_tab(tab, 3)


def test_all_tabs_follow_a_database_that_was_restored(stage: Stage, visitor: Visitor) -> None:
    stage.emit(visitor, "task:1", 10)
    pages = open_tabs(stage, visitor)
    with stage.site.app.app_context():
        before = stage.site.db.session.query(stage.site.notify.Inbox).one().cursor
    stage.emit(visitor, "task:2", 20)
    stage.emit(visitor, "follows", 7)
    assert_all_show(pages, "7")

    with stage.site.app.app_context():
        db, inbox, notification = stage.site.db, stage.site.notify.Inbox, stage.site.notify.Notification
        db.session.query(notification).filter(notification.timestamp > before).delete()
        db.session.query(inbox).update({"cursor": before})
        db.session.commit()

    for page in pages:
        expect(page.locator("#message_count")).to_be_hidden()
        expect(page.get_by_text("20%")).to_be_hidden()
        expect(page.get_by_text("10%")).to_be_visible()


def test_tabs_of_a_user_who_heard_nothing_for_days_hear_the_next_value_by_one_request(
    stage: Stage, visitor: Visitor
) -> None:
    """Their `since` is older than removals are kept, so the answer is the whole state."""
    stage.emit(visitor, "task:1", 10)
    with stage.site.app.app_context():
        db, inbox, notification = stage.site.db, stage.site.notify.Inbox, stage.site.notify.Notification
        days_ago = stage.site.user(visitor.key).notifications[0].timestamp - 500_000
        db.session.query(inbox).update({"cursor": days_ago})
        db.session.query(notification).update({"timestamp": days_ago})
        db.session.commit()
    pages = open_tabs(stage, visitor)
    stage.front.forget()

    stage.emit(visitor, "follows", 7)

    assert_all_show(pages, "7")
    for page in pages:
        expect(page.get_by_text("10%")).to_be_visible()
    assert tabs_of(stage.front.wait_for(3)) == {"a"}


def test_another_users_values_never_reach_a_page(stage: Stage, visitor: Visitor) -> None:
    stage.emit(visitor, "follows", 2)
    page = visitor.open("/?tab=a")
    stage.front.wait_for(2)
    david = stage.site.add_user()

    visitor.log_in(david)
    stage.site.emit(david, "follows", 55)
    wait_until_over(page)
    his = visitor.open("/?tab=b")
    stage.site.emit(david, "follows", 56)

    assert_all_show([his], "56")
    assert tabs_of(next_polls(stage, 4)) == {"b"}
    assert_all_show([page], "2")
    stage.front.forget()
    show(page)  # it asks once more, hears that it is still somebody else, and stops
    stage.front.wait_for_tab("a", 1)
    assert tabs_of(next_polls(stage, 4)) == {"b"}
    assert_all_show([page], "2")


def test_a_page_goes_on_when_its_own_user_is_back(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open("/?tab=a")
    stage.front.wait_for(2)
    visitor.log_in(stage.site.add_user())
    wait_until_over(page)
    other = visitor.open("/?tab=b")
    stage.front.wait_for_tab("b", 2)
    other.close()
    stage.front.wait_until_answered()

    visitor.log_in(visitor.key)
    stage.emit(visitor, "follows", 7)
    show(page)

    assert_all_show([page], "7")
    assert tabs_of(next_polls(stage, 3)) == {"a"}
