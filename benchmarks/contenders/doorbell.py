"""A site whose pages can be rung, as its environment says; it commits news at a steady pace, and counts polls."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import redis
import sqlalchemy.orm as so
from flask import Flask, render_template_string
from flask_login import LoginManager, UserMixin, login_user
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event, insert
from werkzeug.serving import WSGIRequestHandler, make_server

from flask_notify import Notify, RecipientMixin

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SECRET = "benchmark"
CHANNEL = "bare"

db = SQLAlchemy()
login = LoginManager()
notify = Notify(db=db)


class User(RecipientMixin, UserMixin, db.Model):  # type: ignore[name-defined,misc]  # made at run time
    """A user, and no more."""

    id: so.Mapped[int] = so.mapped_column(primary_key=True)


application = Flask(__name__)
application.config["SECRET_KEY"] = SECRET
application.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
application.config["NOTIFY_BROKER_URL"] = os.environ.get("BROKER_URL")
application.config["NOTIFY_STREAM_URL"] = os.environ.get("STREAM_URL")
application.config["NOTIFY_STREAM_ORIGINS"] = tuple(filter(None, [os.environ.get("STREAM_ORIGIN")]))
db.init_app(application)
login.init_app(application)
notify.init_app(application)


@login.user_loader  # type: ignore[untyped-decorator]  # Flask-Login has no types
def load_user(key: str) -> User | None:
    """Load the user of the session."""
    return db.session.get(User, int(key))


@application.get("/<int:key>")
def page(key: int) -> str:
    """Show a page of a user."""
    login_user(db.session.get_one(User, key))
    return render_template_string("<!doctype html><title>Idle</title><link rel=icon href=data:,>{{ notify_script() }}")


def prepare(users: int) -> None:
    """Make the tables, and users with the keys from 1."""
    with application.app_context():
        db.create_all()
        db.session.execute(insert(User), [{"id": number + 1} for number in range(users)])
        db.session.commit()


def emit(rate: float, seconds: float, users: int) -> list[tuple[int, float]]:
    """Commit news for one user after another, and return for whom, and when each commit was over."""
    committed: list[tuple[int, float]] = []
    bare = os.environ.get("BARE_URL")
    client = None if bare is None else redis.Redis.from_url(bare)
    with application.app_context():
        key = 0

        @event.listens_for(db.session, "after_commit", insert=True)
        def note(_session: Any) -> None:
            committed.append((key, time.monotonic()))
            if client is not None:
                client.publish(CHANNEL, json.dumps({"cursors": {str(key): 1.0}}))

        begun = time.monotonic()
        for number in range(int(rate * seconds)):
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))
            key = number % users + 1
            db.session.get_one(User, key).add_notification("news", number)
            db.session.commit()
        event.remove(db.session, "after_commit", note)
    return committed


_polls: list[float] = []


def serve(port: int) -> None:
    """Serve the site at a port of this machine, in a thread."""
    server = make_server("127.0.0.1", port, _counted, threaded=True, request_handler=_Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def polls(since: float) -> int:
    """Return how many polls have come since a time of the machine's monotonic clock."""
    return sum(at >= since for at in _polls)


def _counted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/notifications":
        _polls.append(time.monotonic())
    return application(environ, start_response)


class _Quiet(WSGIRequestHandler):
    def log(self, kind: str, message: str, *args: Any) -> None:
        """Say nothing."""
