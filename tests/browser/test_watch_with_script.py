"""The button by which a user watches, with the script of actions: it is swapped, and keeps the focus."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from flask import render_template_string
from playwright.sync_api import expect

from flask_notify import WatchableMixin
from flask_notify.messages.watches import is_watched_by

from .boards import toast
from .conftest import Stage, Visitor
from .inboxes import lose_tokens

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.databases("sqlite")

PAGE = """<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width">
<title>Posts</title>{{ notify_style() }}</head><body class="notify-page"><main class="notify-main"><h1>Posts</h1>
{% for post in posts %}<h2>{{ post.title }}</h2>{{ notify_watch(post, label=post.title, modes=True) }}{% endfor %}
</main>{{ notify_script() }}{{ notify_actions_script() }}</body></html>"""


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> Stage:
    """An application with two posts that can be watched; the key of one is a text that is no easy id."""
    stage = set_stage()
    db = stage.site.db

    class Post(WatchableMixin, db.Model):  # type: ignore[misc,name-defined]  # a class that is made at run time
        id = db.Column(db.String(20), primary_key=True)
        title = db.Column(db.String(64))

    stage.site.create_tables()

    @stage.site.app.get("/posts")
    def posts() -> str:
        return render_template_string(PAGE, posts=list(db.session.scalars(db.select(Post).order_by(Post.title))))

    with stage.site.app.app_context():
        db.session.add_all([Post(id="1", title="First"), Post(id='a "b" <c>', title="Second")])
        db.session.commit()
    return stage


def post_named(stage: Stage, title: str) -> Any:
    """Return a post, in the current application context."""
    (Post,) = [each.class_ for each in stage.site.User.registry.mappers if each.class_.__name__ == "Post"]
    return stage.site.db.session.scalar(stage.site.db.select(Post).where(Post.title == title))


def watches(stage: Stage, visitor: Visitor) -> set[str]:
    """Return the titles of the posts that the visitor watches."""
    with stage.site.app.app_context():
        user, models = stage.site.user(visitor.key), stage.site.notify.models
        return {each for each in ("First", "Second") if is_watched_by(models, post_named(stage, each), user)}


def watch_button(page: Page, name: str) -> Locator:
    """Return a button."""
    return page.get_by_role("button", name=name, exact=True)


def test_watching_needs_no_reload_and_the_button_keeps_the_focus(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open("/posts")
    page.wait_for_selector(".notify-toasts", state="attached")
    page.evaluate("window.mine = true")

    watch_button(page, "Watch Second").focus()
    page.keyboard.press("Enter")

    expect(toast(page, "You watch this")).to_be_visible()
    expect(watch_button(page, "Watching Second")).to_be_focused()
    expect(watch_button(page, "Watching Second")).to_have_attribute("aria-pressed", "true")
    assert watches(stage, visitor) == {"Second"}
    page.keyboard.press("Enter")
    expect(watch_button(page, "Watch Second")).to_be_focused()
    assert watches(stage, visitor) == set()
    assert page.evaluate("window.mine")


def test_a_mode_is_chosen_and_the_choice_stays_open(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open("/posts")
    page.wait_for_selector(".notify-toasts", state="attached")
    page.get_by_text("How I am told").first.click()

    page.get_by_label("Mail about this").first.select_option("Mail once a week")
    watch_button(page, "Save").first.press("Enter")

    expect(toast(page, "You watch this")).to_be_visible()
    expect(page.get_by_label("Mail about this").first).to_have_value("weekly")
    expect(watch_button(page, "Save").first).to_be_focused()
    assert watches(stage, visitor) == {"First"}


def test_a_token_that_has_expired_is_fetched_anew(stage: Stage, visitor: Visitor) -> None:
    page = visitor.open("/posts")
    page.wait_for_selector(".notify-toasts", state="attached")
    lose_tokens(page)
    visitor.expect_complaint("400")

    watch_button(page, "Watch First").click()

    expect(watch_button(page, "Watching First")).to_be_visible()
    assert watches(stage, visitor) == {"First"}
