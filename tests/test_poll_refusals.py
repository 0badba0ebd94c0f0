"""Who may poll, and with which ``since``: the others are told so in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask_login import UserMixin

from tests.apps import Site
from tests.polls import names, poll

BAD_SINCES = [
    "abc",
    "nan",
    "NaN",
    "inf",
    "Infinity",
    "-inf",
    "-1",
    "-0",
    "1e400",
    "1" * 400,
    "",
    "1_000",
    " 1",
    "1 ",
    "1\n",
    "0x10",
    "1,5",
    "1e",
    "٣",
    "１",
    "1\0",
    "null",
    "[1]",
    "\ufffd",
    "9" * 20_000,
]


# Bad input


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("since", BAD_SINCES, ids=lambda since: ascii(since)[:20])
def test_a_bad_since_is_refused_in_json(site: Site, since: str) -> None:
    response = poll(site.client(site.add_user("susan")), since)

    assert response.status_code == 400
    assert "since must be one finite number" in response.json["error"]
    assert len(response.json["error"]) <= 300
    assert response.headers["Cache-Control"] == "no-store"
    assert "ETag" not in response.headers


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "query", ["since=1&since=1", "since=0&since=abc", "since", "since=%ff", "since=+1", "since=%2B1"]
)
def test_a_since_that_is_not_one_number_is_refused(site: Site, query: str) -> None:
    response = site.client(site.add_user("susan")).get(f"/notifications?{query}")

    assert response.status_code == 400
    assert response.is_json


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "since", ["0", "00", "1", "1.", "1.5", "1e3", "1E3", "1e+3", "1e-400", "1e308", "1790000000.123456"]
)
def test_every_way_to_write_a_number_is_taken(site: Site, since: str) -> None:
    assert poll(site.client(site.add_user("susan")), since).status_code == 200


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_poll_changes_nothing_so_that_only_get_is_allowed(site: Site, method: str) -> None:
    assert site.client(site.add_user("susan")).open("/notifications", method=method).status_code == 405


# Who may ask


def assert_refused(response: Any) -> None:
    assert response.status_code == 401
    assert response.is_json
    assert response.json["error"]
    assert "Location" not in response.headers
    assert "Set-Cookie" not in response.headers
    assert "ETag" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("since", [None, "5", "abc"])
def test_an_anonymous_poll_is_refused_without_redirect_flash_or_next(site: Site, since: str | None) -> None:
    site.app.login_manager.login_view = "static"  # type: ignore[attr-defined]  # set by Flask-Login
    site.app.config["USE_SESSION_FOR_NEXT"] = True
    client = site.client()

    assert_refused(poll(client, since))

    with client.session_transaction() as session:
        assert not session


@pytest.mark.databases("sqlite")
def test_whoever_logged_out_is_refused(site: Site) -> None:
    client = site.client(site.add_user("susan"))
    client.post("/logout")

    assert_refused(poll(client))


@pytest.mark.databases("sqlite")
def test_a_deactivated_user_is_refused(build: Callable[..., Site]) -> None:
    site = build(attributes={"is_active": property(lambda user: user.last_seen is None)})
    key = site.add_user("susan")
    client = site.client(key)
    with site.app.app_context():
        site.user(key).last_seen = 0.0
        site.db.session.commit()

    assert_refused(poll(client))


@pytest.mark.databases("sqlite")
def test_a_deleted_user_is_refused(site: Site) -> None:
    key = site.add_user("susan")
    client = site.client(key)
    with site.app.app_context():
        site.db.session.delete(site.user(key))
        site.db.session.commit()

    assert_refused(poll(client))


@pytest.mark.databases("sqlite")
def test_a_logged_in_object_that_is_no_recipient_is_refused(site: Site) -> None:
    class Robot(UserMixin):  # type: ignore[misc]  # Flask-Login comes without types
        id = "robot"

    client = site.client(site.add_user("susan"))
    site.app.login_manager.user_loader(lambda _: Robot())  # type: ignore[attr-defined]  # set by Flask-Login

    assert_refused(poll(client))


@pytest.mark.databases("sqlite")
def test_a_user_who_is_false_in_a_condition_is_told_all_the_same(build: Callable[..., Site]) -> None:
    site = build(attributes={"__len__": lambda _: 0})
    key = site.add_user("susan")
    site.emit(key, "a", 1)

    assert names(site.client(key)) == ["a"]


@pytest.mark.databases("sqlite")
def test_the_error_pages_of_the_application_are_not_asked(site: Site) -> None:
    site.app.register_error_handler(401, lambda _: ("<h1>Log in!</h1>", 401))
    site.app.register_error_handler(400, lambda _: ("<h1>Bad!</h1>", 400))

    assert_refused(poll(site.client()))
    assert poll(site.client(site.add_user("susan")), "abc").is_json


@pytest.mark.databases("sqlite")
def test_a_user_who_comes_with_a_token_in_a_header_is_told(site: Site) -> None:
    key = site.add_user("susan")
    site.emit(key, "a", 1)

    @site.app.login_manager.request_loader  # type: ignore[attr-defined, untyped-decorator]  # set by Flask-Login
    def load(request: Any) -> Any:
        return site.user(key) if request.headers.get("Authorization") == "Bearer t" else None

    assert_refused(poll(site.client()))
    response = poll(site.client(), headers={"Authorization": "Bearer t"})
    assert [item["name"] for item in json.loads(response.text)] == ["a"]


@pytest.mark.databases("sqlite")
def test_a_user_whom_the_application_made_from_a_token_without_a_read_is_told(site: Site) -> None:
    key = site.add_user("susan")
    site.emit(key, "a", 1)
    site.app.login_manager.request_loader(lambda _: site.User(id=key))  # type: ignore[attr-defined]  # as above

    assert names(site.client()) == ["a"]
