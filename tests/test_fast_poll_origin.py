"""The ticket of one session, host, path or application is worth nothing in another."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, request, session
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from tests.apps import Site
from tests.polls import asks, cookie_of, load_by_header, poll, second_application, ticket_for

pytestmark = pytest.mark.databases("sqlite")
Build = Callable[..., Site]


@pytest.fixture
def site(build: Build) -> Site:
    """An application in which no two logins have the same session."""
    site = build()
    tell_logins_apart(site)
    return site


def tell_logins_apart(site: Site) -> None:
    @site.app.before_request
    def mark() -> None:
        if request.endpoint == "login":
            session["mark"] = secrets.token_hex()


def test_the_ticket_of_another_session_of_the_same_user_is_worth_nothing(site: Site) -> None:
    key = site.add_user("susan")
    here, there = site.client(key), site.client(key)
    ticket = ticket_for(here, 0.0)

    assert poll(here, 0.0, ticket).status_code == 304
    assert poll(there, 0.0, ticket).status_code == 200


def test_the_ticket_of_another_user_is_worth_nothing(site: Site) -> None:
    susan, david = site.client(site.add_user("susan")), site.client(site.add_user("david"))
    ticket = ticket_for(susan, 0.0)

    assert poll(david, 0.0, ticket).status_code == 200
    assert poll(site.client(), 0.0, ticket).status_code == 401


def test_a_ticket_stays_with_the_account_that_is_logged_in(site: Site) -> None:
    susan, david = site.add_user("susan"), site.add_user("david")
    client = site.client(susan)
    ticket = ticket_for(client, 0.0)
    client.post("/logout")
    client.post(f"/login/{david}")

    response = poll(client, 0.0, ticket)

    assert response.status_code == 200
    assert response.headers["ETag"] != ticket


def test_after_logout_a_ticket_is_worth_nothing(site: Site) -> None:
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)

    client.post("/logout")

    assert poll(client, 0.0, ticket).status_code == 401


def test_a_ticket_is_given_with_neither_news_nor_errors(site: Site) -> None:
    key = site.add_user("susan")
    client = site.client(key)
    site.emit(key, "a", 1)

    answers = [poll(client), poll(client, "abc"), poll(client, "1e300"), poll(site.client())]

    assert [answer.status_code for answer in answers] == [200, 400, 200, 401]
    assert not any("ETag" in answer.headers for answer in answers)


def test_a_ticket_holds_for_its_cookie_host_path_and_authorization_alone(site: Site) -> None:
    client = site.client(site.add_user("susan"))
    cookie, ticket = cookie_of(client), ticket_for(client, 0.0)

    assert asks(site, cookie, ticket) == 304
    assert asks(site, None, ticket) == 401
    assert asks(site, f"{cookie}; other=1", ticket) == 200
    assert asks(site, cookie, ticket, headers={"Authorization": "Bearer t"}) == 200
    assert asks(site, cookie, ticket, base_url="http://elsewhere.example/") == 200
    assert asks(site, cookie, ticket, base_url="http://localhost/app") == 200
    assert asks(site, cookie, ticket, headers={"X-Forwarded-Host": "elsewhere.example"}) == 200


def test_the_ticket_of_a_token_is_worth_nothing_to_another_token(site: Site) -> None:
    key = site.add_user("susan")
    load_by_header(site, "Authorization", key)

    def ask(token: str, ticket: str | None = None) -> Any:
        return poll(site.client(), 0.0, ticket, headers={"Authorization": token})

    ticket = ask("good").headers["ETag"]

    assert ask("good", ticket).status_code == 304
    assert ask("bad", ticket).status_code == 401


def test_who_is_known_by_a_header_that_no_ticket_is_bound_to_gets_none(site: Site) -> None:
    load_by_header(site, "X-Api-Key", site.add_user("susan"))

    response = poll(site.client(), 0.0, headers={"X-Api-Key": "good"})

    assert response.json == []
    assert "ETag" not in response.headers


# Where the application is mounted


@pytest.mark.parametrize("prefix", ["", "/live"])
@pytest.mark.parametrize("mount", ["", "/shop"])
def test_an_idle_poll_is_confirmed_wherever_it_is_mounted(build: Build, prefix: str, mount: str) -> None:
    site = build(NOTIFY_URL_PREFIX=prefix)
    key = site.add_user("susan")
    client = Client(DispatcherMiddleware(Flask("outer"), {mount: site.app} if mount else {"": site.app}))
    client.post(f"{mount}/login/{key}")
    path = f"{mount}{prefix}/notifications?since=0"

    ticket = client.get(path).headers["ETag"]

    assert client.get(path, headers={"If-None-Match": ticket}).status_code == 304
    site.emit(key, "a", 1)
    assert client.get(path, headers={"If-None-Match": ticket}).status_code == 200


@pytest.mark.parametrize("side", ["inside", "outside"])
def test_an_idle_poll_behind_a_proxy_is_confirmed_for_its_own_host(build: Build, side: str) -> None:
    site = build(tables=side == "outside")
    if side == "inside":
        site = second_application(site, wrap=lambda app: ProxyFix(app, x_host=1, x_prefix=1))
        site.create_tables()
    else:
        site.app.wsgi_app = ProxyFix(site.app.wsgi_app, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    client = site.client(site.add_user("susan"))
    behind = {"X-Forwarded-Host": "localhost", "X-Forwarded-Prefix": "/shop", "X-Forwarded-For": "10.0.0.1"}

    def ask(ticket: str | None = None, **headers: str) -> Any:
        return poll(client, 0.0, ticket, headers=behind | {name.replace("_", "-"): to for name, to in headers.items()})

    ticket = ask().headers["ETag"]

    assert ask(ticket).status_code == 304
    assert ask(ticket, X_Forwarded_For="10.0.0.2").status_code == 304
    assert ask(ticket, X_Forwarded_Host="elsewhere.example").status_code == 200
    assert ask(ticket, X_Forwarded_Prefix="/other").status_code == 200
