"""A small forum, whose threads are closed, moved and deleted by actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, Integer, String
from wtforms import Form, IntegerField, StringField
from wtforms.validators import InputRequired, Length

from flask_notify import Action, ActionRequest, NotifyingAction
from tests.apps import Site


class MoveForm(Form):  # type: ignore[misc]  # untyped
    """Where a thread is moved to."""

    topic = StringField("Topic", [InputRequired("Name a topic."), Length(max=20)], filters=[lambda t: t and t.strip()])
    place = IntegerField("Place", default=1)


@dataclass
class Forum:
    """An application with threads of users, and what can be done with them."""

    site: Site
    Thread: Any
    actions: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        if name in self.actions:
            return self.actions[name]
        raise AttributeError(name)

    @property
    def session(self) -> Any:
        """The session of the current application context."""
        return self.site.db.session

    def user(self, name: str) -> Any:
        """Return a user by name, making them if need be."""
        User = self.site.User
        found = self.session.scalar(self.site.db.select(User).where(User.name == name))
        if found is None:
            found = User(name=name)
            self.session.add(found)
            self.session.commit()
        return found

    def thread(self, author: Any, title: str = "Lunch", **values: Any) -> Any:
        """Store a thread."""
        thread = self.Thread(author_id=author.id, title=title, **values)
        self.session.add(thread)
        self.session.commit()
        return thread


def make_forum(site: Site) -> Forum:
    """Add threads and actions to an application, and their table to its database."""
    Thread = make_thread(site.db)
    site.create_tables()
    made = [make(site, Thread) for make in (_close, _move, _close_several, _announce, _delete)]
    return Forum(site, Thread, {action.__name__: action for action in made})


def make_thread(db: SQLAlchemy) -> Any:
    """Return the model of threads; one that is hidden is seen by its author alone."""

    class Thread(db.Model):  # type: ignore[name-defined,misc]  # as Flask-SQLAlchemy has it
        id = db.Column(Integer, primary_key=True)
        author_id = db.Column(Integer, ForeignKey("user.id"))
        title = db.Column(String(80), nullable=False)
        topic = db.Column(String(80))
        closed = db.Column(db.Boolean, default=False, nullable=False)
        hidden = db.Column(db.Boolean, default=False, nullable=False)
        times_closed = db.Column(Integer, default=0, nullable=False)

        def __str__(self) -> str:
            return str(self.title)

        def get_absolute_url(self) -> str:
            return f"/threads/{self.id}"

        @classmethod
        def visible_to(cls, user: Any, ids: set[int]) -> set[int]:
            seen = db.select(cls.id).where(cls.id.in_(ids), ~cls.hidden | (cls.author_id == getattr(user, "id", None)))
            return set(db.session.scalars(seen))

    return Thread


def _close(site: Site, Thread: Any) -> type[Action]:
    @site.notify.action
    class CloseThread(NotifyingAction):
        """What the issue shows."""

        label = "Close thread"
        target = Thread
        lock_rows = True
        # Tests tell by it who has reached what.
        before_closing: Callable[[], None] = staticmethod(lambda: None)

        def permitted(self, ar: ActionRequest, thread: Any) -> bool:
            return bool(thread.author_id == getattr(ar.user, "id", None)) and not thread.closed

        def get_notify_recipients(self, ar: ActionRequest, thread: Any) -> Any:  # noqa: ARG002
            return site.db.session.scalars(site.db.select(site.User).order_by(site.User.id))

        def run(self, ar: ActionRequest, thread: Any) -> None:
            thread.times_closed += 1
            ar.confirm(f"Close “{thread.title}”?", uid="close")
            self.before_closing()
            thread.closed = True
            ar.success("Closed.", refresh=True)

    return CloseThread


def _move(site: Site, Thread: Any) -> type[Action]:
    @site.notify.action
    class MoveThread(Action):
        """One with parameters."""

        target = Thread
        form = MoveForm

        def permitted(self, ar: ActionRequest, thread: Any) -> bool:  # noqa: ARG002
            return ar.user is not None

        def initial(self, ar: ActionRequest, thread: Any) -> dict[str, Any]:  # noqa: ARG002
            return {"topic": thread.topic}

        def run(self, ar: ActionRequest, thread: Any) -> None:
            thread.topic = ar.params["topic"]
            ar.success(f"Moved to {thread.topic}, place {ar.params['place']}.", goto_url=f"/topics/{thread.topic}")

    return MoveThread


def _close_several(site: Site, Thread: Any) -> type[Action]:
    @site.notify.action
    class CloseSeveral(Action):
        """One on selected rows: it runs another on each."""

        target = Thread
        select = "many"

        def permitted(self, ar: ActionRequest, thread: Any) -> bool:
            return bool(thread.author_id == ar.user.id)

        def run(self, ar: ActionRequest, threads: Any) -> None:
            for thread in threads:
                if thread.title == "broken":
                    raise ZeroDivisionError
                if thread.title == "stuck":
                    ar.error("One is <stuck>.")
                thread.closed = True
                site.notify.send(f"{thread} is closed", to=ar.user, sender=None)
            ar.success(f"{len(threads)} closed: {', '.join(map(str, threads))}")

    return CloseSeveral


def _announce(site: Site, Thread: Any) -> type[Action]:  # noqa: ARG001
    @site.notify.action
    class Announce(Action):
        """One without rows."""

        form = MoveForm

        def permitted(self, ar: ActionRequest) -> bool:
            return bool(ar.user is not None and ar.user.name == "root")

        def run(self, ar: ActionRequest) -> None:
            site.notify.send(ar.params["topic"], to=site.db.select(site.User.id))

    return Announce


def _delete(site: Site, Thread: Any) -> type[Action]:
    @site.notify.action
    class DeleteThread(Action):
        """One that asks twice."""

        target = Thread
        danger = True

        def permitted(self, ar: ActionRequest, thread: Any) -> bool:
            return bool(thread.author_id == ar.user.id)

        def run(self, ar: ActionRequest, thread: Any) -> None:
            ar.confirm("Delete it?", uid="delete")
            ar.confirm("Really?", "It is gone then.", uid="really")
            site.db.session.delete(thread)
            ar.success("Deleted.", record_deleted=True)

    return DeleteThread
