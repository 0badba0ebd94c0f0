"""What a page asks for that nobody looks at, the worker that is served, and the test that users send themselves."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import render_template_string
from sqlalchemy import select

import flask_notify
from flask_notify import MessageType
from tests.apps import Site

from .letterbox import JSON, hidden, post, post_json, send, unseen

pytestmark = pytest.mark.databases("sqlite")
every_database = pytest.mark.databases("sqlite", "postgresql", "mariadb")
STATIC = Path(flask_notify.__file__).parent / "static"


class Alarm(MessageType):
    """One that cannot be masked."""

    critical = True

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return "Fire"


@pytest.fixture
def key(site: Site) -> Any:
    """The key of a recipient; /home shows them what pages have for it."""
    page = "{{ notify_desktop_button() }}|{{ notify_desktop_button(always=true) }}|{{ notify_test_button() }}"
    page += "|{{ notify_desktop_script() }}"
    site.app.add_url_rule("/home", "home", lambda: render_template_string(page))
    site.notify.message_type(Alarm)
    return site.add_user("susan")


def ask(site: Site, key: Any, **query: Any) -> dict[str, Any]:
    """Return what a page is told to show."""
    response: Any = site.client(key).get("/notifications/desktop", query_string=query, headers=JSON)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json
    return answer


def titles(answer: dict[str, Any]) -> list[str]:
    """Return what the notifications are called."""
    return [note["title"] for note in answer["notes"]]


def prefer(site: Site, key: Any, **settings: Any) -> None:
    """Set what a user prefers."""
    with site.app.app_context():
        site.user(key).set_notify_preferences(**settings)
        site.db.session.commit()


# What is shown


@every_database
def test_what_came_since_is_told_oldest_first(site: Site, key: Any) -> None:
    send(site, key, "old")
    since = ask(site, key, since=0)["cursor"]
    first, second = send(site, key, "first", "second", body="Some\n\ntext.")

    answer = ask(site, key, since=since)

    assert answer["notes"] == [
        {"title": "first", "body": "Some text.", "url": f"/messages/{first}", "tag": f"notify-message-{first}"},
        {"title": "second", "body": "Some text.", "url": f"/messages/{second}", "tag": f"notify-message-{second}"},
    ]
    assert answer["unseen_count"] == 3
    assert titles(ask(site, key, since=answer["cursor"])) == []


def test_more_than_three_are_summed_up(site: Site, key: Any) -> None:
    send(site, key, *"abc")
    assert titles(ask(site, key, since=0)) == ["a", "b", "c"]

    send(site, key, "d")

    (note,) = ask(site, key, since=0)["notes"]
    assert note == {"title": "4 new messages", "body": "", "url": "/messages", "tag": "notify-messages"}


def test_a_long_text_is_cut(site: Site, key: Any) -> None:
    send(site, key, "long", body="word " * 100)

    (note,) = ask(site, key, since=0)["notes"]

    assert len(note["body"]) <= 240
    assert note["body"].endswith("word…")


def test_what_was_seen_is_not_told(site: Site, key: Any) -> None:
    first, second = send(site, key, "first", "second")
    post(site.client(key), f"/messages/{first}/seen")

    answer = ask(site, key, since=0, shown=f"{first},{second}")

    assert titles(answer) == ["second"]
    assert answer["unseen"] == [second]


def test_nothing_is_told_of_others(site: Site, key: Any) -> None:
    (others,) = send(site, site.add_user("bob"), "for bob")

    answer = ask(site, key, since=0, shown=others)

    assert (answer["notes"], answer["unseen"], answer["unseen_count"]) == ([], [], 0)


@every_database
@pytest.mark.parametrize("settings", [{"muted": True}, {"desktop": False}])
def test_who_wants_none_is_told_of_what_is_critical_alone(site: Site, key: Any, settings: dict[str, bool]) -> None:
    prefer(site, key, **settings)
    send(site, key, "news")
    with site.app.app_context():
        site.notify.send(Alarm(), to=site.user(key))
        site.db.session.commit()

    assert titles(ask(site, key, since=0)) == ["Fire"]


@pytest.mark.parametrize("query", [{}, {"since": "nan"}, {"since": "-1"}, {"since": "x"}, {"since": "9" * 400}])
def test_a_time_that_is_none_is_refused(site: Site, key: Any, query: dict[str, str]) -> None:
    response: Any = site.client(key).get("/notifications/desktop", query_string=query, headers=JSON)

    assert response.status_code == 400
    assert "since must be one finite number" in response.json["error"]


@pytest.mark.parametrize("shown", ["x", "1,", "1,,2", "-1", ",".join(["1"] * 51), "1 or 1=1"])
def test_keys_that_are_none_are_refused(site: Site, key: Any, shown: str) -> None:
    response: Any = site.client(key).get(
        "/notifications/desktop", query_string={"since": 0, "shown": shown}, headers=JSON
    )

    assert response.status_code == 400
    assert "shown must be up to 50 keys" in response.json["error"]


def test_visitors_are_told_nothing(site: Site) -> None:
    response: Any = site.client().get("/notifications/desktop?since=0", headers=JSON)

    assert response.status_code == 401


# The test


@every_database
def test_a_test_is_a_message_to_oneself_without_a_mail(site: Site, key: Any) -> None:
    client = site.client(key)

    answer = post_json(client, "/notifications/test")

    assert answer.json["success"]
    assert answer.json["note"]["title"] == "A test notification"
    assert unseen(site, key) == {"A test notification"}
    with site.app.app_context():
        (message,) = site.user(key).messages_received
        assert (message.mail_due_at, message.mail_mode) == (None, "never")


def test_without_a_script_a_test_leads_back(site: Site, key: Any) -> None:
    answer = post(site.client(key), "/notifications/test", {"next": "/home"})

    assert (answer.status_code, answer.location) == (303, "/home")


def test_a_test_needs_a_token(site: Site, key: Any) -> None:
    client = site.client(key)

    assert client.post("/notifications/test").status_code == 400
    assert client.get("/notifications/test").status_code == 405
    assert unseen(site, key) == set()


# The worker and the elements


def test_the_worker_may_serve_the_whole_application_and_is_asked_for_anew(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_URL_PREFIX="/inbox")

    with site.client().get("/inbox/notify-worker.js?of=x", base_url="http://localhost/app") as response:
        assert response.status_code == 200
        assert response.mimetype == "text/javascript"
        assert response.headers["Service-Worker-Allowed"] == "/app/"
        assert response.headers["Cache-Control"] == "no-cache"


def parts(site: Site, key: Any) -> list[str]:
    """Return what a page has for it."""
    return str(site.client(key).get("/home").text).split("|")


def test_nothing_is_shown_before_the_script_knows_the_browser(site: Site, key: Any) -> None:
    offered, always, _, _ = parts(site, key)

    assert re.match(r"<div [^>]*data-notify-desktop-button[^>]* hidden>", offered)
    assert re.match(r"<div [^>]*data-always[^>]* hidden>", always)
    assert "Never ask again" in offered
    assert "Never ask again" not in always


@pytest.mark.usefixtures("key")
def test_visitors_get_the_script_alone(site: Site) -> None:
    *rest, script = parts(site, None)

    assert rest == ["", "", ""]
    assert 'data-of=""' in script


def test_the_script_knows_whose_page_it_is_and_whether_to_be_quiet(site: Site, key: Any) -> None:
    script = parts(site, key)[3]
    assert re.search(r'data-of="[\w-]+"', script)
    assert "data-quiet" not in script

    prefer(site, key, muted=True)

    assert "data-quiet" in parts(site, key)[3]


def test_the_button_for_a_test_has_a_token_and_leads_back(site: Site, key: Any) -> None:
    button = parts(site, key)[2]

    assert hidden(button, "csrf_token")
    assert hidden(button, "next") == ["/home"]


# Browser messages


def live(site: Site, key: Any) -> list[Any]:
    """Return a user's browser messages, with the seconds that they have left."""
    Notification = site.notify.Notification
    with site.app.app_context():
        mine = select(Notification).where(Notification.recipient_id == key)
        return [(value.payload, value.expires_at - value.timestamp) for value in site.db.session.scalars(mine)]


@every_database
def test_a_browser_message_is_a_value_that_is_soon_gone(site: Site, key: Any) -> None:
    with site.app.app_context():
        site.user(key).send_browser_message("Tea", "is <b>ready</b>", "/kitchen")
        site.db.session.commit()

    ((data, left),) = live(site, key)
    assert {**data, "id": ""} == {"id": "", "subject": "Tea", "body": "is <b>ready</b>", "url": "/kitchen"}
    assert re.fullmatch(r"[0-9a-f]{32}", data["id"])
    assert left == pytest.approx(60, abs=1)
    assert unseen(site, key) == set()


def test_a_browser_message_is_gone_with_a_rollback(site: Site, key: Any) -> None:
    with site.app.app_context():
        site.user(key).send_browser_message("Tea")
        site.db.session.rollback()

    assert live(site, key) == []


@pytest.mark.parametrize("arguments", [("",), ("x" * 256,), ("x", "y", "javascript:alert(1)"), ("x", "y\0")])
def test_a_browser_message_that_no_page_should_show_is_refused(site: Site, key: Any, arguments: Any) -> None:
    with site.app.app_context(), pytest.raises(flask_notify.NotifyError):
        site.user(key).send_browser_message(*arguments)


@every_database
def test_everybody_gets_a_browser_message_for_all(site: Site, key: Any) -> None:
    bob = site.add_user("bob")

    with site.app.app_context():
        assert site.notify.send_browser_message_for_all_users("Back at ten") == 2
        site.db.session.commit()

    assert [data["subject"] for user in (key, bob) for data, _ in live(site, user)] == ["Back at ten"] * 2


# The files


def test_the_script_is_at_most_4_kilobytes_over_the_wire() -> None:
    assert len(gzip.compress((STATIC / "notify-desktop.js").read_bytes(), compresslevel=6)) <= 4_096


def test_the_worker_is_at_most_2_kilobytes_over_the_wire() -> None:
    assert len(gzip.compress((STATIC / "notify-worker.js").read_bytes(), compresslevel=6)) <= 2_048


@pytest.mark.parametrize("name", ["notify-desktop.js", "notify-worker.js"])
def test_neither_makes_html_of_data_nor_loads_anything_from_elsewhere(name: str) -> None:
    text = (STATIC / name).read_text()

    assert not re.search(r"^import|require\(|importScripts|https?://", text, re.MULTILINE)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(|DOMParser", text)


def test_the_worker_neither_caches_nor_stands_between_a_page_and_its_server() -> None:
    text = (STATIC / "notify-worker.js").read_text()

    assert not re.search(r'caches|"fetch"|onfetch', text)
