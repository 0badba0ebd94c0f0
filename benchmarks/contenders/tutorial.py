"""The Mega-Tutorial's route, written plainly, on the tutorial's own schema.

The schema is that of the tutorial's newer edition, which has an index on ``user_id``; the first
edition does not, and slows down with every row that anybody else has.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from time import perf_counter, time
from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm as so
from flask import Flask, request
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
login = LoginManager()


class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]  # made at run time
    """The tutorial's user, as far as its notifications need it."""

    id: so.Mapped[int] = so.mapped_column(primary_key=True)
    username: so.Mapped[str] = so.mapped_column(sa.String(64), index=True, unique=True)
    email: so.Mapped[str] = so.mapped_column(sa.String(120), index=True, unique=True)
    password_hash: so.Mapped[str | None] = so.mapped_column(sa.String(256))
    about_me: so.Mapped[str | None] = so.mapped_column(sa.String(140))
    last_seen: so.Mapped[datetime | None]
    notifications = db.relationship("Notification", backref="user", lazy="dynamic")


class Notification(db.Model):  # type: ignore[name-defined,misc]  # made at run time
    """The tutorial's notification."""

    id: so.Mapped[int] = so.mapped_column(primary_key=True)
    name: so.Mapped[str] = so.mapped_column(sa.String(128), index=True)
    user_id: so.Mapped[int] = so.mapped_column(sa.ForeignKey(User.id), index=True)
    timestamp: so.Mapped[float] = so.mapped_column(index=True, default=time)
    payload_json: so.Mapped[str] = so.mapped_column(sa.Text)

    def get_data(self) -> Any:
        """Return the value that was stored."""
        return json.loads(str(self.payload_json))


class Message(db.Model):  # type: ignore[name-defined,misc]  # made at run time
    """The tutorial's private message."""

    id: so.Mapped[int] = so.mapped_column(primary_key=True)
    sender_id: so.Mapped[int] = so.mapped_column(sa.ForeignKey(User.id), index=True)
    recipient_id: so.Mapped[int] = so.mapped_column(sa.ForeignKey(User.id), index=True)
    body: so.Mapped[str] = so.mapped_column(sa.String(140))
    timestamp: so.Mapped[datetime] = so.mapped_column(index=True, default=lambda: datetime.now(timezone.utc))


application = Flask(__name__)
application.config["SECRET_KEY"] = "benchmark"
application.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
db.init_app(application)
login.init_app(application)


@login.user_loader  # type: ignore[untyped-decorator]  # Flask-Login has no types
def load_user(key: str) -> User | None:
    """Load the user of the session."""
    return db.session.get(User, int(key))


@application.post("/login/<int:key>")
def log_in(key: int) -> str:
    """Give the benchmark's client a session."""
    login_user(db.session.get_one(User, key))
    return ""


@application.get("/notifications")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def notifications() -> list[dict[str, Any]]:
    """Answer a poll, as the tutorial does."""
    since = request.args.get("since", 0.0, type=float)
    found = current_user.notifications.filter(Notification.timestamp > since).order_by(Notification.timestamp.asc())
    return [{"name": n.name, "data": n.get_data(), "timestamp": n.timestamp} for n in found]


def create_schema() -> None:
    """Make the tables."""
    with application.app_context():
        db.create_all()


def ready() -> None:
    """Answer as soon as everything is imported."""


def tell(recipients: int) -> float:
    """Send users a message each, in one transaction, and return the seconds that it took."""
    with application.app_context():
        begin = perf_counter()
        sender = db.session.get_one(User, 1)
        for user in db.session.scalars(sa.select(User).where(User.id <= recipients)):
            db.session.add(Message(sender_id=sender.id, recipient_id=user.id, body="Maintenance begins at ten o'clock"))
            _count_anew(user)
        db.session.commit()
        return perf_counter() - begin


def _count_anew(user: User) -> None:
    # As the tutorial does it: count, delete, insert.
    unread = sa.select(sa.func.count()).where(
        Message.recipient_id == user.id,
        Message.timestamp > (user.last_seen or datetime(1900, 1, 1)),  # noqa: DTZ001
    )
    count = db.session.scalar(unread)
    name = "unread_message_count"
    db.session.execute(sa.delete(Notification).where(Notification.user_id == user.id, Notification.name == name))
    db.session.add(Notification(name=name, payload_json=json.dumps(count), user_id=user.id))
