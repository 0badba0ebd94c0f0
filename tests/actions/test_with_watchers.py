"""Actions on objects that are watched: what watchers are told of, and what they are not (rows E1, F1 and B3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from flask_notify import Action, ActionRequest, WatchableMixin
from flask_notify.errors import AnswerNeeded
from tests.apps import Site


@dataclass
class Watched:
    """An application with a post, which bob and cem watch, and an action that renames it."""

    site: Site
    Rename: Any
    post: Any
    people: dict[str, Any]

    def told(self, name: str) -> list[str]:
        """Return what somebody was told."""
        Message = self.site.notify.Message
        mine = select(Message.subject).where(Message.recipient_id == self.people[name].id)
        return list(self.site.db.session.scalars(mine))


@pytest.fixture
def watched(site: Site) -> Any:
    db = site.db

    class Post(WatchableMixin, db.Model):  # type: ignore[name-defined,misc]  # as Flask-SQLAlchemy has it
        id = db.Column(db.Integer, primary_key=True)
        title = db.Column(db.String(80))

        def __str__(self) -> str:
            return str(self.title)

    @site.notify.action
    class Rename(Action):
        target = Post

        def permitted(self, ar: ActionRequest, post: Any) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest, post: Any) -> None:
            post.title = "New"
            db.session.flush()  # it is noticed now
            ar.confirm("Rename it?", uid="rename")
            if ar.real_user.name == "ann":
                ar.success("Renamed.")
            else:
                ar.error("Not by you.")

    @site.notify.action
    class Look(Action):
        def permitted(self, ar: ActionRequest) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest) -> None:
            ar.success("Seen.")

    site.create_tables()
    with site.app.app_context():
        people = {name: site.User(name=name) for name in ("ann", "bob", "cem")}
        post = Post(title="Old")
        db.session.add_all([*people.values(), post])
        db.session.commit()
        post.watch(people["bob"])
        post.watch(people["cem"])
        db.session.commit()
        yield Watched(site, Rename, post, people)


def test_watchers_are_told_what_an_action_has_changed(watched: Watched) -> None:
    watched.Rename.run_for(watched.post, user=watched.people["ann"], answers=True)
    watched.site.db.session.commit()

    assert [len(watched.told(name)) for name in ("ann", "bob", "cem")] == [0, 1, 1]
    assert "ann" in watched.told("bob")[0]


def test_watchers_are_not_told_of_what_was_taken_back(watched: Watched) -> None:
    with pytest.raises(AnswerNeeded):
        watched.Rename.run_for(watched.post, user=watched.people["ann"])
    assert watched.Rename.run_for(watched.post, user=watched.people["ann"], answers=False).failed
    assert watched.Rename.run_for(watched.post, user=watched.people["bob"], answers=True).failed
    watched.site.db.session.commit()

    assert watched.post.title == "Old"
    assert [watched.told(name) for name in ("ann", "bob", "cem")] == [[], [], []]


def test_the_one_acted_as_is_who_has_changed_it(watched: Watched) -> None:
    ann, bob = watched.people["ann"], watched.people["bob"]

    watched.Rename.run_for(watched.post, user=ann, acting_as=bob, answers=True)
    watched.site.db.session.commit()

    assert watched.told("bob") == []
    assert "bob" in watched.told("cem")[0]


def test_what_was_changed_before_is_not_the_action_s_doing(watched: Watched) -> None:
    ann, bob = watched.people["ann"], watched.people["bob"]
    with watched.site.notify.acting_as(bob):
        watched.post.title = "Changed before"
        watched.site.notify.actions.find("look").run_for(user=bob, acting_as=ann)
    watched.site.db.session.commit()

    assert watched.told("bob") == []
    assert "bob" in watched.told("cem")[0]
