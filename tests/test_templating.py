"""What the helpers put on a page: right at the first render, and never more than text."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import render_template_string
from jinja2 import DictLoader

import flask_notify
from tests.apps import Site
from tests.polls import poll, set_clock, set_unread

pytestmark = pytest.mark.databases("sqlite")
HOSTILE = "\"><img src=x onerror=alert(1)>'&</span>"

Show = Callable[..., "Page"]


class Page(HTMLParser):
    """The elements of a page: their attributes, and the text within the element with the bound name."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep text."""
        if data.strip():
            self.texts.append(data.strip())

    def bound(self, kind: str) -> dict[str, str | None]:
        """Return the attributes of the one element bound as badge, progress or text, or of the script."""
        (found,) = [attributes for _, attributes in self.elements if f"data-notify-{kind}" in attributes]
        return found


@pytest.fixture
def key(site: Site) -> Any:
    return site.add_user("susan")


@pytest.fixture
def show(site: Site, key: Any) -> Show:
    """Render a template for susan, or for a visitor."""

    def show_one(template: str, *, anonymous: bool = False, **context: Any) -> Page:
        site.app.view_functions["shown"] = lambda: render_template_string(template, **context)
        client = site.client(None if anonymous else key)
        return Page(client.get("/shown").text)

    site.app.add_url_rule("/shown", "shown", lambda: "")
    return show_one


# The badge


@pytest.mark.databases("sqlite", "postgresql", "mariadb")
def test_the_badge_is_right_at_the_first_render(site: Site, key: Any, show: Show) -> None:
    set_unread(site, key, 3)

    badge = show("{{ notify_badge() }}")

    assert badge.bound("badge")["data-notify-badge"] == "unread_message_count"
    assert "hidden" not in badge.bound("badge")
    assert badge.texts[0] == "3"


def test_the_badge_is_in_the_page_and_hidden_at_0(show: Show) -> None:
    badge = show("{{ notify_badge() }}")

    assert "hidden" in badge.bound("badge")
    assert badge.texts[0] == "0"


@pytest.mark.parametrize(
    "count, text", [(1, "1"), (99, "99"), (100, "99+"), (10**310, "99+"), (2.9, "2"), (1e300, "99+")]
)
def test_a_badge_counts_to_99(site: Site, key: Any, show: Show, count: float, text: str) -> None:
    site.emit(key, "followers", count)

    badge = show("{{ notify_badge('followers') }}")

    assert badge.texts[0] == text
    assert "hidden" not in badge.bound("badge")


@pytest.mark.parametrize("data", [0, -5, -0.5, 0.5, None, True, "7", [1, 2], {"count": 3}])
def test_a_badge_of_what_is_no_number_or_less_than_1_is_hidden(site: Site, key: Any, show: Show, data: Any) -> None:
    site.emit(key, "followers", data)

    badge = show("{{ notify_badge('followers') }}")

    assert "hidden" in badge.bound("badge")
    assert badge.texts[0] == "0"


def test_a_badge_keeps_the_id_and_the_label_of_the_application(show: Show) -> None:
    badge = show("{{ notify_badge(id='message_count', label='new messages') }}")

    assert badge.bound("badge")["id"] == "message_count"
    assert "new messages" in badge.texts
    assert "id" not in show("{{ notify_badge() }}").bound("badge")


def test_a_badge_that_expires_says_when(site: Site, key: Any, show: Show) -> None:
    clock = set_clock(site)
    site.emit(key, "followers", 5, expires_in=60)
    clock.advance(20)

    badge = show("{{ notify_badge('followers') }}")
    clock.advance(40)
    expired = show("{{ notify_badge('followers') }}")

    assert float(badge.bound("badge")["data-notify-expires-in"] or 0) == pytest.approx(40)
    assert "hidden" in expired.bound("badge")


# Progress and text


@pytest.mark.parametrize(
    "data, value",
    [(0, 0), (40, 40), (99.5, 99.5), ({"progress": 40}, 40), (-3, 0), (250, 100), (10**310, 100), (-(10**310), 0)],
    ids=lambda value: str(value)[:12],
)
def test_a_progress_bar_shows_the_percentage(site: Site, key: Any, show: Show, data: Any, value: float) -> None:
    site.emit(key, "task", data)

    page = show("{{ notify_progress('task', label='Export') }}")

    (bar,) = [attributes for tag, attributes in page.elements if tag == "progress"]
    assert float(bar["value"] or -1) == value
    assert bar["max"] == "100"
    assert "hidden" not in page.bound("progress")
    assert "Export" in page.texts


@pytest.mark.parametrize("data", [None, "40", True, [], {}, {"progress": "40"}, {"progress": None}])
def test_a_progress_bar_without_a_number_has_no_value(site: Site, key: Any, show: Show, data: Any) -> None:
    site.emit(key, "task", data)

    page = show("{{ notify_progress('task') }}")

    assert not any("value" in attributes for tag, attributes in page.elements if tag == "progress")
    assert "hidden" not in page.bound("progress")


def test_a_progress_bar_of_what_is_not_there_waits_hidden(show: Show) -> None:
    assert "hidden" in show("{{ notify_progress('task') }}").bound("progress")


@pytest.mark.parametrize(
    "data, text",
    [("hello", "hello"), (5, "5"), (True, "true"), ({"a": ["ä", 1]}, '{"a":["ä",1]}'), (None, "nothing yet")],
)
def test_a_text_shows_what_the_script_would_write(site: Site, key: Any, show: Show, data: Any, text: str) -> None:
    site.emit(key, "status", data)

    assert show("{{ notify_text('status', default='nothing yet') }}").texts == [text]


def test_a_text_that_is_not_there_shows_its_default(show: Show) -> None:
    assert show("{{ notify_text('status', default='nothing yet') }}").texts == ["nothing yet"]
    assert show("{{ notify_text('status') }}").texts == []


def test_what_was_removed_is_not_on_the_page(site: Site, key: Any, show: Show) -> None:
    site.emit(key, "status", "busy")
    site.remove(key, "status")

    assert show("{{ notify_text('status') }}").texts == []


# The script


def test_the_script_polls_from_where_the_page_was_rendered(site: Site, key: Any, show: Show) -> None:
    site.emit(key, "a", 1)
    cursor = site.emit(key, "b", 1)

    script = show("{{ notify_script() }}").bound("url")

    assert script["type"] == "module"
    assert script["src"] == f"/notify/static/notify.js?v={flask_notify.__version__}"
    assert script["data-notify-url"] == "/notifications"
    assert script["data-notify-interval"] == "10"
    assert script["data-notify-since"] == repr(cursor)
    assert poll(site.client(key), script["data-notify-since"]).json == []


def test_the_script_starts_where_the_application_says(show: Show) -> None:
    assert show("{{ notify_script(since=0) }}").bound("url")["data-notify-since"] == "0.0"


def test_the_user_of_the_page_is_the_one_that_polls_tell(site: Site, key: Any, show: Show) -> None:
    script = show("{{ notify_script() }}").bound("url")

    assert re.fullmatch("[0-9a-f]{16}", script["data-notify-user"] or "")
    assert poll(site.client(key)).headers["X-Notify-User"] == script["data-notify-user"]


def test_the_script_is_served(site: Site, show: Show) -> None:
    source = show("{{ notify_script() }}").bound("url")["src"]

    with site.client().get(source or "") as response:
        assert response.status_code == 200
        assert "javascript" in str(response.mimetype)


def test_the_paths_follow_the_prefix_and_the_mount(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_URL_PREFIX="/live", NOTIFY_POLL_INTERVAL=0.5)
    site.app.add_url_rule("/shown", "shown", lambda: render_template_string("{{ notify_script() }}"))
    client = site.client(site.add_user("susan"))

    script = Page(client.get("/shown", environ_overrides={"SCRIPT_NAME": "/shop"}).text).bound("url")

    assert script["data-notify-url"] == "/shop/live/notifications"
    assert (script["src"] or "").startswith("/shop/live/notify/static/notify.js")
    assert script["data-notify-interval"] == "0.5"


# Whoever is not logged in, and whatever is hostile


def test_a_visitor_gets_hidden_elements_and_no_script(show: Show) -> None:
    template = "{{ notify_script() }}{{ notify_badge() }}{{ notify_progress('a') }}{{ notify_text('b', default='-') }}"

    page = show(template, anonymous=True)

    assert "<script" not in page.html
    assert "hidden" in page.bound("badge")
    assert "hidden" in page.bound("progress")
    assert "-" in page.texts


def test_hostile_names_labels_ids_and_data_stay_text(site: Site, key: Any, show: Show) -> None:
    site.emit(key, HOSTILE, HOSTILE)
    badge, progress, text = "notify_badge(bad, id=bad, label=bad)", "notify_progress(bad, bad)", "notify_text(bad, bad)"

    page = show(f"{{{{ {badge} }}}} {{{{ {progress} }}}} {{{{ {text} }}}}", bad=HOSTILE)

    assert not [tag for tag, _ in page.elements if tag == "img"]
    assert page.bound("badge")["data-notify-badge"] == page.bound("badge")["id"] == HOSTILE
    assert page.bound("progress")["data-notify-progress"] == HOSTILE
    assert page.bound("text")["data-notify-text"] == HOSTILE
    assert HOSTILE in page.texts


def test_no_element_needs_more_than_a_strict_content_security_policy(site: Site, key: Any, show: Show) -> None:
    site.emit(key, "a", 40)

    page = show("{{ notify_script() }}{{ notify_badge('a') }}{{ notify_progress('a') }}{{ notify_text('a') }}")

    attributes = {name for _, found in page.elements for name in found}
    assert "style" not in attributes
    assert not [name for name in attributes if name.startswith("on")]
    assert [found.get("src") for tag, found in page.elements if tag == "script"] == [page.bound("url")["src"]]


def test_one_user_sees_nothing_of_another(site: Site, show: Show) -> None:
    david = site.add_user("david")
    site.emit(david, "status", "secret")
    set_unread(site, david, 5)

    page = show("{{ notify_badge() }}{{ notify_text('status') }}")

    assert "secret" not in page.html
    assert "hidden" in page.bound("badge")


# How the helpers live in an application


def test_an_application_may_write_a_template_of_its_own(site: Site, show: Show) -> None:
    site.app.jinja_loader = DictLoader({"notify/badge.html": "<b data-notify-badge={{ name }}>{{ count }}</b>"})

    assert show("{{ notify_badge('mine') }}").html == "<b data-notify-badge=mine>0</b>"


def test_the_applications_context_processors_run_once_for_a_page(site: Site, show: Show) -> None:
    runs: list[int] = []

    @site.app.context_processor
    def count() -> dict[str, Any]:
        runs.append(1)
        return {}

    show("{{ notify_badge() }}{{ notify_badge('a') }}{{ notify_text('b') }}{{ notify_script() }}")

    assert len(runs) == 1


def test_requests_in_one_application_context_see_what_came_between(site: Site, key: Any) -> None:
    # The tests of an application often hold one context open for all of their requests.
    site.app.add_url_rule("/shown", "shown", lambda: render_template_string("{{ notify_text('status') }}"))
    client = site.client(key)
    site.emit(key, "status", "first")

    with site.app.app_context():
        before = Page(client.get("/shown").text).texts
        site.user(key).add_notification("status", "second")
        site.db.session.commit()
        after = Page(client.get("/shown").text).texts

    assert (before, after) == (["first"], ["second"])


def test_a_template_outside_of_a_request_shows_nobody(site: Site) -> None:
    with site.app.app_context():
        page = Page(render_template_string("{{ notify_badge() }}{{ notify_text('a', default='-') }}"))

    assert "hidden" in page.bound("badge")
