"""`GET /messages/all`: everybody's messages, for those whom the application lets in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.apps import Site

from .letterbox import JSON, listed, post, send, subjects

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def susan(site: Site) -> Any:
    return site.add_user("susan")


def let_in(site: Site, name: str) -> None:
    site.notify.administrator(lambda user: user.name == name)


def test_by_default_nobody_is_let_in(site: Site, susan: Any) -> None:
    assert site.client(susan).get("/messages/all").status_code == 404


def test_only_an_administrator_is_let_in(site: Site, susan: Any) -> None:
    let_in(site, "susan")

    assert site.client(susan).get("/messages/all").status_code == 200
    assert site.client(site.add_user("david")).get("/messages/all").status_code == 404
    assert site.client().get("/messages/all").status_code == 401


@pytest.mark.databases("sqlite", "postgresql", "mariadb")
def test_an_administrator_sees_who_was_told_of_what(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_MESSAGES_PER_PAGE=2)
    susan, david = site.add_user("susan"), site.add_user("david")
    let_in(site, "susan")
    send(site, david, "a", "b", "c")
    send(site, susan, "d")
    client = site.client(susan)

    first = listed(client, "/messages/all")
    second = listed(client, first["older"])

    assert subjects(first) == ["d", "c"]
    assert [line["recipient"] for line in first["messages"]] == ["susan", "david"]
    assert subjects(second) == ["b", "a"]
    assert subjects(listed(client, second["newer"])) == ["d", "c"]
    assert (first["newer"], second["older"]) == (None, None)


def test_the_list_can_be_that_of_one_recipient(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_MESSAGES_PER_PAGE=2)
    susan, david = site.add_user("susan"), site.add_user("david")
    let_in(site, "susan")
    send(site, david, "a", "b", "c")
    send(site, susan, "d")
    client = site.client(susan)

    first = listed(client, "/messages/all", recipient="david")

    assert subjects(first) == ["c", "b"]
    assert subjects(listed(client, first["older"])) == ["a"]
    assert client.get("/messages/all?recipient=nobody", headers=JSON).status_code == 404
    assert client.get("/messages/all?page=2", headers=JSON).status_code == 400


def test_what_people_write_to_each_other_is_theirs_alone(site: Site, susan: Any) -> None:
    site.add_user("david")
    ann = site.add_user("ann")
    let_in(site, "susan")
    post(site.client(ann), "/send_message/david", {"body": "between us"})
    client = site.client(susan)

    assert "between us" not in client.get("/messages/all").text
    assert "between us" not in client.get("/messages/all", headers=JSON).text
    assert "ann → david" in client.get("/messages/all").text


def test_a_sender_who_is_gone_reads_as_none(site: Site, susan: Any) -> None:
    ann = site.add_user("ann")
    let_in(site, "susan")
    post(site.client(ann), "/send_message/susan", {"body": "bye"})
    with site.app.app_context():
        site.db.session.delete(site.user(ann))
        site.db.session.commit()
    client = site.client(susan)

    assert [line["sender"] for line in listed(client, "/messages/all")["messages"]] == [None]
    assert [message["sender"] for message in listed(client)["messages"]] == [None]
