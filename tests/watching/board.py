"""A small application with posts, comments, tags and what else can be watched."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, ClassVar

from sqlalchemy import Boolean, Column, Date, DateTime, Enum, ForeignKey, Integer, String, Table, Text, select
from sqlalchemy.orm import Session, configure_mappers, deferred

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
    configure_mappers()
    site.create_tables()
    return Board(site, Post, Comment, Tag, {name: site.add_user(name) for name in people})


def make_models(site: Site, watch: tuple[str, ...] | None = None) -> tuple[Any, Any, Any]:
    """Return models of posts, comments and tags."""
    db: Any = site.db
    column: Any = Column
    user_key = site.User.__table__.c.id
    tagged = Table(
        "tagged",
        db.metadata,
        Column("post_id", ForeignKey("post.id"), primary_key=True),
        Column("tag_id", ForeignKey("tag.id"), primary_key=True),
    )

    class Tag(db.Model):  # type: ignore[misc]
        id = column(Integer, primary_key=True)
        name = column(String(40))

    class Post(WatchableMixin, db.Model):  # type: ignore[misc]
        __watch__ = watch
        __watch_secret__ = ("note",)
        __choices__: ClassVar[Any] = {"priority": {1: "low", 2: "high"}}

        id = column(Integer, primary_key=True)
        title = column(String(200))
        body = column(Text)
        author_id = column(ForeignKey(user_key))
        author = db.relationship(site.User)
        tag_id = column(ForeignKey("tag.id"))  # without a relationship
        state = column(Enum(State))
        colour = column(Enum(Colour))
        priority = column(Integer, info={"label": "Urgency"})
        rank = column(String(1), info={"choices": [("a", "first"), ("b", "second")]})
        closed = column(Boolean)
        due = column(Date)
        meets = column(DateTime)
        views = column(Integer, default=0)
        note = column(String(100))
        password_hash = column(String(100))
        data = column(db.JSON)
        hidden = deferred(column(String(100)))
        updated_at = column(DateTime, onupdate=lambda: datetime.now(timezone.utc).replace(tzinfo=None))
        tags = db.relationship(Tag, secondary=tagged)
        every_comment = db.relationship("Comment", viewonly=True)

        def get_change_url(self) -> str:
            return f"/posts/{self.id}"

    class Comment(WatchableMixin, db.Model):  # type: ignore[misc]
        __watch__ = ("text",)

        id = column(Integer, primary_key=True)
        text = column(String(200))
        post_id = column(ForeignKey("post.id"))
        post = db.relationship(Post, backref="comments")

        def get_change_owner(self) -> Any:
            return self.post

        def __str__(self) -> str:
            return f"A comment on {self.post.title}"

    return Post, Comment, Tag
