"""What a poll asks the database, counted where it is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import render_template_string

from tests.apps import Site
from tests.polls import poll, set_unread, ticket_for
from tests.recording import recorded
from tests.servers import Database

ELEMENTS = "{{ notify_script() }}{{ notify_badge() }}{{ notify_badge('a') }}"
ELEMENTS += "{{ notify_progress('b') }}{{ notify_text('c') }}"


@pytest.fixture
def key(site: Site) -> Any:
    return site.add_user("susan")


def reads(statements: list[str]) -> list[str]:
    """Return for each SELECT the table that it reads."""
    return [_table(statement) for statement in statements if statement.lstrip().upper().startswith("SELECT")]


def _table(statement: str) -> str:
    words = statement.replace("`", "").replace('"', "").split()
    return words[[word.upper() for word in words].index("FROM") + 1]


def writes(statements: list[str]) -> list[str]:
    others = ("SELECT", "BEGIN", "ROLLBACK", "COMMIT")
    return [statement for statement in statements if not statement.lstrip().upper().startswith(others)]


def test_an_idle_poll_with_a_ticket_is_one_read_by_primary_key_and_nothing_else(
    site: Site, key: Any, database: Database
) -> None:
    site.emit(key, "a", 1)
    client = site.client(key)
    since = site.emit(key, "b", 1)
    ticket = ticket_for(client, since)

    with recorded(database, site) as statements:
        response = poll(client, since, ticket)

    assert response.status_code == 304
    assert reads(statements) == ["notify_inbox"]
    # PyMySQL is always in a transaction, which the pool rolls back.
    assert len(statements) == (2 if database.name == "mariadb" else 1), statements


def test_an_idle_poll_without_a_ticket_costs_one_read_more_than_the_user(
    site: Site, key: Any, database: Database
) -> None:
    since = site.emit(key, "a", 1)
    client = site.client(key)

    with recorded(database, site) as statements:
        response = poll(client, since)

    assert response.json == []
    assert reads(statements) == ["user", "notify_inbox"]
    assert writes(statements) == []


@pytest.mark.parametrize("values", [1, 50])
def test_a_poll_with_news_costs_two_reads_more_than_the_user(
    site: Site, key: Any, database: Database, values: int
) -> None:
    with site.app.app_context():
        for number in range(values):
            site.user(key).add_notification(f"n{number}", number)
        site.db.session.commit()
    set_unread(site, key, 3)
    client = site.client(key)

    with recorded(database, site) as statements:
        response = poll(client, 0.0)

    assert len(response.json) == values + 1
    assert reads(statements) == ["user", "notify_inbox", "notify_notification"]
    assert writes(statements) == []


def test_a_refused_poll_reads_nothing_of_ours(site: Site, key: Any, database: Database) -> None:
    anonymous, client = site.client(), site.client(key)

    with recorded(database, site) as statements:
        assert poll(anonymous).status_code == 401
        assert poll(client, "abc").status_code == 400

    assert reads(statements) == ["user"]
    assert writes(statements) == []


def test_all_the_elements_of_a_page_cost_two_reads(site: Site, key: Any, database: Database) -> None:
    site.app.add_url_rule("/shown", "shown", lambda: render_template_string(ELEMENTS))
    site.emit(key, "a", 5)
    client = site.client(key)

    with recorded(database, site) as statements:
        assert "data-notify-badge" in client.get("/shown").text

    assert reads(statements) == ["user", "notify_inbox", "notify_notification"]
    assert writes(statements) == []


@pytest.mark.databases("sqlite")
def test_a_page_for_a_visitor_reads_nothing(site: Site, database: Database) -> None:
    site.app.add_url_rule("/shown", "shown", lambda: render_template_string(ELEMENTS))
    client = site.client()

    with recorded(database, site) as statements:
        client.get("/shown")

    assert statements == []


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("key_kind", ["uuid", "string"])
def test_an_idle_poll_is_one_read_for_other_keys_too(
    build: Callable[..., Site], database: Database, key_kind: str
) -> None:
    site = build(key=key_kind)
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)

    with recorded(database, site) as statements:
        assert poll(client, 0.0, ticket).status_code == 304

    assert reads(statements) == ["notify_inbox"]
    assert len(statements) == 1
