"""An application whose users have addresses, with a letter that says enough to be told from others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from jinja2 import ChoiceLoader, FileSystemLoader
from sqlalchemy import Boolean, Column, String, select

from flask_notify.mailing import digest
from flask_notify.mailing.digest import Summary
from flask_notify.mailing.transport import Connection, FlaskMailTransport, Transport
from tests.apps import Site, make_app
from tests.processes import PATIENCE

NOON = 1_790_000_000.0
"""A moment at which the tests begin, in Unix seconds."""


class Office:
    """A site, its clock, and a run of the mail worker in this process."""

    def __init__(self, site: Site, directory: Path) -> None:
        self.site = site
        self.directory = directory
        self.now = NOON
        site.notify.clock = lambda: self.now

    def add(self, name: str, **values: Any) -> Any:
        """Store a user with an address, and return their key."""
        return self.site.add_user(name, **{"email": f"{name}@example.org", **values})

    def send(self, subject: str, *keys: Any, mode: str | None = None, **values: Any) -> None:
        """Send a message to users and commit."""
        with self.site.app.app_context():
            users = [self.site.user(key) for key in keys]
            self.site.notify.send(subject, to=[(user, mode) for user in users] if mode else users, **values)
            self.site.db.session.commit()

    def see_all(self, key: Any) -> None:
        """Let a user see all their messages."""
        with self.site.app.app_context():
            self.site.user(key).mark_all_seen()
            self.site.db.session.commit()

    def run_at(self, moment: float) -> int:
        """Let the mail worker run at a moment; return how many mails went out."""
        self.now = moment
        return self.run().outcomes["sent"]

    def set_templates(self, **templates: str) -> None:
        """Put templates in the place of those for mails: ``txt=…``, ``html=…``."""
        for form, text in templates.items():
            file = self.directory / "notify" / "mail" / f"digest.{form}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        usual = self.site.app.jinja_env.loader
        assert usual is not None
        self.site.app.jinja_env.loader = ChoiceLoader([FileSystemLoader(self.directory), usual])

    def run(self, stop: Callable[[], bool] = lambda: False, transport: Transport | None = None) -> Summary:
        """Do what the mail worker does."""
        with self.site.app.app_context():
            settings = current_app.extensions["notify"].settings
            used = transport or FlaskMailTransport(self.site.app, settings.mail_timeout)
            return digest.run_once(self.site.notify.models, settings, used, stop)

    def mails(self, key: Any = None) -> list[Any]:
        """Return the rows of the outbox, oldest first, with their bytes."""
        Mail: Any = self.site.notify.models.Mail
        with self.site.app.app_context():
            query = select(Mail.__table__).order_by(Mail.id)
            if key is not None:
                query = query.where(Mail.recipient_id == key)
            return list(self.site.db.session.execute(query))

    def messages(self, key: Any) -> list[Any]:
        """Return the rows of a user's messages, oldest first."""
        table = self.site.notify.models.message
        with self.site.app.app_context():
            query = select(table).where(table.c.recipient_id == key).order_by(table.c.id)
            return list(self.site.db.session.execute(query))

    def due_at(self, key: Any) -> float | None:
        """Return when a user's next mail is due."""
        table = self.site.notify.models.inbox
        with self.site.app.app_context():
            query = select(table.c.mail_due_at).where(table.c.recipient_id == key)
            due: float | None = self.site.db.session.scalar(query)
            return due


class Hasty(FlaskMailTransport):
    """Has little time for some addresses, and for the others as much as a slow machine may need.

    :param seconds: by address, for how long a mail to it is waited for.
    """

    def __init__(self, app: Flask, seconds: dict[str, float]) -> None:
        super().__init__(app, PATIENCE)
        self._seconds = seconds

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Return a conversation as usual, but for its time."""
        with super().connection() as connection:
            limited: Any = connection
            send = limited.send

            def send_in_time(sender: str, address: str, content: bytes) -> None:
                limited._timeout = self._seconds.get(address, PATIENCE)
                send(sender, address, content)

            limited.send = send_in_time
            yield connection


def make_office(url: str, smtp_port: int, directory: Path = Path(), **options: Any) -> Office:
    """Build an application on a database, that sends by the server on that port."""
    options = {
        "MAIL_SERVER": "127.0.0.1",
        "MAIL_PORT": smtp_port,
        "MAIL_SUPPRESS_SEND": False,
        "NOTIFY_BASE_URL": "https://example.org",
        "NOTIFY_MAIL_SENDER": "Microblog <news@example.org>",
        "SQLALCHEMY_ENGINE_OPTIONS": {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {},
        **options,
    }
    extra = options.pop("attributes", None)
    site = make_app(url, attributes={**addressed(), **extra} if extra else addressed, **options)
    for endpoint in ("messages", "message", "preferences", "unsubscribe"):
        if f"notify.{endpoint}" not in site.app.view_functions:
            site.app.add_url_rule(f"/{endpoint}", endpoint=f"notify.{endpoint}", view_func=str)
    return Office(site, directory)


def addressed() -> dict[str, Any]:
    """Return what a user has who gets mail."""
    return {"email": Column(String(320)), "is_active": Column(Boolean, default=True)}


def parsed(content: bytes) -> EmailMessage:
    return message_from_bytes(content, EmailMessage, policy=policy.default)


def text_of(content: bytes) -> str:
    body = parsed(content).get_body(["plain"])
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def told_in(content: bytes, *subjects: str) -> list[str]:
    """Return which of these subjects a mail tells of, in its order."""
    text = parsed(content)["Subject"] + "\n" + text_of(content)
    return sorted((subject for subject in subjects if subject in text), key=text.index)
