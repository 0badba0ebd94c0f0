"""``POST /push-subscriptions``: for whom a browser takes pushes."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
from flask.testing import FlaskClient

from flask_notify.pushing.subscriptions import MOST
from tests.pushing.post_office import PostOffice
from tests.servers.push import Browser, encode
from tests.web.letterbox import JSON

sqlite = pytest.mark.databases("sqlite")


def token(client: FlaskClient) -> str:
    """Return a token, as a page asks for one."""
    return str(client.get("/notifications/csrf", headers=JSON).json["token"])  # type: ignore[index]


def post(client: FlaskClient, told: Any, path: str = "/push-subscriptions", **headers: str) -> Any:
    """Say something as the page's script does."""
    return client.post(path, json=told, headers={**JSON, "X-CSRFToken": token(client), **headers})


def endpoints(office: PostOffice, key: Any = None) -> list[str]:
    """Return the addresses of whoever has subscribed."""
    return [row.endpoint for row in office.subscribed(key)]


def test_a_browser_subscribes_and_is_pushed_to(office: PostOffice) -> None:
    susan = office.site.add_user("susan")
    browser = office.services[0].subscribe()

    answer = post(office.site.client(susan), browser.subscription)

    assert (answer.status_code, answer.json) == (201, {"success": True})
    assert answer.headers["Cache-Control"] == "no-store"
    office.send("Hello", susan)
    assert office.run() == {"sent": 1}
    assert browser.titles == ["Hello"]


def test_saying_it_again_changes_nothing_but_the_keys(office: PostOffice) -> None:
    susan = office.site.add_user("susan")
    client, browser = office.site.client(susan), office.services[0].subscribe()
    post(client, browser.subscription)
    office.send("Hello", susan)
    browser.auth = os.urandom(16)

    assert post(client, browser.subscription).status_code == 201

    assert endpoints(office) == [browser.endpoint]
    assert office.run() == {"sent": 1}
    assert browser.titles == ["Hello"]


def test_a_browser_is_of_whoever_subscribed_last(office: PostOffice) -> None:
    susan, bob = office.site.add_user("susan"), office.site.add_user("bob")
    browser = office.services[0].subscribe()

    for key in (susan, bob):
        assert post(office.site.client(key), browser.subscription).status_code == 201

    assert (endpoints(office, susan), endpoints(office, bob)) == ([], [browser.endpoint])


def test_a_browser_unsubscribes_for_its_own_account_only(office: PostOffice) -> None:
    (susan, (browser,)), bob = office.add("susan"), office.site.add_user("bob")
    told = {"endpoint": browser.endpoint}

    assert post(office.site.client(bob), told, "/push-subscriptions/remove").status_code == 204
    assert endpoints(office, susan) == [browser.endpoint]

    for _ in range(2):  # the second time it is no error
        answer = post(office.site.client(susan), told, "/push-subscriptions/remove")
        assert (answer.status_code, answer.data) == (204, b"")
    assert endpoints(office) == []


def test_the_browser_that_was_not_heard_of_for_longest_gives_way(office: PostOffice) -> None:
    susan, bob = office.site.add_user("susan"), office.site.add_user("bob")
    others = office.subscribe(bob)
    browsers = []
    for _ in range(MOST):
        browsers.append(office.subscribe(susan))
        office.ahead += 1
    office.tell(susan, browsers[0])
    office.ahead += 1

    newest = office.subscribe(susan)

    kept = [browsers[0], *browsers[2:], newest]
    assert sorted(endpoints(office, susan)) == sorted(browser.endpoint for browser in kept)
    assert endpoints(office, bob) == [others.endpoint]


def test_two_accounts_that_subscribe_at_the_same_time_both_succeed_and_one_has_it(office: PostOffice) -> None:
    keys = [office.site.add_user(f"user {number}") for number in range(4)]
    browsers = [office.services[0].subscribe() for _ in range(5)]
    barrier, failures = Barrier(len(keys)), []

    def subscribe_all(key: Any) -> None:
        for browser in browsers:
            barrier.wait(30)
            try:
                office.tell(key, browser)
            except Exception as error:
                failures.append(error)

    threads = [Thread(target=subscribe_all, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
    assert sorted(endpoints(office)) == sorted(browser.endpoint for browser in browsers)


@sqlite
def test_what_needs_a_login_says_so(office: PostOffice) -> None:
    client = office.site.client()
    for path in ("/push-subscriptions", "/push-subscriptions/remove"):
        answer = client.post(path, json=office.services[0].subscribe().subscription, headers=JSON)
        assert answer.status_code == 401
        assert "error" in (answer.json or {})
    assert endpoints(office) == []


@sqlite
def test_without_a_token_nothing_changes(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    client = office.site.client(susan)
    for headers in (JSON, {**JSON, "X-CSRFToken": "wrong"}):
        assert client.post("/push-subscriptions", json=browser.subscription, headers=headers).status_code == 400
        told = {"endpoint": browser.endpoint}
        assert client.post("/push-subscriptions/remove", json=told, headers=headers).status_code == 400
    assert endpoints(office) == [browser.endpoint]


@sqlite
def test_nothing_is_changed_by_get(office: PostOffice) -> None:
    susan, _ = office.add("susan")
    client = office.site.client(susan)
    for path in ("/push-subscriptions", "/push-subscriptions/remove"):
        assert client.get(path).status_code == 405


@sqlite
def test_a_page_that_was_made_for_another_account_subscribes_nobody(office: PostOffice) -> None:
    susan, bob = office.site.add_user("susan"), office.site.add_user("bob")
    alias = office.site.client(bob).get("/messages", headers=JSON).headers["X-Notify-User"]
    browser = office.services[0].subscribe()
    client = office.site.client(susan)

    refused = post(client, {**browser.subscription, "user": alias})

    assert (refused.status_code, endpoints(office)) == (409, [])
    mine = client.get("/messages", headers=JSON).headers["X-Notify-User"]
    assert post(client, {**browser.subscription, "user": mine}).status_code == 201


@sqlite
def test_a_site_without_web_push_says_so(open_office: Callable[..., PostOffice]) -> None:
    office = open_office(NOTIFY_VAPID_PRIVATE_KEY=None)
    susan = office.site.add_user("susan")

    answer = post(office.site.client(susan), office.services[0].subscribe().subscription)

    assert answer.status_code == 404
    assert "NOTIFY_VAPID_PRIVATE_KEY" in answer.json["error"]


KEYS: dict[str, Any] = Browser("https://localhost/x", None).subscription["keys"]
POINT_OFF_THE_CURVE = encode(b"\x04" + b"\x01" * 64)


@sqlite
@pytest.mark.parametrize(
    "change, said",
    [
        ({"endpoint": "http://localhost/x"}, "https address"),
        ({"endpoint": "https://example.org/x"}, "NOTIFY_PUSH_HOSTS"),
        ({"endpoint": None}, "must be a text"),
        ({"keys": None}, "must be a JSON object like"),
        ({"keys": {}}, "p256dh"),
        ({"keys": {**KEYS, "p256dh": "AAAA"}}, "p256dh must be a point of the curve P-256"),
        ({"keys": {**KEYS, "p256dh": POINT_OFF_THE_CURVE}}, "p256dh must be a point of the curve P-256"),
        ({"keys": {**KEYS, "p256dh": KEYS["p256dh"] + "!"}}, "p256dh"),
        ({"keys": {**KEYS, "p256dh": "A" * 10_000}}, "at most 8192 bytes"),
        ({"keys": {**KEYS, "p256dh": 12}}, "p256dh"),
        ({"keys": {**KEYS, "auth": encode(b"x" * 15)}}, "auth must be 16 bytes"),
        ({"keys": {**KEYS, "auth": encode(b"x" * 17)}}, "auth must be 16 bytes"),
        ({"keys": {**KEYS, "auth": "ÄÄÄÄ"}}, "auth must be 16 bytes"),
        ({"keys": {**KEYS, "auth": ["x"]}}, "auth must be 16 bytes"),
    ],
)
def test_what_no_push_service_gives_is_refused(office: PostOffice, change: dict[str, Any], said: str) -> None:
    susan = office.site.add_user("susan")
    browser = office.services[0].subscribe()

    answer = post(office.site.client(susan), {**browser.subscription, **change})

    assert answer.status_code == 400
    assert said in answer.json["error"]
    assert endpoints(office) == []


@sqlite
@pytest.mark.parametrize("told", [[], "text", 12, None])
def test_what_is_no_object_is_refused(office: PostOffice, told: Any) -> None:
    susan = office.site.add_user("susan")
    client = office.site.client(susan)

    for path in ("/push-subscriptions", "/push-subscriptions/remove"):
        assert post(client, told, path).status_code == 400
    assert post(client, {"endpoint": 12}, "/push-subscriptions/remove").status_code == 400


@sqlite
def test_keys_with_padding_are_taken_too(office: PostOffice) -> None:
    susan = office.site.add_user("susan")
    browser = office.services[0].subscribe()
    keys = {name: value + "=" * (-len(value) % 4) for name, value in browser.subscription["keys"].items()}

    assert post(office.site.client(susan), {"endpoint": browser.endpoint, "keys": keys}).status_code == 201

    office.send("Hello", susan)
    assert office.run() == {"sent": 1}
