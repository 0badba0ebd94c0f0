"""`GET /messages`: what a recipient reads, as a page and as JSON; looking at it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Response
from flask_babel import Babel
from jinja2 import DictLoader

from tests.apps import Site
from tests.polls import set_clock

from .letterbox import JSON, hidden, listed, post, send, subjects, unseen

pytestmark = pytest.mark.databases("sqlite")
every_database = pytest.mark.databases("sqlite", "postgresql", "mariadb")
HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def key(site: Site) -> Any:
    return site.add_user("susan")


@every_database
def test_the_unseen_come_first_and_of_each_the_newest(site: Site, key: Any) -> None:
    first, _, third = send(site, key, "first", "second", "third")
    client = site.client(key)
    post(client, f"/messages/{third}/seen")
    post(client, f"/messages/{first}/seen")

    page = listed(client)

    assert subjects(page) == ["second", "third", "first"]
    assert [message["seen"] for message in page["messages"]] == [False, True, True]
    assert page["unseen_count"] == 1


@every_database
def test_a_message_that_was_just_seen_is_among_the_seen_at_once(site: Site, key: Any) -> None:
    _, second = send(site, key, "first", "second")
    client = site.client(key)

    post(client, f"/messages/{second}/seen")

    assert subjects(listed(client)) == ["first", "second"]


def test_json_tells_all_that_there_is_to_read(site: Site, key: Any) -> None:
    clock = set_clock(site)
    (number,) = send(site, key, "Backup finished", body="All of it.", url="/backups/7")

    (message,) = listed(site.client(key))["messages"]

    assert message.pop("cursor") >= clock.now
    assert message == {
        "id": number,
        "type": "system",
        "subject": "Backup finished",
        "body": "All of it.",
        "url": "/backups/7",
        "sender": None,
        "created_at": "2026-09-21T14:13:20Z",
        "seen": False,
        "count": 1,
    }


def test_a_browser_gets_a_page_and_a_program_json(site: Site, key: Any) -> None:
    client = site.client(key)

    page = client.get("/messages", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})

    assert page.mimetype == "text/html"
    assert client.get("/messages").mimetype == "text/html"
    assert client.get("/messages", headers=JSON).mimetype == "application/json"


def test_where_there_is_a_body_the_page_shows_it_and_not_the_subject(site: Site, key: Any) -> None:
    send(site, key, "Backup finished", body="All of it.\nTwice.")
    send(site, key, "Restart at noon")

    page = site.client(key).get("/messages").text

    assert "All of it.<br>\nTwice." in page
    assert "Backup finished" not in page
    assert "Restart at noon" in page


@every_database
def test_the_links_lead_through_all_pages_and_back(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_MESSAGES_PER_PAGE=2)
    key = site.add_user("susan")
    send(site, key, *"abcde")
    client = site.client(key)

    pages = [listed(client)]
    while pages[-1]["older"]:
        post(client, "/messages/seen", {"until": repr(pages[0]["cursor"])})
        pages.append(listed(client, pages[-1]["older"]))
    back = [pages[-1]]
    while back[-1]["newer"]:
        back.append(listed(client, back[-1]["newer"]))

    assert [subjects(page) for page in pages] == [["e", "d"], ["c", "b"], ["a"]]
    assert [subjects(page) for page in back] == [["a"], ["c", "b"], ["e", "d"]]
    assert pages[0]["newer"] is None
    assert unseen(site, key) == set()


def test_the_first_page_of_a_walk_leads_to_what_has_arrived(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_MESSAGES_PER_PAGE=2)
    key = site.add_user("susan")
    send(site, key, *"abc")
    client = site.client(key)
    second = listed(client, listed(client)["older"])
    send(site, key, "new")

    first = listed(client, second["newer"])

    assert subjects(first) == ["c", "b"]
    assert first["newer"] == "/messages"
    assert subjects(listed(client, first["newer"])) == ["new", "c"]


@every_database
def test_filters_choose_by_state_type_and_day(site: Site, key: Any) -> None:
    clock = set_clock(site)  # 2026-09-21 in UTC
    early, _ = send(site, key, "early", "early too")
    client = site.client(key)
    post(client, f"/messages/{early}/seen")
    clock.advance(86_400)
    send(site, key, "late")

    assert subjects(listed(client, seen="1")) == ["early"]
    assert subjects(listed(client, seen="0")) == ["late", "early too"]
    assert subjects(listed(client, type="system", seen="")) == ["late", "early too", "early"]
    assert subjects(listed(client, type="private")) == []
    assert subjects(listed(client, to="2026-09-21")) == ["early too", "early"]
    assert subjects(listed(client, **{"from": "2026-09-22", "to": "2026-09-22"})) == ["late"]


def test_a_day_is_the_recipients_own(site: Site, key: Any) -> None:
    clock = set_clock(site)
    with site.app.app_context():
        site.user(key).set_notify_preferences(timezone="Pacific/Auckland")
        site.db.session.commit()
    clock.now = 1_790_002_800.0  # 15:00 on the 21st in UTC; 03:00 on the 22nd in Auckland
    send(site, key, "overnight")
    client = site.client(key)

    assert subjects(listed(client, **{"from": "2026-09-22"})) == ["overnight"]
    assert subjects(listed(client, to="2026-09-21")) == []
    assert "22 September 2026, 03:00" in client.get("/messages").text


def test_the_filter_stays_in_the_links_and_in_its_form(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_MESSAGES_PER_PAGE=1)
    key = site.add_user("susan")
    send(site, key, "a", "b")
    client = site.client(key)

    page = client.get("/messages?seen=0&type=system&from=&to=").text

    assert "/messages?seen=0&amp;type=system&amp;page=older~" in page
    assert '<option value="0" selected>' in page
    assert '<option value="system" selected>' in page


def test_a_parameter_that_cannot_be_is_refused(site: Site, key: Any) -> None:
    client = site.client(key)
    wrong = ["seen=2", "seen=yes", "seen=0&seen=1", "type=%00", "type=" + "x" * 65, "page=2", "page=" + "9" * 5000]
    wrong += ["page=older~unseen~nan~1", "from=yesterday", "from=0001-01-01", "from=2026-1-1%20"]
    wrong += ["to=2026-02-30", "to=20260221", "to=9999-12-31"]

    for query in wrong:
        told: Any = client.get(f"/messages?{query}", headers=JSON)
        assert told.status_code == 400, query
        assert query.split("=", maxsplit=1)[0] in told.json["error"]
        assert client.get(f"/messages?{query}").status_code == 400, query


def test_looking_changes_nothing(site: Site, key: Any) -> None:
    send(site, key, "a", "b")
    client = site.client(key)
    cursor = listed(client)["cursor"]

    for method in ("get", "head", "options"):
        getattr(client, method)("/messages")
        getattr(client, method)("/messages/latest")

    assert unseen(site, key) == {"a", "b"}
    assert listed(client)["cursor"] == cursor


@every_database
def test_the_pages_own_form_brings_the_badge_to_zero_and_spares_what_arrived_since(site: Site, key: Any) -> None:
    send(site, key, "a", "b")
    client = site.client(key)
    page = client.get("/messages").text
    (until,) = hidden(page, "until")
    send(site, key, "later")

    answer = post(client, "/messages/seen", {"until": until, "next": hidden(page, "next")[0]})

    assert (answer.status_code, answer.location) == (303, "/messages")
    assert unseen(site, key) == {"later"}


def test_a_page_that_shows_a_part_marks_that_part(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_MESSAGES_PER_PAGE=2)
    key = site.add_user("susan")
    send(site, key, *"abc")
    client = site.client(key)
    page = client.get(listed(client, seen="0")["older"]).text

    post(client, "/messages/seen", {"ids": hidden(page, "ids")})

    assert hidden(page, "until") == []
    assert unseen(site, key) == {"b", "c"}


def test_where_all_is_seen_there_is_nothing_to_mark(site: Site, key: Any) -> None:
    assert "data-notify-auto" not in site.client(key).get("/messages").text


def test_an_empty_inbox_says_something_kind(site: Site, key: Any) -> None:
    client = site.client(key)

    page = client.get("/messages").text

    assert "Nothing here yet" in page
    assert 'href="/preferences"' in page
    assert "No message fits this filter" in client.get("/messages?seen=1").text
    assert "nothing further this way" in client.get("/messages?page=older~seen~1~1").text


def test_hostile_text_stays_text(site: Site, key: Any) -> None:
    send(site, key, HOSTILE)
    send(site, key, "with a body", body=HOSTILE)
    client = site.client(key)

    for path in ("/messages", "/messages/latest", "/messages/latest?widget=1", "/messages/1"):
        page = client.get(path).text
        assert "alert(1)" in page
        assert "<script>" not in page


@every_database
def test_nobody_reads_another_ones_messages(site: Site, key: Any) -> None:
    send(site, key, "for susan alone")
    other = site.client(site.add_user("david"))
    place = "page=older~unseen~1999999999.0~1999999999.0"

    for path in ("/messages", f"/messages?{place}", "/messages/latest", "/messages/latest?widget=1"):
        assert "for susan alone" not in other.get(path).text
    assert listed(other)["messages"] == []


def test_a_visitor_is_asked_to_log_in(site: Site) -> None:
    visitor = site.client()

    for path in ("/messages", "/messages/1", "/messages/latest", "/notifications/csrf"):
        refused: Any = visitor.get(path, headers=JSON)
        assert refused.status_code == 401, path
        assert "error" in refused.json
        assert visitor.get(path).status_code == 401, path


def test_a_visitor_is_led_to_the_applications_login_page(site: Site) -> None:
    site.app.add_url_rule("/log-in", "log_in", lambda: "")
    site.app.login_manager.login_view = "log_in"  # type: ignore[attr-defined]
    visitor = site.client()

    led, posted = visitor.get("/messages"), visitor.post("/messages/1/seen")

    assert led.location.startswith("/log-in?next=")
    assert (posted.status_code, posted.location) == (303, "/messages")


def test_no_page_is_stored(site: Site, key: Any) -> None:
    send(site, key, "a")
    client = site.client(key)

    for path in ("/messages", "/messages/1", "/messages/latest", "/notifications/csrf"):
        response = client.get(path, headers=JSON)
        assert response.headers["Cache-Control"] == "no-store", path
        assert {"Cookie", "Accept"} <= set(response.vary)


def test_an_application_puts_the_pages_into_its_own(site: Site, key: Any) -> None:
    base = "<title>{% block title %}{% endblock %} · Shop</title>{% block content %}{% endblock %}"
    site.app.jinja_loader = DictLoader({"base.html": base, "notify/layout.html": "{% extends 'base.html' %}"})

    page = site.client(key).get("/messages").text

    assert page.startswith("<title>Messages · Shop</title>")
    assert "Nothing here yet" in page


def test_the_pages_work_below_a_prefix_and_a_mount(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_URL_PREFIX="/live")
    key = site.add_user("susan")
    send(site, key, "a")
    page = site.client(key).get("/live/messages", environ_overrides={"SCRIPT_NAME": "/shop"}).text

    assert 'action="/shop/live/messages/seen"' in page
    assert hidden(page, "next") == ["/shop/live/messages"] * 2


def test_with_flask_babel_the_pages_speak_the_language_of_the_request(site: Site, key: Any) -> None:
    Babel(site.app, locale_selector=lambda: "de")
    clock = set_clock(site)
    send(site, key, "first")
    clock.advance(3 * 3600)

    page = site.client(key).get("/messages").text

    assert '<html lang="de" dir="ltr">' in page
    assert ">vor 3 Stunden</time>" in page
    assert "21.09.2026" in page


def test_an_error_page_is_the_applications_own(site: Site, key: Any) -> None:
    @site.app.errorhandler(404)
    def not_found(_: Exception) -> Response:
        return Response("ours", 404)

    assert site.client(key).get("/messages/77").text == "ours"
