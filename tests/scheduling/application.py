"""The application that the tests run as processes of their own: ``flask --app …``, or under gunicorn.

It is told its database and settings by the environment.
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Column, Engine, String, event

from flask_notify import MessageType
from flask_notify.running import scheduler
from tests.apps import Site, make_app


class Rendered(MessageType):
    """A type that is rendered for each recipient, and can be held up while it is.

    Whoever renders it for the recipient named `held` tells its process id through the pipe
    `reached`, and waits for a word from the pipe `go`, as long as there is a directory of that name.
    """

    directory: str = ""

    def subject(self, recipient: Any) -> str:
        directory = Path(self.directory)
        if recipient.name == "held" and (directory / "reached").exists():
            (directory / "reached").write_text(f"{os.getpid()}\n")
            (directory / "go").read_text()
        return f"For {recipient.name}"


def addressed() -> dict[str, Any]:
    """Return what a user has who gets mail."""
    return {"email": Column(String(64))}


def make_site(url: str, **config: Any) -> Site:
    """Return the application on a database; what is more than one recipient is moved by the scheduler."""
    site = make_app(
        url,
        attributes=addressed,
        NOTIFY_INLINE_RECIPIENTS=1,
        NOTIFY_MAIL_SENDER="news@example.org",
        NOTIFY_OFTEN_DELAY=0,
        MAIL_SUPPRESS_SEND=False,
        **config,
    )
    site.notify.message_type(Rendered)

    @site.app.get("/process")
    def process() -> str:
        return str(os.getpid())

    return site


def create_app() -> Flask:
    """Return it, as it is told by the environment.

    With the setting `HELD_DELETE`, a directory of two pipes, the third DELETE of messages is held
    up before its commit, as :class:`Rendered` is.
    """
    # A tenth of the test's time would otherwise be waiting for leases to end.
    scheduler.LEASE_SECONDS, scheduler.RENEWED_EVERY = 5.0, 0.5
    settings = json.loads(os.environ["SETTINGS"])
    directory = settings.pop("HELD_DELETE", None)
    site = make_site(os.environ["DATABASE_URL"], **settings)
    if directory is not None:
        with site.app.app_context():
            _hold_third_delete(site.db.engine, Path(directory))
    return site.app


def _hold_third_delete(engine: Engine, directory: Path) -> None:
    done = itertools.count(1)

    @event.listens_for(engine, "after_cursor_execute")
    def hold(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("DELETE") and "FROM notify_message" in statement and next(done) == 3:
            (directory / "reached").write_text(f"{os.getpid()}\n")
            (directory / "go").read_text()
