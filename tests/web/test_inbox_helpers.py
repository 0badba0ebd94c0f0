"""`notify_inbox()` and `notify_inbox_widget()`: the inbox on an application's own pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import render_template_string

from tests.apps import Site

from .letterbox import hidden, post, send, unseen

pytestmark = pytest.mark.databases("sqlite")
HOSTILE = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def key(site: Site) -> Any:
    page = "{{ notify_inbox() }}|{{ notify_inbox_widget() }}|{{ notify_script() }}"
    site.app.add_url_rule("/home", "home", lambda: render_template_string(page))
    return site.add_user("susan")


def parts(site: Site, key: Any) -> list[str]:
    """Return the bell and the widget of a page."""
    response = site.client(key).get("/home")
    assert response.status_code == 200
    return str(response.text).split("|")


def test_the_bell_has_the_count_and_leads_to_the_messages(site: Site, key: Any) -> None:
    send(site, key, "a", "b")

    bell = parts(site, key)[0]

    assert re.search(r'<a class="notify-inbox-bell" href="/messages">', bell)
    assert 'data-notify-badge="unread_message_count">2<' in bell
    assert "Messages</span>" in bell


def test_the_widget_shows_the_newest_unseen(site: Site, key: Any) -> None:
    numbers = send(site, key, *"abcdefg")
    post(site.client(key), f"/messages/{numbers[6]}/seen")

    widget = parts(site, key)[1]

    assert re.findall(r'notify-message-link" href="[^"]*">(\w)<', widget) == ["f", "e", "d", "c", "b"]
    assert "hidden>" not in widget.split("</h2>")[0]
    assert "(6 unseen)" in widget


def test_the_widget_hides_while_there_is_nothing_new(site: Site, key: Any) -> None:
    widget = parts(site, key)[1]

    assert re.search(r"<section [^>]* hidden>", widget)
    assert "notify-message" not in widget


def test_the_widget_is_switched_off_for_good_and_on_again(site: Site, key: Any) -> None:
    send(site, key, "a")
    client = site.client(key)
    widget = parts(site, key)[1]

    led = post(client, "/messages/widget", {"hidden": "1", "next": hidden(widget, "next")[0]})

    assert led.location == "/home"
    assert parts(site, key)[1] == ""
    assert client.get("/messages/latest?widget=1").text == ""
    post(client, "/messages/widget", {"hidden": "0"})
    assert "notify-message-link" in parts(site, key)[1]


def test_the_widget_is_switched_by_yes_or_no_only(site: Site, key: Any) -> None:
    assert post(site.client(key), "/messages/widget", {"hidden": "perhaps"}).status_code == 400


def test_the_forms_of_the_widget_work_without_a_script(site: Site, key: Any) -> None:
    send(site, key, "a", "b")
    client = site.client(key)
    (until,) = re.findall(r'name="until" value="([^"]*)"', parts(site, key)[1])

    assert post(client, "/messages/seen", {"until": until, "next": "/home"}).location == "/home"
    assert unseen(site, key) == set()


def test_a_visitor_has_no_inbox(site: Site, key: Any) -> None:  # noqa: ARG001  # makes the page
    assert parts(site, None)[:2] == ["", ""]


def test_one_user_sees_nothing_of_another(site: Site, key: Any) -> None:
    send(site, site.add_user("david"), "for david")

    assert "for david" not in "".join(parts(site, key))


def test_hostile_labels_and_messages_stay_text(site: Site, key: Any) -> None:
    send(site, key, HOSTILE)
    template = "{{ notify_inbox(label=bad) }}{{ notify_inbox_widget(heading=bad) }}"
    site.app.view_functions["home"] = lambda: render_template_string(template, bad=HOSTILE)

    assert "<img" not in "".join(parts(site, key))


def test_nothing_is_inline(site: Site, key: Any) -> None:
    send(site, key, "a")

    page = "".join(parts(site, key)) + site.client(key).get("/messages").text

    assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", page)
    assert not re.search(r"<script(?![^>]*\ssrc=)", page)


def test_a_bell_alone_writes_nothing_into_the_session(site: Site, key: Any) -> None:
    site.app.view_functions["home"] = lambda: render_template_string("{{ notify_inbox() }}")

    assert "Set-Cookie" not in site.client(key).get("/home").headers


def test_a_long_text_is_cut_in_the_short_lists(site: Site, key: Any) -> None:
    send(site, key, "long", body="word " * 100)

    shown = re.findall(r'notify-message-link" href="[^"]*">([^<]*)<', parts(site, key)[1])

    assert len(shown[0]) <= 140
    assert shown[0].endswith("…")
