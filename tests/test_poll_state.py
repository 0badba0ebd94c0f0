"""A client that polls ends in the state of the database: expiry, removal, reset, and commits in between."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from flask_notify.live import polling
from tests.apps import Site
from tests.polls import items, names, newest, poll, set_clock, set_unread

HOUR = 3600


@pytest.fixture
def key(site: Site) -> Any:
    return site.add_user("susan")


# What expires, what is removed


def test_a_value_that_expires_says_in_how_many_seconds(site: Site, key: Any) -> None:
    clock = set_clock(site)
    site.emit(key, "a", 1, expires_in=60)
    clock.advance(15)

    (item,) = items(site.client(key))

    assert item["expires_in"] == pytest.approx(45)


def test_a_value_past_its_time_is_gone_at_once(site: Site, key: Any) -> None:
    clock = set_clock(site)
    site.emit(key, "a", 1, expires_in=60)
    client = site.client(key)
    clock.advance(60)

    assert names(client) == []


def test_an_expired_value_that_replaced_another_is_told_as_removed(site: Site, key: Any) -> None:
    clock = set_clock(site)
    since = site.emit(key, "a", 1)
    timestamp = site.emit(key, "a", 2, expires_in=60)
    clock.advance(61)

    assert items(site.client(key), since) == [{"name": "a", "data": None, "timestamp": timestamp, "removed": True}]


def test_a_removal_is_told_and_left_out_of_the_whole_state(site: Site, key: Any) -> None:
    since = site.emit(key, "a", 1)
    site.emit(key, "b", 1)
    site.remove(key, "a")
    client = site.client(key)

    (_, removal) = items(client, since)

    assert {**removal, "timestamp": 0} == {"name": "a", "data": None, "timestamp": 0, "removed": True}
    assert removal["timestamp"] > since
    assert names(client) == ["b"]


def test_a_value_given_again_after_its_removal_is_a_value(site: Site, key: Any) -> None:
    since = site.emit(key, "a", 1, expires_in=60)
    site.remove(key, "a")
    timestamp = site.emit(key, "a", 2)

    assert items(site.client(key), since) == [{"name": "a", "data": 2, "timestamp": timestamp}]


def test_after_a_whole_state_without_the_newest_name_a_client_is_at_the_cursor(site: Site, key: Any) -> None:
    # Were it not, it would lag behind for ever, and be reset when its since is old enough.
    clock = set_clock(site)
    site.emit(key, "a", 1)
    site.emit(key, "b", 1)
    site.remove(key, "b")
    client = site.client(key)
    since = newest(client)
    clock.advance(100 * HOUR)

    response = poll(client, since)

    assert response.json == []
    assert "X-Notify-Reset" not in response.headers


# Clients that were away for too long, and databases that were restored


def test_a_client_that_was_away_longer_than_removals_are_told_is_reset(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_TOMBSTONE_AGE=HOUR)
    key, clock = site.add_user("susan"), set_clock(site)
    since = site.emit(key, "a", 1)
    clock.advance(1)
    site.emit(key, "b", 1)
    site.remove(key, "a")
    client = site.client(key)

    in_time = poll(client, since)
    clock.advance(HOUR)
    too_late = poll(client, since)

    assert "X-Notify-Reset" not in in_time.headers
    assert too_late.headers["X-Notify-Reset"] == "1"
    assert "b" in [item["name"] for item in too_late.json]
    assert not any(item.get("removed") for item in too_late.json)
    assert too_late.headers["Cache-Control"] == "no-store"
    assert "ETag" not in too_late.headers


def test_a_client_that_was_reset_is_not_reset_again(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_TOMBSTONE_AGE=HOUR)
    key, clock = site.add_user("susan"), set_clock(site)
    since = site.emit(key, "a", 1)
    clock.advance(1)
    site.remove(key, "a")
    clock.advance(2 * HOUR)
    client = site.client(key)

    reset = poll(client, since)
    again = poll(client, max(item["timestamp"] for item in reset.json))

    assert reset.headers["X-Notify-Reset"] == "1"
    assert again.json == []
    assert "X-Notify-Reset" not in again.headers


def test_a_client_that_saw_the_newest_is_never_reset_by_age(site: Site, key: Any) -> None:
    clock = set_clock(site)
    since = site.emit(key, "a", 1)
    clock.advance(1000 * HOUR)

    response = poll(site.client(key), since)

    assert response.json == []
    assert "X-Notify-Reset" not in response.headers


def test_a_since_ahead_of_the_cursor_gets_the_whole_state(site: Site, key: Any) -> None:
    timestamp = site.emit(key, "a", 1)
    client = site.client(key)

    response = poll(client, timestamp + 5)

    assert response.json == [{"name": "a", "data": 1, "timestamp": timestamp}]
    assert response.headers["X-Notify-Reset"] == "1"
    assert names(client, "1e300") == ["a"]


def test_a_since_of_a_user_who_was_never_told_anything_is_reset_to_nothing(site: Site, key: Any) -> None:
    response = poll(site.client(key), "5")

    assert response.json == []
    assert response.headers["X-Notify-Reset"] == "1"
    assert "ETag" not in response.headers


def test_after_reset_cursors_every_client_hears_the_whole_state_once(site: Site, key: Any) -> None:
    david = site.add_user("david")
    site.emit(key, "a", 1)
    since = site.emit(key, "b", 2)
    clients = {key: site.client(key), david: site.client(david)}
    assert items(clients[key], since) == []

    outcome = site.app.test_cli_runner().invoke(args=["notify", "reset-cursors"])

    assert outcome.exit_code == 0, outcome.output
    told = poll(clients[key], since)
    assert told.headers["X-Notify-Reset"] == "1"
    assert {"a", "b"} <= {item["name"] for item in told.json}
    after = poll(clients[key], max(item["timestamp"] for item in told.json))
    assert after.json == []
    assert "X-Notify-Reset" not in after.headers


def test_a_restored_database_brings_old_values_back_to_the_page(site: Site, key: Any) -> None:
    clock = set_clock(site)
    site.emit(key, "a", "of the backup")
    backup = _dump(site)
    clock.advance(60)
    since = site.emit(key, "a", "lost")
    _restore(site, backup)
    clock.advance(60)
    site.app.test_cli_runner().invoke(args=["notify", "reset-cursors"])

    told = {item["name"]: item["data"] for item in items(site.client(key), since)}

    assert told["a"] == "of the backup"


def _dump(site: Site) -> list[tuple[Any, list[dict[str, Any]]]]:
    models = site.notify.models
    with site.app.app_context():
        return [
            (table, [dict(row) for row in site.db.session.execute(table.select()).mappings()])
            for table in (models.inbox, models.notification)
        ]


def _restore(site: Site, backup: list[tuple[Any, list[dict[str, Any]]]]) -> None:
    with site.app.app_context():
        for table, _ in reversed(backup):
            site.db.session.execute(table.delete())
        for table, rows in backup:
            site.db.session.execute(table.insert(), rows)
        site.db.session.commit()


# The count of unseen messages


def test_the_count_of_unseen_messages_is_told_from_the_inbox(site: Site, key: Any) -> None:
    since = site.emit(key, "a", 1)
    cursor = set_unread(site, key, 3)
    client = site.client(key)

    assert items(client, since) == [{"name": "unread_message_count", "data": 3, "timestamp": cursor}]
    assert items(client, cursor) == []


def test_a_value_after_the_count_does_not_repeat_it(site: Site, key: Any) -> None:
    cursor = set_unread(site, key, 3)
    timestamp = site.emit(key, "a", 1)

    assert items(site.client(key), cursor) == [{"name": "a", "data": 1, "timestamp": timestamp}]


def test_the_count_is_told_once_where_the_application_writes_it_itself(site: Site, key: Any) -> None:
    cursor = set_unread(site, key, 3)
    with site.app.app_context():
        user = site.user(key)
        with pytest.warns(UserWarning, match="unread_message_count"):
            user.add_notification("unread_message_count", 99)
        site.db.session.commit()

    assert items(site.client(key)) == [{"name": "unread_message_count", "data": 3, "timestamp": cursor}]


class CommittingBetween:
    """A database cursor that lets somebody else commit before its second statement."""

    def __init__(self, cursor: Any, commit: Callable[[], object]) -> None:
        self._cursor = cursor
        self._before: list[Callable[[], object]] = [commit, lambda: None]

    def execute(self, *arguments: Any) -> None:
        """Run a statement; before the second one, commit."""
        self._before.pop()()
        self._cursor.execute(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def _read_while(site: Site, key: Any, since: float, commit: Callable[[], object]) -> polling.Answer:
    with site.app.app_context():
        engine = site.db.engine
    with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        return polling.read(
            CommittingBetween(cursor, commit),
            engine,
            site.notify.models,
            key,
            since=since,
            now=site.notify.clock(),
            tombstone_age=HOUR,
        )


@pytest.mark.parametrize("since", ["nothing", "a value"])
def test_a_count_that_commits_between_the_two_reads_is_told_by_the_next_poll(site: Site, key: Any, since: str) -> None:
    start = site.emit(key, "a", 1)
    site.emit(key, "b", 1)

    def commit() -> None:
        set_unread(site, key, 7)
        site.emit(key, "c", 1)

    answer = _read_while(site, key, 0.0 if since == "nothing" else start, commit)
    told = [(item.name, item.data) for item in answer.items]
    after = items(site.client(key), max(item.timestamp for item in answer.items))

    assert ("unread_message_count", "7") not in told
    assert {item["name"]: item["data"] for item in after} == {"unread_message_count": 7, "c": 1}


def test_a_value_replaced_between_the_two_reads_is_told_by_the_next_poll(site: Site, key: Any) -> None:
    since = site.emit(key, "a", 1)
    site.emit(key, "a", 2)

    answer = _read_while(site, key, since, lambda: site.emit(key, "a", 3))

    assert answer.items == []
    assert [item["data"] for item in items(site.client(key), since)] == [3]


def test_an_answer_never_reaches_past_the_cursor_that_was_read(site: Site, key: Any) -> None:
    since = site.emit(key, "a", 1)
    cursor = site.emit(key, "b", 1)

    answer = _read_while(site, key, since, lambda: site.emit(key, "c", 1))

    assert answer.cursor == cursor
    assert [item.name for item in answer.items] == ["b"]
