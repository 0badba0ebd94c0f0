"""``GET /notifications?since=``: what a client is told, and in which form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.apps import Site
from tests.polls import NOON, items, names, newest, poll, set_clock, set_unread


@pytest.fixture
def key(site: Site) -> Any:
    return site.add_user("susan")


def test_a_poll_is_told_name_data_and_timestamp_oldest_first(site: Site, key: Any) -> None:
    first = site.emit(key, "progress", {"task": "export", "percent": 40})
    second = site.emit(key, "answer", 42)

    response = poll(site.client(key))

    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert response.json == [
        {"name": "progress", "data": {"task": "export", "percent": 40}, "timestamp": first},
        {"name": "answer", "data": 42, "timestamp": second},
    ]


def test_a_poll_on_every_kind_of_application_is_told_what_is_new(any_site: Site) -> None:
    susan, david = any_site.add_user("susan"), any_site.add_user("david")
    first = any_site.emit(susan, "a", 1)
    second = any_site.emit(susan, "b", 2)
    client = any_site.client(susan)

    assert items(client, first) == [{"name": "b", "data": 2, "timestamp": second}]
    assert items(client, second) == []
    assert items(any_site.client(david)) == []


VALUES: list[Any] = [None, True, 0, -1.5, 1.0, 2**70, 1e-300, [], {}, [1, [2, {"": None}]]]
VALUES += ["", "ä€😀\u2028\0", '</script>"\\', "x" * 60_000]
NAMES = ['"quoted"', "back\\slash", "ä€😀", "a\nb", "<b>", "x" * 128, "%s %(key)s ? :key", "''", "%", "\U0010ffff"]


def test_any_json_value_arrives_as_it_was_given(site: Site, key: Any) -> None:
    for number, value in enumerate(VALUES):
        site.emit(key, str(number), value)

    told = [item["data"] for item in items(site.client(key))]

    assert told == VALUES
    assert [type(value) for value in told] == [type(value) for value in VALUES]


def test_any_name_arrives_as_it_was_given(site: Site, key: Any) -> None:
    for name in NAMES:
        site.emit(key, name, 1)

    assert names(site.client(key)) == NAMES


def test_without_since_everything_is_told(site: Site, key: Any) -> None:
    site.emit(key, "a", 1)
    client = site.client(key)

    assert items(client) == items(client, "0") == items(client, "0.0") == items(client, "0e5")
    assert names(client) == ["a"]


def test_only_what_is_strictly_newer_is_told(site: Site, key: Any) -> None:
    first = site.emit(key, "a", 1)
    second = site.emit(key, "b", 2)
    client = site.client(key)

    assert names(client, first - 1e-6) == ["a", "b"]
    assert names(client, first) == ["b"]
    assert names(client, second) == []


def test_a_timestamp_survives_the_way_through_json_and_the_database(site: Site, key: Any) -> None:
    clock = set_clock(site)
    client = site.client(key)
    for step in (0.1, 1 / 3, 1e-6, 0.7000000001, 12345.678901234567):
        clock.advance(step)
        timestamp = site.emit(key, "a", step)

        assert newest(client) == timestamp
        assert items(client, timestamp) == []


def test_a_replaced_value_is_told_once_and_last(site: Site, key: Any) -> None:
    site.emit(key, "a", 1)
    site.emit(key, "b", 1)
    site.emit(key, "a", 2)

    assert [(item["name"], item["data"]) for item in items(site.client(key))] == [("b", 1), ("a", 2)]


def test_names_that_differ_in_case_or_accent_are_told_apart(site: Site, key: Any) -> None:
    for name in ("task", "Task", "täsk", "TASK"):
        site.emit(key, name, name)

    assert names(site.client(key)) == ["task", "Task", "täsk", "TASK"]


def test_values_of_one_transaction_are_told_in_the_order_of_the_calls(site: Site, key: Any) -> None:
    with site.app.app_context():
        for name in ("z", "a", "m"):
            site.user(key).add_notification(name, 1)
        site.db.session.commit()
    client = site.client(key)

    told = items(client)

    assert [item["name"] for item in told] == ["z", "a", "m"]
    assert names(client, told[0]["timestamp"]) == ["a", "m"]


def test_nobody_is_told_what_is_another_users(site: Site, key: Any) -> None:
    site.emit(key, "secret", 1)

    assert items(site.client(site.add_user("david"))) == []


def test_every_answer_steers_the_client(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_POLL_INTERVAL=2.5)
    key = site.add_user("susan")
    client = site.client(key)

    idle = poll(client)
    site.emit(key, "a", 1)
    busy = poll(client)

    for response in (idle, busy):
        assert response.headers["X-Poll-Interval"] == "2.5"
        assert "Cookie" in response.vary
        assert len(response.headers["X-Notify-User"]) == 16


def test_the_users_of_two_answers_are_told_apart_without_their_keys(site: Site, key: Any) -> None:
    david = site.add_user("david")

    def user(key: Any) -> Any:
        return poll(site.client(key)).headers["X-Notify-User"]

    assert user(key) == user(key)
    assert user(key) != user(david)


def test_news_is_stored_by_nobody_and_an_idle_answer_is_asked_for_again(site: Site, key: Any) -> None:
    timestamp = site.emit(key, "a", 1)
    client = site.client(key)

    news, idle = poll(client), poll(client, timestamp)

    assert news.headers["Cache-Control"] == "no-store"
    assert "ETag" not in news.headers
    assert set(idle.headers["Cache-Control"].split(", ")) == {"private", "no-cache"}
    assert idle.headers["ETag"].startswith('"')


def test_the_tutorials_protocol_ends_in_the_state_of_the_database(site: Site, key: Any) -> None:
    # Its client sets since to the timestamp of each item that it goes through.
    client, since, seen = site.client(key), 0.0, {}
    for round_ in range(5):
        for name in ("a", "b", "c")[: round_ % 3 + 1]:
            site.emit(key, name, round_)
        set_unread(site, key, round_)
        for item in items(client, since):
            seen[item["name"]] = item["data"]
            since = item["timestamp"]

    assert seen == {"a": 4, "b": 4, "c": 2, "unread_message_count": 4}
    assert items(client, since) == []


@pytest.mark.databases("sqlite")
def test_the_poll_is_where_the_prefix_says(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_URL_PREFIX="/live")
    client = site.client(site.add_user("susan"))

    assert poll(client, path="/live/notifications").json == []
    assert poll(client).status_code == 404


@pytest.mark.databases("sqlite")
def test_the_clock_of_the_tests_is_the_one_that_stamps(site: Site) -> None:
    set_clock(site)

    assert site.emit(site.add_user("susan"), "a", 1) == NOON
