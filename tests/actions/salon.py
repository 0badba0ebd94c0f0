"""A salon whose threads and posts are shown by the tests of the renderers."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, ClassVar

from markupsafe import Markup
from sqlalchemy import Boolean, Date, DateTime, Enum, ForeignKey, Integer, LargeBinary, Numeric, String, Text, select

from flask_notify import Action, ActionRequest
from tests.apps import Site


class State(enum.Enum):
    """Of a thread."""

    OPEN = "open"
    UNDER_REVIEW = "review"


@dataclass
class Salon:
    """An application with threads and their posts."""

    site: Site
    Thread: Any
    Post: Any
    CloseThread: Any
    Announce: Any

    @property
    def session(self) -> Any:
        """The session of the current application context."""
        return self.site.db.session

    def ask(self, name: str | None = "ann", **options: Any) -> ActionRequest:
        """Return a request by a user."""
        return self.site.notify.action_request(user=None if name is None else self.user(name), **options)

    def add(self, *instances: Any) -> None:
        """Store some objects."""
        self.session.add_all(instances)
        self.session.commit()

    def user(self, name: str) -> Any:
        """Return a user by their name, who is made where there is none."""
        User = self.site.User
        found = self.session.scalar(select(User).where(User.name == name))
        if found is None:
            found = User(name=name)
            self.add(found)
        return found


def make_salon(site: Site) -> Salon:
    """Give an application its threads, with their tables."""
    db, User = site.db, site.User
    User.__str__ = lambda self: self.name

    class Thread(db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "thread"
        __table_args__: ClassVar[dict[str, Any]] = {"info": {"label": "Threads"}}
        __watch_secret__ = ("moderators_note",)

        id = db.Column(Integer, primary_key=True)
        title = db.Column(String(200), nullable=False)
        author_id = db.Column(ForeignKey("user.id"), info={"label": "Begun by"})
        state = db.Column(Enum(State))
        priority = db.Column(Integer, info={"choices": {1: "Can wait", 2: "Soon"}})
        score = db.Column(Numeric(8, 2))
        pinned = db.Column(Boolean)
        begun_on = db.Column(Date, info={"label": "Date"})
        last_post_at = db.Column(DateTime)
        invitation_token = db.Column(String(64))
        password_hash = db.Column(String(64))
        moderators_note = db.Column(Text)
        image = db.Column(LargeBinary)
        author = db.relationship(User)
        posts = db.relationship("Post", order_by="Post.id", back_populates="thread")

        def __str__(self) -> str:
            return str(self.title)

        @property
        def length(self) -> int:
            """How many posts it has."""
            return len(self.posts)

        @property
        def seen_at(self) -> datetime:
            """When it was seen, which is a time that knows its time zone."""
            return datetime(2026, 11, 21, 17, 30, tzinfo=timezone.utc)

        @property
        def stars(self) -> Markup:
            """Its priority, drawn."""
            return Markup("<b>{}</b>").format("*" * (self.priority or 0))

        def get_absolute_url(self) -> str:
            """Return where it is read."""
            return f"/threads/{self.id}"

    class Post(db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "post"

        id = db.Column(Integer, primary_key=True)
        thread_id = db.Column(ForeignKey("thread.id"))
        author_id = db.Column(ForeignKey("user.id"))
        text = db.Column(Text)
        thread = db.relationship(Thread, back_populates="posts")
        author = db.relationship(User)

        def __str__(self) -> str:
            return f"{self.author}: {self.text}"

    site.create_tables()
    return Salon(site, Thread, Post, *_make_actions(site, Thread))


def _make_actions(site: Site, thread: Any) -> tuple[Any, Any]:
    @site.notify.action
    class CloseThread(Action):
        """What the one who began a thread may do."""

        label = "Close <thread>"
        help_text = "Nobody can write in it then."
        target = thread

        def permitted(self, ar: ActionRequest, row: Any) -> bool:
            return bool(row.author is ar.user)

        def run(self, ar: ActionRequest, row: Any) -> None:
            ar.success(f"{row} is closed.")

    @site.notify.action
    class Announce(Action):
        """What everybody who is logged in may do."""

        danger = True

        def permitted(self, ar: ActionRequest) -> bool:
            return ar.user is not None

        def run(self, ar: ActionRequest) -> None:
            ar.success("Announced.")

    return CloseThread, Announce


def fill(salon: Salon) -> None:
    """Store three threads by two users."""
    ann, bob = salon.user("ann"), salon.user("bob")
    Thread, Post = salon.Thread, salon.Post
    tea = Thread(
        id=1,
        title="Tea & <biscuits>",
        author=ann,
        state=State.OPEN,
        priority=2,
        score=Decimal("12.50"),
        pinned=True,
        begun_on=date(2026, 3, 1),
        last_post_at=datetime(2026, 11, 21, 17, 30),  # noqa: DTZ001  # as a plain DateTime has it
        invitation_token="secret of tea",
        password_hash="secret of tea",
        moderators_note="secret of tea",
        image=b"secret of tea",
    )
    coffee = Thread(
        id=2, title="咖啡 im Café", author=bob, state=State.UNDER_REVIEW, score=Decimal("3.00"), pinned=False
    )
    water = Thread(id=12, title="Water:\nhot or cold?")
    posts = [
        Post(id=1, thread=tea, author=bob, text="Milk first?\n\nOr last?"),
        Post(id=2, thread=tea, author=ann, text="Never."),
        Post(id=3, thread=coffee, author=ann, text=""),
    ]
    salon.add(tea, coffee, water, *posts)
