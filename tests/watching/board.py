"""A small application with posts, comments, tags and what else can be watched."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Boolean, Column, Date, DateTime, Enum, ForeignKey, Integer, String, Table, Text, select
from sqlalchemy.orm import Session, deferred

from flask_notify import WatchableMixin
from tests.apps import Site


class State(enum.Enum):
    """What a post can be."""

    DRAFT = "d"
    FINAL = "f"

    @property
    def label(self) -> str:
        """What people read."""
        return {"d": "Draft", "f": "Final version"}[self.value]


class Colour(enum.Enum):
    """An enum without labels."""

    RED = 1
    BLUE = 2


@dataclass
class Board:
    """The application, its models and its people."""

    site: Site
    Post: Any
    Comment: Any
    Tag: Any
    keys: dict[str, Any]

    @property
    def session(self) -> Session:
        """The application's session."""
        return self.site.db.session()

    def person(self, name: str) -> Any:
        """Return a user."""
        return self.session.get(self.site.User, self.keys[name])

    @property
    def ann(self) -> Any:
        """Return ann."""
        return self.person("ann")

    @property
    def bob(self) -> Any:
        """Return bob."""
        return self.person("bob")

    @property
    def cem(self) -> Any:
        """Return cem."""
        return self.person("cem")

    def told(self, name: str) -> list[str]:
        """Return the subjects of what somebody was told, oldest first."""
        return [message.subject for message in self.messages(name)]

    def bodies(self, name: str) -> list[list[str]]:
        """Return the lines of what somebody was told, oldest first."""
        shown = (message.body or "" for message in self.messages(name))
        return [body.split("<li>")[1:] for body in (one.replace("</li>", "").replace("</ul>", "") for one in shown)]

    def lines(self, name: str) -> list[str]:
        """Return the summary of the only message that somebody has."""
        (lines,) = self.bodies(name)
        return lines

    def messages(self, name: str) -> list[Any]:
        """Return what somebody was told, oldest first."""
        Message: Any = self.site.notify.Message
        query = select(Message).where(Message.recipient_id == self.keys[name]).order_by(Message.cursor)
        return list(self.session.scalars(query.execution_options(populate_existing=True)))


def make_board(build: Callable[..., Site], *, watch: tuple[str, ...] | None = None, **options: Any) -> Board:
    """Build the application, with its tables and people.

    :param watch: the ``__watch__`` of its posts.
    """
    people = ("ann", "bob", "cem")
    site = build(tables=False, **options)
    Post, Comment, Tag = make_models(site, watch)
    site.create_tables()
    return Board(site, Post, Comment, Tag, {name: site.add_user(name) for name in people})


def make_models(site: Site, watch: tuple[str, ...] | None = None) -> tuple[Any, Any, Any]:
    """Return models of posts, comments and tags."""
    db: Any = site.db
    user_key = site.User.__table__.c.id
    tagged = Table(
        "tagged",
        db.metadata,
        Column("post_id", ForeignKey("post.id"), primary_key=True),
        Column("tag_id", ForeignKey("tag.id"), primary_key=True),
    )

    class Tag(db.Model):
        id = Column(Integer, primary_key=True)
        name = Column(String(40))

    class Post(WatchableMixin, db.Model):
        __watch__ = watch
        __watch_secret__ = ("note",)
        __choices__ = {"priority": {1: "low", 2: "high"}}

        id = Column(Integer, primary_key=True)
        title = Column(String(200))
        body = Column(Text)
        author_id = Column(ForeignKey(user_key))
        author = db.relationship(site.User)
        tag_id = Column(ForeignKey("tag.id"))  # without a relationship
        state = Column(Enum(State))
        colour = Column(Enum(Colour))
        priority = Column(Integer, info={"label": "Urgency"})
        rank = Column(String(1), info={"choices": [("a", "first"), ("b", "second")]})
        closed = Column(Boolean)
        due = Column(Date)
        meets = Column(DateTime)
        views = Column(Integer, default=0)
        note = Column(String(100))
        password_hash = Column(String(100))
        data = Column(db.JSON)
        hidden = deferred(Column(String(100)))
        updated_at = Column(DateTime, onupdate=lambda: datetime.now(timezone.utc).replace(tzinfo=None))
        tags = db.relationship(Tag, secondary=tagged)

        def get_change_url(self) -> str:
            return f"/posts/{self.id}"

    class Comment(WatchableMixin, db.Model):
        __watch__ = ("text",)

        id = Column(Integer, primary_key=True)
        text = Column(String(200))
        post_id = Column(ForeignKey("post.id"))
        post = db.relationship(Post, backref="comments")

        def get_change_owner(self) -> Any:
            return self.post

        def __str__(self) -> str:
            return f"A comment on {self.post.title}"

    return Post, Comment, Tag
