"""The button by which a user watches: a real form, reached and heard without a mouse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import render_template_string
from playwright.sync_api import expect

from flask_notify import WatchableMixin
from flask_notify.messages.watches import is_muted_by, is_watched_by

from .conftest import Stage, Visitor
from .test_accessibility import violations_in_any_light

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.databases("sqlite")

PAGE = """<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width">
<title>Posts</title>{{ notify_style() }}</head><body class="notify-page"><main class="notify-main"><h1>Posts</h1>
{% for text in get_flashed_messages() %}<p class="notify-flash">{{ text }}</p>{% endfor %}
{% for post in posts %}<h2>{{ post.title }}</h2>{{ notify_watch(post, label=post.title, modes=True) }}{% endfor %}
</main></body></html>"""


def add_posts(stage: Stage, template: str) -> Stage:
    """Give an application two posts that can be watched, and a page that shows them."""
    db = stage.site.db

    class Post(WatchableMixin, db.Model):  # type: ignore[misc,name-defined]  # a class that is made at run time
        id = db.Column(db.Integer, primary_key=True)
        title = db.Column(db.String(64))

    stage.site.create_tables()

    @stage.site.app.get("/posts")
    def posts() -> str:
        return render_template_string(template, posts=list(db.session.scalars(db.select(Post).order_by(Post.id))))

    with stage.site.app.app_context():
        db.session.add_all([Post(title="First"), Post(title="Second")])
        db.session.commit()
    return stage


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> Stage:
    """An application with two posts that can be watched."""
    return add_posts(set_stage(), PAGE)


def state(stage: Stage, visitor: Visitor) -> tuple[bool, bool]:
    """Return whether the visitor watches the second post, and whether they have muted it."""
    with stage.site.app.app_context():
        [Post] = [m.class_ for m in stage.site.User.registry.mappers if m.class_.__name__ == "Post"]
        post, user = stage.site.db.session.get(Post, 2), stage.site.user(visitor.key)
        models = stage.site.notify.models
        return is_watched_by(models, post, user), is_muted_by(models, post, user)


def second(page: Page) -> Locator:
    return page.locator("#notify-watch-Post-2")


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without"])
def test_a_post_is_watched_and_left_by_keyboard(stage: Stage, script: bool) -> None:
    visitor = stage.visit(java_script_enabled=script)
    page = visitor.open("/posts")

    second(page).get_by_role("button", name="Watch Second", pressed=False, exact=True).focus()
    page.keyboard.press("Enter")

    expect(page.get_by_text("You watch this: you will be told of its changes.")).to_be_visible()
    expect(page.get_by_role("button", name="Watch First", pressed=False, exact=True)).to_be_visible()
    assert state(stage, visitor) == (True, False)
    second(page).get_by_role("button", name="Watching Second", pressed=True, exact=True).focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("You do not watch this any more.")).to_be_visible()
    assert state(stage, visitor) == (False, False)


def test_a_post_is_muted_without_javascript(stage: Stage) -> None:
    visitor = stage.visit(java_script_enabled=False)
    page = visitor.open("/posts")

    second(page).get_by_text("How I am told").press("Enter")
    second(page).get_by_label("Mail about this").select_option("Not at all")
    second(page).get_by_role("button", name="Save").press("Enter")

    expect(page.get_by_text("You will hear nothing of this.")).to_be_visible()
    assert state(stage, visitor) == (False, True)
    second(page).get_by_role("button", name="Muted Second", pressed=True).press("Enter")
    expect(page.get_by_text("You do not watch this any more.")).to_be_visible()
    assert state(stage, visitor) == (False, False)


def test_axe_finds_nothing_at_a_button(visitor: Visitor, module_file: Callable[[str], Path]) -> None:
    axe = module_file("axe-core/axe.min.js")
    page = visitor.open("/posts")
    second(page).get_by_role("button", name="Watch").click()
    expect(second(page).get_by_role("button", name="Watching")).to_be_visible()
    second(page).get_by_text("How I am told").click()

    assert violations_in_any_light(page, axe) == []


def test_the_button_is_large_enough_and_nothing_is_cut_off_on_a_small_screen(stage: Stage) -> None:
    page = stage.visit(viewport={"width": 320, "height": 600}).open("/posts")
    wide = second(page).get_by_role("button", name="Watch").bounding_box()
    second(page).get_by_role("button", name="Watch").click()
    expect(second(page).get_by_role("button", name="Watching")).to_be_visible()
    second(page).get_by_text("How I am told").click()

    box = second(page).get_by_role("button", name="Watching").bounding_box()
    assert box is not None
    assert wide is not None
    assert box["height"] >= 44
    assert box["width"] == wide["width"]
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    edge = "element => element.getBoundingClientRect().right"
    assert second(page).get_by_label("Mail about this").evaluate(edge) <= 304
