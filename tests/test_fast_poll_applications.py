"""Idle polls in all kinds of applications: several in one process, other sessions, keys and databases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cachelib import FileSystemCache
from flask import Flask, Response, current_app, g, request
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as DatabaseSession
from sqlalchemy import Integer, String, TypeDecorator
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from flask_notify import Notify, NotifyError
from tests import apps
from tests.apps import Site
from tests.polls import asks, cookie_of, load_by_header, poll, second_application, set_clock, ticket_for

pytestmark = pytest.mark.databases("sqlite")
Build = Callable[..., Site]


def test_two_workers_know_each_others_tickets(build: Build) -> None:
    site = build()
    other = second_application(site)
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)

    assert asks(other, cookie_of(client), ticket) == 304
    other.close()


def test_an_application_with_another_secret_knows_no_ticket(build: Build) -> None:
    site = build()
    other = second_application(site, signed_by="another")
    key = site.add_user("susan")
    ticket = ticket_for(site.client(key), 0.0)

    assert poll(other.client(key), 0.0, ticket).status_code == 200
    other.close()


def test_an_application_on_another_database_compares_with_its_own(build: Build, tmp_path: Path) -> None:
    site = build()
    other = second_application(site, SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path / 'other.sqlite'}")
    other.create_tables()
    key = site.add_user("susan")
    assert other.add_user("david") == key
    client = site.client(key)
    ticket = ticket_for(client, 0.0)
    other.emit(key, "a", 1)

    assert asks(other, cookie_of(client), ticket) == 200
    assert poll(client, 0.0, ticket).status_code == 304
    other.close()


def test_an_application_inside_another_has_its_own_say(build: Build, tmp_path: Path) -> None:
    # Both have the same secret; the outer one's layer sees the inner one's polls, too.
    inner = build(fast_poll=False)
    other = build(tables=False)
    outer = second_application(
        other,
        wrap=lambda app: DispatcherMiddleware(app, {"/inner": inner.app}),
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path / 'outer.sqlite'}",
    )
    outer.create_tables()
    key = inner.add_user("susan")
    assert outer.add_user("david") == key
    client = outer.app.test_client()
    client.post(f"/inner/login/{key}")

    idle = poll(client, 0.0, path="/inner/notifications")

    assert idle.json == []
    assert "ETag" not in idle.headers
    outer.close()


# Other kinds of identity


def test_a_token_that_stands_for_the_user_may_be_changed(build: Build) -> None:
    revoked: set[str] = set()
    site = build(
        attributes={
            "get_id": lambda user: f"token-{user.id}",
            "key_from_login": staticmethod(lambda token: -1 if token in revoked else int(token.removeprefix("token-"))),
        }
    )
    clock, key = set_clock(site), site.add_user("susan")
    client = site.client(key)
    ticket = ticket_for(client, 0.0)

    assert poll(client, 0.0, ticket).status_code == 304
    revoked.add(f"token-{key}")
    clock.advance(301)
    assert poll(client, 0.0, ticket).status_code == 401


def test_an_idle_poll_of_a_server_side_session_is_confirmed(build: Build, tmp_path: Path) -> None:
    site = with_server_side_sessions(build, tmp_path)
    key = site.add_user("susan")
    client = site.client(key)
    ticket = ticket_for(client, 0.0)

    assert poll(client, 0.0, ticket).status_code == 304
    assert poll(site.client(key), 0.0, ticket).status_code == 200


def test_the_logout_of_a_server_side_session_that_keeps_its_cookie_is_seen_with_news_or_in_time(
    build: Build, tmp_path: Path
) -> None:
    # Nothing in the request has changed, so that the layer cannot know. It says "nothing new" until then.
    site = with_server_side_sessions(build, tmp_path)
    clock, key = set_clock(site), site.add_user("susan")
    clients = [site.client(key), site.client(key)]
    tickets = [ticket_for(client, 0.0) for client in clients]
    for client in clients:
        client.post("/logout")

    clock.advance(301)
    assert poll(clients[0], 0.0, tickets[0]).status_code == 401
    clock.advance(-301)
    site.emit(key, "secret", 1)
    assert poll(clients[1], 0.0, tickets[1]).status_code == 401


def with_server_side_sessions(build: Build, tmp_path: Path) -> Site:
    site = build(SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(str(tmp_path / "sessions")))
    Session(site.app)
    return site


def test_a_key_of_a_type_of_the_applications_own_goes_the_full_way(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Shouted(TypeDecorator[str]):
        impl = String(64)
        cache_ok = True

        def process_bind_param(self, value: Any, dialect: Any) -> Any:  # noqa: ARG002
            """Store it in capitals."""
            return None if value is None else value.upper()

        def process_result_value(self, value: Any, dialect: Any) -> Any:  # noqa: ARG002
            """Read it in small letters."""
            return None if value is None else value.lower()

    monkeypatch.setitem(apps.KEYS, "own", lambda: {"type_": Shouted()})
    site = build(key="own", attributes={"key_from_login": str})
    site.app.add_url_rule("/become/<key>", view_func=lambda key: _log_in(site, key), methods=["POST"])
    key = site.add_user("susan", id="s1")
    client = site.client()
    client.post(f"/become/{key}")
    site.emit(key, "a", 1)

    (item,) = poll(client).json
    ticket = poll(client, item["timestamp"]).headers.get("ETag", '"none"')

    assert item["name"] == "a"
    assert poll(client, item["timestamp"], ticket).status_code == 200


def _log_in(site: Site, key: Any) -> Response:
    from flask_login import login_user

    login_user(site.user(key))
    return Response(status=204)


def test_who_is_read_from_another_database_gets_no_ticket(tmp_path: Path) -> None:
    # One database per tenant, chosen for each request: the layer cannot know which.
    site = make_routed(tmp_path)
    keys = {"none": site.add_user("susan")}
    with site.app.app_context():
        g.tenant = "t"
        site.db.metadata.create_all(site.db.engines["tenant"])
    with site.app.app_context():
        g.tenant = "t"
        site.db.session.add(user := site.User(name="david"))
        site.db.session.commit()
        keys["t"] = user.id

    @site.app.before_request
    def choose() -> None:
        g.tenant = request.headers.get("X-Tenant")

    client = site.app.test_client()
    client.post(f"/login/{keys['t']}", headers={"X-Tenant": "t"})
    with_ticket, without = poll(client, 0.0), poll(client, 0.0, headers={"X-Tenant": "t"})

    assert "ETag" in with_ticket.headers
    assert without.json == []
    assert "ETag" not in without.headers
    site.close()


class Routed(DatabaseSession):
    """A session on the database of the tenant of the request."""

    def get_bind(self, *arguments: Any, **options: Any) -> Any:
        """Choose the database."""
        bind = super().get_bind(*arguments, **options)
        return current_app.extensions["sqlalchemy"].engines["tenant"] if g.get("tenant") else bind


def make_routed(directory: Path) -> Site:
    app = Flask("routed")
    app.config.update(SECRET_KEY="for the tests only", TESTING=True)
    app.config.update(SQLALCHEMY_DATABASE_URI=f"sqlite:///{directory / 'main.sqlite'}")
    app.config.update(SQLALCHEMY_BINDS={"tenant": f"sqlite:///{directory / 'tenant.sqlite'}"})
    db = SQLAlchemy(session_options={"class_": Routed})
    notify = Notify(db=db)
    User = apps.make_user_model(db, "integer", {})
    db.init_app(app)
    apps.add_login(app, db, User)
    notify.init_app(app)
    site = Site(app, db, notify, User)
    site.create_tables()
    return site


# What is missing is told


def test_without_flask_login_the_first_request_says_what_to_call(build: Build) -> None:
    site = build(login=False)

    with pytest.raises(NotifyError, match=r"login_manager\.init_app\(app\)"):
        poll(site.client())


def test_without_a_user_model_the_first_request_says_what_to_write() -> None:
    app = Flask("incomplete")
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    db = SQLAlchemy(app)
    db.Column(Integer)
    Notify(app, db)

    with pytest.raises(NotifyError, match=r"class User\(RecipientMixin"):
        app.test_client().get("/notifications")


def test_without_a_secret_key_a_user_with_a_token_is_told_but_gets_no_ticket(build: Build) -> None:
    site = build()
    site.app.secret_key = None
    load_by_header(site, "Authorization", site.add_user("susan"))

    response = poll(site.client(), 0.0, headers={"Authorization": "good"})

    assert response.json == []
    assert "ETag" not in response.headers
