"""A poll keeps nobody logged in, and loses nothing of what the application writes to the session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cachelib import FileSystemCache
from flask import Flask, Response, flash, get_flashed_messages, request, session
from flask.sessions import SecureCookieSessionInterface
from flask_login import current_user, login_user, logout_user
from flask_session import Session

from tests.apps import Site
from tests.polls import items, newest, poll

if TYPE_CHECKING:
    from flask.testing import FlaskClient

pytestmark = pytest.mark.databases("sqlite")
SESSION, REMEMBER = "session", "remember_token"

Build = Callable[..., Site]


@pytest.fixture(params=["cookie", "server"])
def kind(request: pytest.FixtureRequest) -> str:
    """Where sessions are kept: by Flask in a cookie, or by Flask-Session in files."""
    return str(request.param)


@pytest.fixture
def make(build: Build, kind: str, tmp_path: Path) -> Build:
    """Build applications with a page, and with permanent sessions of one kind or the other."""

    def make_one(*, permanent: bool = True, **config: Any) -> Site:
        if kind == "server":
            config |= {"SESSION_TYPE": "cachelib", "SESSION_CACHELIB": FileSystemCache(str(tmp_path / "sessions"))}
            config |= {"SESSION_PERMANENT": permanent}
        site = build(**config)
        if kind == "server":
            Session(site.app)  # which sets its session interface later than init_app of ours

        @site.app.before_request
        def make_permanent() -> None:
            if request.endpoint == "login":
                session.permanent = permanent

        @site.app.get("/page")
        def show() -> Any:
            return {"user": current_user.get_id(), "flashes": get_flashed_messages(), "session": dict(session)}

        return site

    return make_one


def cookies(response: Any) -> list[str]:
    return [cookie.split("=", 1)[0] for cookie in response.headers.getlist("Set-Cookie")]


def page(client: FlaskClient) -> Any:
    return client.get("/page").json


def polls(site: Site, client: FlaskClient, key: Any) -> list[Any]:
    """Poll in every way: for everything, in vain, with a ticket, with news, wrongly."""
    site.emit(key, "a", 1)
    since = newest(client)
    idle = poll(client, since)
    ticket = idle.headers.get("ETag")
    responses = [poll(client), idle, poll(client, since, ticket), poll(client, "abc")]
    site.emit(key, "a", 2)
    return [*responses, poll(client, since, ticket)]


@pytest.mark.parametrize("permanent", [True, False])
@pytest.mark.parametrize("fast_poll", [True, False])
@pytest.mark.parametrize("refresh", [True, False])
def test_no_poll_sets_a_cookie(make: Build, permanent: bool, fast_poll: bool, refresh: bool) -> None:
    site = make(permanent=permanent, fast_poll=fast_poll, SESSION_REFRESH_EACH_REQUEST=refresh)
    key = site.add_user("susan")

    responses = polls(site, site.client(key), key)

    assert [response.status_code for response in responses] == [200, 200, 304 if fast_poll else 200, 400, 200]
    assert [cookies(response) for response in responses] == [[]] * len(responses)


def test_a_page_extends_a_permanent_session_and_a_poll_does_not(make: Build, kind: str, tmp_path: Path) -> None:
    site = make()
    key = site.add_user("susan")
    client = site.client(key)

    def kept() -> Any:
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "sessions").glob("*")}

    before = kept()
    polls(site, client, key)
    assert kept() == before

    assert cookies(client.get("/page")) == [SESSION]
    assert (kept() != before) is (kind == "server")


@pytest.mark.parametrize("permanent", [True, False])
def test_a_page_extends_a_remember_cookie_and_a_poll_does_not(make: Build, permanent: bool) -> None:
    site = make(permanent=permanent, REMEMBER_COOKIE_REFRESH_EACH_REQUEST=True)
    key = site.add_user("susan")
    client = site.client(key, remember=True)

    assert [cookies(response) for response in polls(site, client, key)] == [[]] * 5
    assert REMEMBER in cookies(client.get("/page"))


def test_a_remember_cookie_of_another_name_is_not_extended_either(make: Build) -> None:
    site = make(REMEMBER_COOKIE_REFRESH_EACH_REQUEST=True, REMEMBER_COOKIE_NAME="stay")
    key = site.add_user("susan")

    assert [cookies(response) for response in polls(site, site.client(key, remember=True), key)] == [[]] * 5


@pytest.mark.parametrize("refresh", [True, False])
def test_whoever_has_but_a_remember_cookie_is_told_and_gets_no_cookie(make: Build, refresh: bool) -> None:
    site = make(REMEMBER_COOKIE_REFRESH_EACH_REQUEST=refresh)
    key = site.add_user("susan")
    client = site.client(key, remember=True)
    client.delete_cookie(SESSION)

    responses = polls(site, client, key)

    assert [response.status_code for response in responses] == [200, 200, 304, 400, 200]
    assert [cookies(response) for response in responses] == [[]] * 5
    response = client.get("/page")
    assert SESSION in cookies(response)
    assert page(client)["user"] == str(key)


def test_a_remember_cookie_of_a_deleted_user_is_refused_without_a_cookie(make: Build) -> None:
    site = make()
    key = site.add_user("susan")
    client = site.client(key, remember=True)
    client.delete_cookie(SESSION)
    with site.app.app_context():
        site.db.session.delete(site.user(key))
        site.db.session.commit()

    response = poll(client)

    assert response.status_code == 401
    assert cookies(response) == []


def test_an_anonymous_poll_leaves_the_session_as_it_is(make: Build) -> None:
    site = make()

    @site.app.post("/basket")
    def basket() -> Response:
        session["basket"] = [1]
        return Response(status=204)

    client = site.client()
    client.post("/basket")

    response = poll(client)

    assert response.status_code == 401
    assert cookies(response) == []
    assert page(client)["session"]["basket"] == [1]


def test_under_strong_protection_a_stolen_session_is_refused_and_ended(make: Build) -> None:
    site = make(permanent=False, SESSION_PROTECTION="strong")
    key = site.add_user("susan")
    client = site.client(key)
    assert [cookies(response) for response in polls(site, client, key)] == [[]] * 5

    stolen = poll(client, headers={"User-Agent": "a thief's"})

    assert stolen.status_code == 401
    assert page(client)["user"] is None


def test_under_strong_protection_a_ticket_lasts_no_longer_than_its_time(make: Build) -> None:
    site = make(permanent=False, SESSION_PROTECTION="strong", NOTIFY_RECHECK_INTERVAL=60)
    key = site.add_user("susan")
    client = site.client(key)
    ticket = poll(client).headers["ETag"]
    now = site.notify.clock()
    site.notify.clock = lambda: now + 61

    assert poll(client, ticket=ticket, headers={"User-Agent": "a thief's"}).status_code == 401


# What the application writes


def test_what_the_application_writes_on_a_poll_is_kept(make: Build) -> None:
    site = make(permanent=False, REMEMBER_COOKIE_REFRESH_EACH_REQUEST=True)

    @site.app.before_request
    def count() -> None:
        if request.endpoint == "notify.poll":
            session["polls"] = session.get("polls", 0) + 1

    client = site.client(site.add_user("susan"), remember=True)

    responses = [poll(client) for _ in range(3)]

    assert page(client)["session"]["polls"] == 3
    assert [REMEMBER in cookies(response) for response in responses] == [False] * 3


def test_what_the_application_changes_within_a_value_of_a_permanent_session_is_kept(make: Build) -> None:
    # Flask does not notice such a change, but stores it whenever it refreshes the session.
    site = make()

    @site.app.before_request
    def append() -> None:
        if request.endpoint == "login":
            session["seen"] = []
        elif request.endpoint == "notify.poll":
            session["seen"].append("poll")

    client = site.client(site.add_user("susan"))
    poll(client)
    poll(client)

    assert page(client)["session"]["seen"] == ["poll", "poll"]


def test_what_the_application_deletes_on_a_poll_is_gone(make: Build) -> None:
    site = make()

    @site.app.before_request
    def delete() -> None:
        if request.endpoint == "login":
            session["step"] = 1
        elif request.endpoint == "notify.poll":
            session.pop("step", None)

    client = site.client(site.add_user("susan"))
    poll(client)

    assert "step" not in page(client)["session"]


@pytest.mark.parametrize("remember", [True, False])
def test_whom_the_application_logs_out_on_a_poll_stays_logged_out(make: Build, remember: bool) -> None:
    site = make()

    @site.app.before_request
    def log_out() -> None:
        if request.endpoint == "notify.poll":
            logout_user()

    client = site.client(site.add_user("susan"), remember=remember)

    assert poll(client).status_code == 401
    assert page(client)["user"] is None


def test_whom_the_application_logs_in_on_a_poll_stays_logged_in(make: Build) -> None:
    site = make()
    key = site.add_user("susan")

    @site.app.before_request
    def log_in() -> None:
        if request.endpoint == "notify.poll" and not current_user.is_authenticated:
            login_user(site.user(key), remember=True)

    client = site.client()
    response = poll(client)

    assert response.status_code == 200
    assert sorted(cookies(response)) == [REMEMBER, SESSION]
    assert page(client)["user"] == str(key)


def test_flashed_messages_wait_for_the_page(make: Build) -> None:
    site = make()

    @site.app.before_request
    def tell() -> None:
        if request.endpoint == "login":
            flash("Welcome")
        elif request.endpoint == "notify.poll" and "told" not in session:
            session["told"] = True
            flash("The night is near")

    key = site.add_user("susan")
    client = site.client(key)
    polls(site, client, key)

    assert page(client)["flashes"] == ["Welcome", "The night is near"]


# The session interface


def test_an_interface_of_the_applications_own_is_used_on_all_other_requests(build: Build) -> None:
    saved: list[str | None] = []

    class Own(SecureCookieSessionInterface):
        def save_session(self, app: Flask, session: Any, response: Response) -> None:
            """Save it, and say for what."""
            saved.append(request.endpoint)
            super().save_session(app, session, response)

    site = build()
    site.app.session_interface = Own()
    client = site.client(site.add_user("susan"))
    assert items(client) == []
    client.post("/logout")

    assert saved == ["login", "logout"]


def test_other_applications_of_the_process_keep_their_sessions(build: Build) -> None:
    other = Flask("other")

    site = build()
    site.client(site.add_user("susan"))

    assert other.session_interface is Flask.session_interface
    assert site.app.session_interface is not Flask.session_interface
    assert "save_session" not in vars(other.session_interface)


def test_without_a_secret_key_a_poll_is_refused_as_one_of_an_anonymous_visitor(build: Build) -> None:
    site = build()
    site.app.secret_key = None

    assert poll(site.client()).status_code == 401
