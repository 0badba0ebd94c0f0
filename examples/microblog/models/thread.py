"""Discussions, and what people say in them."""

from __future__ import annotations

import enum
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from flask import url_for
from markupsafe import Markup
from sqlalchemy.orm import Mapped, mapped_column, relationship

from flask_notify import WatchableMixin

from ..extensions import Model, db
from ..languages import gettext
from ..times import UtcDateTime, utcnow
from .follow import Follow
from .user import User

if TYPE_CHECKING:
    from flask_notify.watching.changes import Change

#: How many characters a title, an opening and a comment may have.
MAX_TITLE = 100
MAX_OPENING = 2000
MAX_COMMENT = 1000

#: Who may read a thread: what is stored, and how people call it.
VISIBILITIES = [
    ("everybody", "Everybody"),
    ("members", "People with an account"),
    ("followers", "People who follow me"),
]


class Topic(enum.Enum):
    """What a thread is about."""

    TALK = "talk"
    HELP = "help"
    PLACES = "places"
    EVENTS = "events"

    @property
    def label(self) -> str:
        """The topic as people call it."""
        return _TOPICS[self]


_TOPICS = {
    Topic.TALK: "Small talk",
    Topic.HELP: "Help wanted",
    Topic.PLACES: "Around town",
    Topic.EVENTS: "Things to do",
}


class Thread(WatchableMixin, Model):
    """A discussion that one person opens and others join."""

    __tablename__ = "thread"
    __watch__ = ("title", "body", "topic", "visibility", "closed")
    # Keys are never reused, or a new thread could look like one already seen.
    __table_args__ = (
        sa.Index("ix_thread_author_id", "author_id"),
        sa.Index("ix_thread_active_at_id", "active_at", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(sa.String(MAX_TITLE), info={"label": "Title"})
    body: Mapped[str] = mapped_column(sa.String(MAX_OPENING), info={"label": "Opening"})
    topic: Mapped[Topic] = mapped_column(
        sa.Enum(Topic, native_enum=False, length=16), default=Topic.TALK, info={"label": "Topic"}
    )
    visibility: Mapped[str] = mapped_column(
        sa.String(16), default="everybody", info={"label": "Who may read it", "choices": VISIBILITIES}
    )
    closed: Mapped[bool] = mapped_column(default=False, server_default="0", info={"label": "Closed"})
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    # When somebody last said something in it.
    active_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    author: Mapped[User] = relationship()

    def __str__(self) -> str:
        return f"“{self.title}”"

    @property
    def audience(self) -> str:
        """Who may read it, in words."""
        if self.visibility == "followers":
            return f"People who follow {self.author.username}"
        return dict(VISIBILITIES)[self.visibility]

    @classmethod
    def seen_by(cls, reader: User | None) -> sa.ColumnElement[bool]:
        """Tell of which threads a person, or somebody without an account, can see."""
        if reader is None or reader.is_anonymous:
            return cls.visibility == "everybody"
        if reader.is_admin:
            return sa.true()
        return sa.or_(cls.visibility != "followers", cls.author_id == reader.id, _follows(reader.id, cls.author_id))

    @property
    def readers(self) -> sa.ColumnElement[bool]:
        """Tell which people with an account can see it: the same, the other way round."""
        if self.visibility != "followers":
            return sa.true()
        return sa.or_(User.is_admin, User.id == self.author_id, _follows(User.id, self.author_id))

    @classmethod
    def visible_to(cls, recipient: User | None, ids: Collection[int]) -> set[int]:
        """Tell which of these threads a person may see: messages about the others say nothing of them."""
        return set(db.session.scalars(sa.select(cls.id).where(cls.id.in_(ids), cls.seen_by(recipient))))

    def can_be_edited_by(self, user: User | None) -> bool:
        """Tell whether somebody may change what stands in it."""
        return user is not None and user.is_authenticated and (user.id == self.author_id or user.is_admin)

    def get_absolute_url(self) -> str:
        """Return the address of its page."""
        return url_for("threads.thread", thread_id=self.id)

    def get_change_url(self) -> str:
        """Lead those who watch it to its page."""
        return self.get_absolute_url()

    def get_change_subject(self, doer: User | None, change: Change) -> str | None:
        """Say nothing where it was closed and nothing else: who closed it has told what they wanted to tell."""
        if self.closed and [field.name for field in change.fields] == ["closed"]:
            return None
        return super().get_change_subject(doer, change)

    @property
    def participants(self) -> sa.Select[Any]:
        """Everybody who said something in it and may still read it, as a query of keys."""
        said = sa.select(Comment.author_id).where(Comment.thread_id == self.id)
        return sa.select(User.id).where(sa.or_(User.id == self.author_id, User.id.in_(said)), self.readers)


def _follows(follower_id: Any, followed_id: Any) -> sa.ColumnElement[bool]:
    return sa.exists().where(Follow.follower_id == follower_id, Follow.followed_id == followed_id)


class Comment(WatchableMixin, Model):
    """What somebody says in a thread."""

    __tablename__ = "comment"
    __watch__ = ("body",)
    # As keys of threads.
    __table_args__ = (
        sa.Index("ix_comment_thread_id_id", "thread_id", "id"),
        sa.Index("ix_comment_author_id", "author_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    thread_id: Mapped[int] = mapped_column(sa.ForeignKey("thread.id", ondelete="CASCADE"))
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    body: Mapped[str] = mapped_column(sa.String(MAX_COMMENT))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    thread: Mapped[Thread] = relationship()
    author: Mapped[User] = relationship()

    def __str__(self) -> str:
        return gettext("a comment on %(thread)s", thread=self.thread)

    @classmethod
    def visible_to(cls, recipient: User | None, ids: Collection[int]) -> set[int]:
        """Tell which of these comments a person may see: those in threads that they may read."""
        query = sa.select(cls.id).join(Thread, Thread.id == cls.thread_id)
        return set(db.session.scalars(query.where(cls.id.in_(ids), Thread.seen_by(recipient))))

    def can_be_deleted_by(self, user: User | None) -> bool:
        """Tell whether somebody may take it back."""
        return user is not None and user.is_authenticated and (user.id == self.author_id or user.is_admin)

    def get_change_owner(self) -> Thread:
        """Say what it is about: the thread."""
        return self.thread

    def get_change_subject(self, doer: User | None, change: Change) -> str | None:
        """Tell what was said, and not that it was taken back."""
        if change.kind != "created":
            return None
        return gettext("%(who)s commented on %(thread)s", who=doer or self.author, thread=self.thread)

    def get_change_body(self, doer: User | None, change: Change) -> Markup:  # noqa: ARG002
        """Quote it: where there is a body, lists show that and no subject."""
        said = Markup("<br>").join(self.body.splitlines())
        where = gettext("%(who)s in %(thread)s:", who=doer or self.author, thread=self.thread)
        return Markup("<p>{}</p><p>{}</p>").format(where, said)

    def get_change_url(self) -> str:
        """Lead to where it stands in the thread."""
        return url_for("threads.thread", thread_id=self.thread_id, _anchor=f"comment-{self.id}")
