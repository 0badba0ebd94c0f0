"""What the tests of the poll share: a clock that can travel, and short ways to ask and to tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import Flask
from sqlalchemy import update

from flask_notify import Notify, inbox
from tests import apps
from tests.apps import Site

if TYPE_CHECKING:
    from flask.testing import FlaskClient


URL = "/notifications"
NOON = 1_790_000_000.0


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return Unix seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on, or back."""
        self.now += seconds


def set_clock(site: Site) -> Clock:
    """Stamp everything by a clock that the test moves."""
    site.notify.clock = clock = Clock()
    return clock


def poll(client: FlaskClient, since: object = None, ticket: str | None = None, **options: Any) -> Any:
    """Ask for what is new, with a ticket as a browser would."""
    headers = dict(options.pop("headers", {}))
    if ticket is not None:
        headers["If-None-Match"] = ticket
    if since is not None:
        options["query_string"] = {"since": since if isinstance(since, str) else repr(since)}
    return client.get(options.pop("path", URL), headers=headers, **options)


def items(client: FlaskClient, since: object = None) -> list[dict[str, Any]]:
    """Return what a poll is told."""
    response = poll(client, since)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json
    return found


def names(client: FlaskClient, since: object = None) -> list[str]:
    """Return the names that a poll is told of, without the count of unseen messages."""
    return [item["name"] for item in items(client, since) if item["name"] != "unread_message_count"]


def newest(client: FlaskClient) -> float:
    """Return the timestamp at which a client that asks for everything ends."""
    return max((item["timestamp"] for item in items(client)), default=0.0)


def ticket_for(client: FlaskClient, since: object = None, path: str = URL) -> str:
    """Return the ticket of a poll that is told nothing new."""
    response = poll(client, newest(client) if since is None else since, path=path)
    assert response.json == []
    return str(response.headers["ETag"])


def set_unread(site: Site, key: Any, count: int) -> float:
    """Store a count of unseen messages as a message would, and return its cursor."""
    with site.app.app_context():
        models = site.notify.models
        connection = site.db.session.connection()
        cursor = inbox.advance(connection, models, [key], steps=1, now=models.clock())[key].cursor
        mine = models.inbox.c.recipient_id == key
        connection.execute(update(models.inbox).where(mine).values(unseen_count=count, unseen_cursor=cursor))
        site.db.session.commit()
        return cursor


def asks(site: Site, cookie: str | None, ticket: str, path: str = "/notifications", **options: Any) -> int:
    """Poll with exactly that cookie, and return the status."""
    client = site.app.test_client(use_cookies=False)
    headers = {"Cookie": cookie} if cookie else {}
    headers.update(options.pop("headers", {}))
    return int(poll(client, 0.0, ticket, path=path, headers=headers, **options).status_code)


def cookie_of(client: FlaskClient) -> str:
    """Return the header that a logged-in client sends."""
    cookie = client.get_cookie("session")
    assert cookie is not None
    return f"session={cookie.value}"


def load_by_header(site: Site, header: str, key: Any) -> None:
    """Let whoever sends that header with the word "good" be the user with that key."""

    @site.app.login_manager.request_loader  # type: ignore[attr-defined, untyped-decorator]  # set by Flask-Login
    def load(request: Any) -> Any:
        return site.user(key) if request.headers.get(header) == "good" else None


def second_application(
    site: Site, wrap: Callable[[Any], Any] = lambda app: app, *, signed_by: str = "for the tests only", **config: Any
) -> Site:
    """Return an application that shares the ``db`` and the models of another one."""
    app = Flask("second")
    app.config.update(SQLALCHEMY_DATABASE_URI=site.app.config["SQLALCHEMY_DATABASE_URI"], TESTING=True)
    app.config.update(config, SECRET_KEY=signed_by)
    app.wsgi_app = wrap(app.wsgi_app)  # type: ignore[method-assign]
    site.db.init_app(app)
    apps.add_login(app, site.db, site.User)
    notify = Notify(db=site.db)
    notify.init_app(app)
    return Site(app, site.db, notify, site.User)
