"""Flask-Notify with its default settings, and an ORM user loader as most applications have it."""

from __future__ import annotations

import os
from datetime import datetime

import sqlalchemy as sa
import sqlalchemy.orm as so
from flask import Flask
from flask_login import LoginManager, UserMixin, login_user
from flask_sqlalchemy import SQLAlchemy

from flask_notify import Notify, RecipientMixin

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


application = Flask(__name__)
application.config["SECRET_KEY"] = "benchmark"
application.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
db.init_app(application)
login.init_app(application)
notify.init_app(application)


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
