"""People."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from flask_login import UserMixin
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.security import check_password_hash, generate_password_hash

from flask_notify import RecipientMixin

from ..extensions import Model, db, login
from ..times import UtcDateTime, utcnow


class User(RecipientMixin, UserMixin, Model):  # type: ignore[misc]  # Flask-Login comes without types
    """Somebody with an account."""

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(sa.String(32), unique=True)
    email: Mapped[str] = mapped_column(sa.String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(sa.String(256))
    about_me: Mapped[str] = mapped_column(sa.String(160), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    last_seen: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    # Up to which post of the home feed, and which follow, this person has looked.
    feed_seen_id: Mapped[int] = mapped_column(default=0)
    followers_seen_id: Mapped[int] = mapped_column(default=0)
    # May announce something to everybody, and take posts off the pages.
    is_admin: Mapped[bool] = mapped_column(default=False, server_default="0")

    def __repr__(self) -> str:
        return f"<User {self.username}>"

    def __str__(self) -> str:
        return self.username

    def set_password(self, password: str) -> None:
        """Keep the hash of *password*."""
        self.password_hash = generate_password_hash(password)

    def check_password(self, password: str) -> bool:
        """Tell whether *password* is this person's."""
        return check_password_hash(self.password_hash, password)

    @classmethod
    def named(cls, username: str) -> User | None:
        """Find the person called *username*, in whatever case it is written."""
        query = sa.select(cls).where(cls.username == username.lower())
        return db.session.scalars(query).first()

    @classmethod
    def locked(cls, who: sa.ColumnElement[bool]) -> Sequence[User]:
        """Load the people for whom *who* holds, and lock their rows till the commit.

        In key order, because two who lock the same people in opposite orders would
        wait for each other. SQLite has no row locks and needs none: there the first
        write of a transaction locks the whole database.
        """
        query = sa.select(cls).where(who).order_by(cls.id)
        query = query.with_for_update(key_share=True)
        return db.session.scalars(query, execution_options={"populate_existing": True}).all()


@login.user_loader  # type: ignore[untyped-decorator]
def load_user(key: str) -> User | None:
    """Load who is logged in."""
    return db.session.get(User, int(key))
