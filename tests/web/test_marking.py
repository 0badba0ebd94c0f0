"""`POST /messages/…/seen` and `/unseen`: one's own messages, by POST with a token, in few statements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask_wtf.csrf import CSRFProtect

from tests.apps import Site
from tests.recording import recorded
from tests.servers import Database

from .letterbox import JSON, hidden, listed, post, post_json, send, token, unseen

pytestmark = pytest.mark.databases("sqlite")
every_database = pytest.mark.databases("sqlite", "postgresql", "mariadb")


@pytest.fixture
def key(site: Site) -> Any:
    return site.add_user("susan")


@every_database
def test_a_message_is_marked_seen_and_unseen_again(site: Site, key: Any) -> None:
    first, _ = send(site, key, "first", "second")
    client = site.client(key)

    seen = post_json(client, f"/messages/{first}/seen")
    after_seen = unseen(site, key)
    again = post_json(client, f"/messages/{first}/unseen")

    assert (seen.json["changed"], seen.json["unseen_count"]) == (1, 1)
    assert after_seen == {"second"}
    assert (again.json["changed"], again.json["unseen_count"]) == (1, 2)
    assert unseen(site, key) == {"first", "second"}
    assert again.json["cursor"] > seen.json["cursor"]


def test_a_browser_without_a_script_is_led_back(site: Site, key: Any) -> None:
    (number,) = send(site, key, "first")
    client = site.client(key)

    led = post(client, f"/messages/{number}/seen", {"next": "/messages?seen=0"})

    assert (led.status_code, led.location) == (303, "/messages?seen=0")
    assert post(client, f"/messages/{number}/seen").location == "/messages"


def test_nobody_is_led_to_another_site(site: Site, key: Any) -> None:
    (number,) = send(site, key, "first")
    client = site.client(key)
    elsewhere = ["//evil.example/", "https://evil.example/", "http:///evil.example", "///evil.example", "evil"]
    elsewhere += ["/\\evil.example", "\\\\evil.example", "/\t/evil.example", " //evil.example", "/a\r\nX: y"]
    elsewhere += ["javascript:alert(1)"]

    for path in elsewhere:
        assert post(client, f"/messages/{number}/seen", {"next": path}).location == "/messages", path


@every_database
def test_what_is_so_already_is_refused_quietly(site: Site, key: Any) -> None:
    (number,) = send(site, key, "first")
    client = site.client(key)

    for state, left in (("unseen", {"first"}), ("seen", set())):
        post(client, f"/messages/{number}/{state}")
        again = post_json(client, f"/messages/{number}/{state}")

        assert (again.status_code, again.json["changed"]) == (200, 0)
        assert post(client, f"/messages/{number}/{state}").status_code == 303
        assert unseen(site, key) == left


@every_database
def test_another_ones_message_is_not_found_and_stays_as_it_is(site: Site, key: Any) -> None:
    (number,) = send(site, key, "for susan")
    david = site.add_user("david")
    (own,) = send(site, david, "for david")
    client = site.client(david)

    refused = [
        post_json(client, f"/messages/{number}/seen"),
        post_json(client, f"/messages/{number}/unseen"),
        post_json(client, "/messages/seen", {"ids": [own, number]}),
        post_json(client, "/messages/77/seen"),
        post_json(client, "/messages/seen", {"ids": ["999999999999999999"]}),
    ]

    assert [answer.status_code for answer in refused] == [404] * 5
    assert refused[0].json == refused[3].json  # as if there were none
    assert unseen(site, key) == {"for susan"}
    assert unseen(site, david) == {"for david"}


@every_database
def test_some_are_marked_by_their_keys(site: Site, key: Any) -> None:
    first, second, _ = send(site, key, "first", "second", "third")

    answer = post_json(site.client(key), "/messages/seen", {"ids": [first, second, first]})

    assert answer.json["changed"] == 2
    assert unseen(site, key) == {"third"}


@every_database
def test_all_are_marked_up_to_what_was_shown_and_nothing_that_came_since(site: Site, key: Any) -> None:
    send(site, key, "first", "second")
    client = site.client(key)
    shown = listed(client)["cursor"]
    send(site, key, "third")

    answer = post_json(client, "/messages/seen", {"until": repr(shown)})

    assert (answer.json["changed"], answer.json["unseen_count"]) == (2, 1)
    assert unseen(site, key) == {"third"}


def test_what_says_neither_how_far_nor_which_is_refused(site: Site, key: Any) -> None:
    send(site, key, "first")
    client = site.client(key)
    wrong: list[dict[str, Any]] = [{"until": text} for text in ("", "nan", "inf", "-1", "1e400", "x", ["1", "2"])]
    wrong += [{"ids": text} for text in ("", "x", ["1", "-2"], ["1"] * 1001, "9" * 19)]

    for data in [{}, {"ids": "1", "until": "1"}, *wrong]:
        refused = post_json(client, "/messages/seen", data)
        assert refused.status_code == 400, data
        assert "until=<cursor>" in refused.json["error"]
    assert unseen(site, key) == {"first"}


@every_database
@pytest.mark.parametrize("how", ["until", "ids"])
def test_marking_takes_as_many_statements_however_many_there_are(
    site: Site, database: Database, key: Any, how: str
) -> None:
    client = site.client(key)

    def mark(count: int) -> int:
        numbers = send(site, key, *map(str, range(count)))
        csrf = token(client)
        data = {"until": "1e11"} if how == "until" else {"ids": numbers}
        with recorded(database, site) as statements:
            answer = client.post("/messages/seen", data={"csrf_token": csrf, **data})
        assert answer.status_code == 303
        assert unseen(site, key) == set()
        return len([said for said in statements if "notify_" in said])

    few, many = mark(2), mark(12)

    # One of them asks whether all keys are one's own.
    assert few == many <= (4 if how == "until" else 5)


def test_nothing_is_changed_by_get_or_by_a_visitor(site: Site, key: Any) -> None:
    client, visitor = site.client(key), site.client()

    for path in PATHS:
        assert client.get(path).status_code == 405, path
        assert visitor.post(path, headers=JSON).status_code == 401, path


# Cross-site request forgery

PATHS = ["/messages/1/seen", "/messages/1/unseen", "/messages/seen", "/messages/widget", "/senders/david/block"]


@pytest.fixture(params=["alone", "with CSRFProtect", "exempted from CSRFProtect"])
def guarded(request: pytest.FixtureRequest, site: Site, key: Any) -> Site:  # noqa: ARG001  # susan is stored first
    """Applications that check by themselves, and that do not."""
    site.add_user("david")
    if request.param != "alone":
        protect = CSRFProtect(site.app)
        protect.exempt("tests.apps.login")  # the tests log in without a token
        if request.param.startswith("exempted"):
            protect.exempt(site.app.blueprints["notify"])
    return site


def test_a_post_without_a_good_token_changes_nothing(guarded: Site, key: Any) -> None:
    send(guarded, key, "first")
    client = guarded.client(key)
    token(client)

    for path in PATHS:
        for sent in ({}, {"csrf_token": ""}, {"csrf_token": "forged"}):
            data = {"until": "1e11", "hidden": "1", **sent}
            assert client.post(path, data=data).status_code == 400, (path, sent)
            assert client.post(path, data=data, headers=JSON).status_code == 400, (path, sent)
    assert unseen(guarded, key) == {"first"}


def test_a_post_with_a_token_is_taken(guarded: Site, key: Any) -> None:
    send(guarded, key, "first")
    client = guarded.client(key)

    for path in PATHS:
        data = {"until": "1e11"} if path == "/messages/seen" else {"hidden": "1"}
        assert post(client, path, data).status_code == 303, path
        assert post_json(client, path, data).status_code == 200, path


def test_a_token_may_come_in_a_header(guarded: Site, key: Any) -> None:
    (number,) = send(guarded, key, "first")
    client = guarded.client(key)

    taken = client.post(f"/messages/{number}/seen", headers={**JSON, "X-CSRFToken": token(client)})

    assert taken.status_code == 200


def test_the_token_of_another_session_is_worth_nothing(site: Site, key: Any) -> None:
    (number,) = send(site, key, "first")
    theirs = token(site.client(site.add_user("david")))
    client = site.client(key)
    token(client)

    assert client.post(f"/messages/{number}/seen", data={"csrf_token": theirs}).status_code == 400


def test_a_form_that_was_made_for_another_account_changes_nothing(site: Site, key: Any) -> None:
    david = site.add_user("david")
    send(site, key, "for susan")
    send(site, david, "for david")
    client = site.client(key)
    (hers, *_) = hidden(client.get("/messages").text, "notify_user")
    client.post(f"/login/{david}")

    for path in ["/messages/2/seen", *PATHS]:
        refused = post_json(client, path, {"until": "1e11", "hidden": "1", "notify_user": hers})
        assert refused.status_code == 409, path
        assert "another account" in refused.json["error"]
    assert unseen(site, david) == {"for david"}


def test_a_token_that_has_expired_is_refused_and_a_new_one_taken(site: Site, key: Any) -> None:
    (number,) = send(site, key, "first")
    client = site.client(key)
    old = token(client)
    site.app.config["WTF_CSRF_TIME_LIMIT"] = -1
    refused: Any = client.post(f"/messages/{number}/seen", data={"csrf_token": old}, headers=JSON)
    site.app.config["WTF_CSRF_TIME_LIMIT"] = 3600

    assert refused.status_code == 400
    assert "expired" in refused.json["error"]
    assert post(client, f"/messages/{number}/seen").status_code == 303


def test_a_token_is_for_the_pages_of_this_site(site: Site, key: Any) -> None:
    client = site.client(key)

    told: Any = client.get("/notifications/csrf", headers={**JSON, "Sec-Fetch-Site": "same-origin"})
    refused: Any = client.get("/notifications/csrf", headers={**JSON, "Sec-Fetch-Site": "cross-site"})

    assert told.json["field"] == "csrf_token"
    assert refused.status_code == 403


def test_an_application_that_switches_the_check_off_has_none(build: Callable[..., Site]) -> None:
    site = build(WTF_CSRF_ENABLED=False)
    key = site.add_user("susan")
    (number,) = send(site, key, "first")

    assert site.client(key).post(f"/messages/{number}/seen").status_code == 303
    assert unseen(site, key) == set()
