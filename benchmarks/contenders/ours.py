"""Flask-Notify with its default settings, and an ORM user loader as most applications have it."""

from __future__ import annotations

import logging
import os
import resource
from datetime import datetime
from time import perf_counter
from typing import Any

import sqlalchemy as sa
import sqlalchemy.orm as so
from flask import Flask
from flask_login import LoginManager, UserMixin, login_user
from flask_mail import Mail
from flask_sqlalchemy import SQLAlchemy

from flask_notify import MessageType, Notify, RecipientMixin
from flask_notify.mailing import digest
from flask_notify.mailing.transport import FlaskMailTransport
from flask_notify.running import expiry

db = SQLAlchemy()
login = LoginManager()
notify = Notify(db=db)


class User(RecipientMixin, UserMixin, db.Model):  # type: ignore[name-defined,misc]  # made at run time
    """The same user as the tutorial's."""

    id: so.Mapped[int] = so.mapped_column(primary_key=True)
    username: so.Mapped[str] = so.mapped_column(sa.String(64), index=True, unique=True)
    email: so.Mapped[str] = so.mapped_column(sa.String(120), index=True, unique=True)
    password_hash: so.Mapped[str | None] = so.mapped_column(sa.String(256))
    about_me: so.Mapped[str | None] = so.mapped_column(sa.String(140))
    last_seen: so.Mapped[datetime | None]


@notify.message_type
class Announced(MessageType):
    """A message of which everybody gets their own text."""

    text: str

    def subject(self, recipient: Any) -> str:
        """Address the recipient by name."""
        return f"{recipient.username}, {self.text}"


application = Flask(__name__)
application.config["SECRET_KEY"] = "benchmark"
application.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
application.config["MAIL_PORT"] = int(os.environ.get("MAIL_PORT", "25"))
application.config["MAIL_DEFAULT_SENDER"] = "Benchmark <benchmark@example.com>"
application.config["NOTIFY_BASE_URL"] = "https://example.com"
application.config["NOTIFY_BROKER_URL"] = os.environ.get("BROKER_URL")
db.init_app(application)
Mail(application)
login.init_app(application)
notify.init_app(application)
# That there is no scheduler is meant so: whoever emits moves what was emitted, and is timed.
logging.getLogger("flask_notify").setLevel(logging.ERROR)


@login.user_loader  # type: ignore[untyped-decorator]  # Flask-Login has no types
def load_user(key: str) -> User | None:
    """Load the user of the session."""
    return db.session.get(User, int(key))


@application.post("/login/<int:key>")
def log_in(key: int) -> str:
    """Give the benchmark's client a session."""
    login_user(db.session.get_one(User, key))
    return ""


def create_schema() -> None:
    """Make the tables."""
    with application.app_context():
        db.create_all()


def ready() -> None:
    """Answer as soon as everything is imported."""


def tell(recipients: int) -> float:
    """Tell users one text, and return the seconds until the last of them has it."""
    return _seconds("Maintenance begins at ten o'clock", recipients)


def tell_each(recipients: int) -> float:
    """Tell users a text of their own each."""
    return _seconds(Announced(text="maintenance begins at ten o'clock"), recipients)


def _seconds(what: Any, recipients: int) -> float:
    with application.app_context():
        begin = perf_counter()
        notify.send(what, to=sa.select(User.id).where(User.id <= recipients))
        # Nobody else moves it, so that the commit returns when everybody has it.
        db.session.commit()
        return perf_counter() - begin


def broadcast() -> float:
    """Give all users a live value, and return the seconds until the last of them has it."""
    with application.app_context():
        begin = perf_counter()
        notify.broadcast("maintenance", {"at": "22:00"})
        db.session.commit()
        return perf_counter() - begin


def insert_select(recipients: int) -> float:
    """Write the same rows by one statement, without the count and the cursor."""
    statement = sa.text(
        "INSERT INTO notify_message (recipient_id, type, subject, cursor, created_at, mail_mode, rule, count, rich) "
        "SELECT id, 'system', 'Maintenance begins at ten o''clock', :now, :now, 'often', 'default', 1, FALSE "
        'FROM "user" WHERE id <= :recipients'
    )
    with application.app_context():
        begin = perf_counter()
        db.session.execute(statement, {"now": notify.clock(), "recipients": recipients})
        db.session.commit()
        return perf_counter() - begin


def largest_transaction(recipients: int) -> int:
    """Tell users a text each, and return how many messages the largest transaction wrote."""
    newest = "SELECT max(id) FROM notify_message"
    seen = [0]
    sizes = []

    def count(connection: sa.Connection) -> None:
        last = int(connection.exec_driver_sql(newest).scalar_one() or 0)
        sizes.append(last - seen[0])
        seen[0] = last

    with application.app_context():
        with db.engine.connect() as connection:
            seen[0] = int(connection.exec_driver_sql(newest).scalar_one() or 0)
        sa.event.listen(db.engine, "commit", count)
        _seconds(Announced(text="maintenance begins at ten o'clock"), recipients)
        sa.event.remove(db.engine, "commit", count)
    return max(sizes)


def peak_memory() -> int:
    """Return the most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def delete_plainly() -> dict[str, float]:
    """Remove the old messages that were seen by one statement, and return the seconds that it took."""
    old = notify.clock() - settings().remove_after * 3600
    statement = sa.text("DELETE FROM notify_message WHERE created_at < :old AND seen_at IS NOT NULL")
    with application.app_context():
        begin = perf_counter()
        db.session.execute(statement, {"old": old})
        db.session.commit()
        return {"seconds": perf_counter() - begin}


def expire() -> dict[str, float]:
    """Remove what is old as the job does; return the seconds that it took, and the rows of the largest batch."""
    with application.app_context():
        begin = perf_counter()
        batches = [batch.removed for batch in expiry.expire(notify.models, settings(), now=notify.clock())]
        return {"seconds": perf_counter() - begin, "largest": max(batches)}


def settings() -> Any:
    """Return the application's settings."""
    return application.extensions["notify"].settings


def send_mail() -> dict[str, float]:
    """Send all mail that is due as the job does, and return how many mails and how many seconds it were."""
    with application.app_context():
        begin = perf_counter()
        transport = FlaskMailTransport(application, settings().mail_timeout)
        summary = digest.run_once(notify.models, settings(), transport)
        return {"sent": summary.outcomes["sent"], "seconds": perf_counter() - begin}
