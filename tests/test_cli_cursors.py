"""``flask notify …`` and what ``flask shell`` has at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.cli import shell_command
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from tests.apps import Site
from tests.servers import Database

MORE_THAN_A_BATCH = 2_001


def run(site: Site, *arguments: str) -> str:
    """Run ``flask notify …``, which has to work, and return what it printed."""
    result = site.app.test_cli_runner().invoke(args=["notify", *arguments])
    assert result.exit_code == 0, (result.output, result.exc_info)
    assert result.stderr == ""
    return result.stdout


def poll(client: FlaskClient, since: float) -> tuple[dict[str, Any], bool]:
    """Return the values that a poll tells by their names, and whether the client has to drop all others."""
    answer = client.get("/notifications", query_string={"since": repr(since)})
    assert answer.status_code == 200
    return {item["name"]: item["data"] for item in answer.json or []}, "X-Notify-Reset" in answer.headers


@pytest.mark.databases("sqlite")
def test_the_path_of_the_migrations_is_all_that_is_printed(site: Site) -> None:
    path = run(site, "migrations-path")

    assert path.endswith("\n")
    directory = Path(path[:-1])
    assert (directory / "alembic.ini").is_file()
    assert (directory / "versions" / "0001_live_notifications.py").is_file()


def test_resetting_makes_every_client_hear_the_whole_state_again(any_site: Site) -> None:
    recipients = [any_site.add_user(name) for name in ("susan", "miguel")]
    seen = {key: any_site.emit(key, "progress", 1) for key in recipients}
    clients = {key: any_site.client(key) for key in recipients}
    assert [poll(clients[key], seen[key]) for key in recipients] == [({}, False)] * 2

    assert "Inboxes" in run(any_site, "reset-cursors")

    for key in recipients:
        values, reset = poll(clients[key], seen[key])
        assert values["progress"] == 1
        assert reset


def test_a_client_that_heard_the_state_of_a_restored_database_is_told_of_the_next_change(any_site: Site) -> None:
    susan = any_site.add_user("susan")
    any_site.emit(susan, "progress", 1)
    run(any_site, "reset-cursors")
    client = any_site.client(susan)
    answer = client.get("/notifications?since=1")
    since = max(item["timestamp"] for item in answer.json or [])

    assert poll(client, since) == ({}, False)

    any_site.emit(susan, "progress", 2)
    assert poll(client, since) == ({"progress": 2}, False)


@pytest.mark.parametrize("key", ["integer", "uuid", "string"])
def test_resetting_reaches_every_inbox(build: Callable[..., Site], key: str) -> None:
    site = build(key=key)
    user, inbox = site.User.__table__, site.notify.models.inbox
    make = user.c.id.default.arg if user.c.id.default else None
    keys = [make(None) if make else number for number in range(1, MORE_THAN_A_BATCH + 1)]
    with site.app.app_context(), site.db.engine.begin() as connection:
        connection.execute(insert(user), [{"id": key} for key in keys])
        connection.execute(insert(inbox), [{"recipient_id": key} for key in keys])
        connection.execute(update(inbox).values(cursor=5e9).where(inbox.c.recipient_id == keys[0]))

    run(site, "reset-cursors")

    with site.app.app_context(), site.db.engine.connect() as connection:
        cursors = connection.execute(select(inbox.c.recipient_id, inbox.c.cursor, inbox.c.reset_cursor)).all()
    assert len(cursors) == MORE_THAN_A_BATCH
    assert all(cursor == reset_cursor for _, cursor, reset_cursor in cursors)
    assert min(cursor for _, cursor, _ in cursors) > 0
    assert max(cursor for _, cursor, _ in cursors) > 5e9


def test_resetting_where_nobody_is_does_nothing(site: Site) -> None:
    run(site, "reset-cursors")


def test_resetting_where_the_users_are_in_a_bind(build: Callable[..., Site], database: Database) -> None:
    site = build(attributes={"__bind_key__": "people"}, SQLALCHEMY_BINDS={"people": database.url})
    susan = site.add_user("susan")
    since = site.emit(susan, "progress", 1)

    run(site, "reset-cursors")

    assert poll(site.client(susan), since)[1]


@pytest.mark.databases("sqlite")
def test_the_models_are_at_hand_in_the_shell(site: Site) -> None:
    susan = site.add_user("susan")
    site.emit(susan, "progress", 1)

    with site.app.app_context():
        context = site.app.make_shell_context()

        assert context["notify"] is site.notify
        [notification] = site.db.session.scalars(select(context["NotifyNotification"]))
        [inbox] = site.db.session.scalars(select(context["NotifyInbox"]))
    assert (notification.name, notification.payload) == ("progress", 1)
    assert inbox.cursor == notification.timestamp


@pytest.mark.databases("sqlite")
def test_the_shell_starts_with_them(site: Site) -> None:
    asked = "print(NotifyInbox.__tablename__, NotifyNotification.__tablename__)\n"

    answer = site.app.test_cli_runner().invoke(shell_command, input=asked)

    assert "notify_inbox notify_notification" in answer.output
