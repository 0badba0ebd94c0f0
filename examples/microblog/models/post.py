"""What people write."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from textwrap import shorten

import sqlalchemy as sa
from flask import url_for
from sqlalchemy.orm import Mapped, mapped_column, relationship

from flask_notify import WatchableMixin

from ..extensions import Model, db
from ..times import UtcDateTime, utcnow
from .user import User

#: How many characters a post may have.
MAX_LENGTH = 280


class Post(WatchableMixin, Model):
    """A few lines by one person."""

    __tablename__ = "post"
    # Who watches a post hears when it says something else; that it was taken off the pages is told its author alone.
    __watch__ = ("body",)
    # Keys are never reused, or a new post could look like one already seen.
    __table_args__ = (
        sa.Index("ix_post_author_id_id", "author_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    body: Mapped[str] = mapped_column(sa.String(MAX_LENGTH), info={"label": "Text"})
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    # Taken off the pages by an administrator: its author alone can see it.
    is_hidden: Mapped[bool] = mapped_column(default=False, server_default="0")

    author: Mapped[User] = relationship()

    def __str__(self) -> str:
        return f"“{shorten(self.body, 40, placeholder='…')}”"

    @classmethod
    def seen_by(cls, reader: User | None) -> sa.ColumnElement[bool]:
        """Tell of which posts a person, or somebody without an account, can see."""
        shown = sa.not_(cls.is_hidden)
        if reader is None or reader.is_anonymous:
            return shown
        return sa.true() if reader.is_admin else sa.or_(shown, cls.author_id == reader.id)

    @classmethod
    def visible_to(cls, recipient: User | None, ids: Collection[int]) -> set[int]:
        """Tell which of these posts a person may see: messages about the others say nothing of them."""
        return set(db.session.scalars(sa.select(cls.id).where(cls.id.in_(ids), cls.seen_by(recipient))))

    def can_be_edited_by(self, user: User) -> bool:
        """Tell whether somebody may change what it says."""
        return user.is_authenticated and (user.id == self.author_id or user.is_admin)

    def get_absolute_url(self) -> str:
        """Return the address of its page."""
        return url_for("main.post", post_id=self.id)

    def get_change_url(self) -> str:
        """Lead those who watch it to its page."""
        return self.get_absolute_url()
