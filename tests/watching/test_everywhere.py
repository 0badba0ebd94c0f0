"""A change is noticed wherever it is made, and whatever the model is like."""

from __future__ import annotations

import contextvars
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from flask_login import current_user
from sqlalchemy import Column, ForeignKey, Integer, String, Uuid, bindparam, event, update
from sqlalchemy.orm import Session, configure_mappers, declarative_base

from flask_notify import WatchableMixin
from flask_notify.errors import ConfigurationError, EmittedTooLate
from tests.apps import Site
from tests.matrix import Variant
from tests.servers import Database
from tests.watching.board import Board, make_board

ROOT = Path(__file__).parents[2]


def watched_post(board: Board) -> int:
    """Store a post that ann and bob watch, and return its key."""
    with board.site.app.app_context():
        post = board.Post(title="Plan")
        board.session.add(post)
        board.session.commit()
        for person in (board.ann, board.bob):
            post.watch(person)
        board.session.commit()
        return int(post.id)


def test_in_a_view_the_doer_is_who_is_logged_in(build: Callable[..., Site]) -> None:
    board = make_board(build)
    key = watched_post(board)

    @board.site.app.post("/rename")
    def rename() -> str:
        board.session.get_one(board.Post, key).title = "B"
        board.session.commit()
        return str(current_user.name)

    assert board.site.client(board.keys["ann"]).post("/rename").text == "ann"
    with board.site.app.app_context():
        assert (board.told("ann"), board.told("bob")) == ([], ["ann modified B"])


def test_who_works_as_another_is_told_and_the_other_is_not(build: Callable[..., Site]) -> None:
    board = make_board(build)
    key = watched_post(board)

    @board.site.app.post("/rename")
    def rename() -> str:
        with board.site.notify.acting_as(board.bob):
            board.session.get_one(board.Post, key).title = "B"
            board.session.commit()
        return ""

    board.site.client(board.keys["ann"]).post("/rename")
    with board.site.app.app_context():
        assert (board.told("ann"), board.told("bob")) == (["bob modified B"], [])


def test_in_a_command_nobody_is_the_doer(board: Board, post: Any) -> None:
    key = post.id

    @board.site.app.cli.command("rename")
    def rename() -> None:
        board.session.get_one(board.Post, key).title = "B"
        board.session.commit()

    result = board.site.app.test_cli_runner().invoke(args=["rename"])

    assert result.exit_code == 0, result.output
    assert board.told("bob") == ["B was modified"]


def test_in_a_session_of_ones_own(board: Board, post: Any) -> None:
    key = post.id
    board.session.rollback()
    with Session(board.site.db.engine) as session, session.begin():
        session.get_one(board.Post, key).title = "B"
    with Session(board.site.db.engine) as session:
        session.delete(session.get_one(board.Post, key))
        session.commit()

    (message,) = board.messages("bob")
    assert (message.subject, message.count) == ("B was deleted", 2)


def test_outside_an_application_it_says_so_and_is_committed(board: Board, post: Any) -> None:
    key, engine = post.id, board.site.db.engine
    board.session.rollback()
    found: list[str] = []

    def change() -> None:
        with Session(engine) as session, session.begin():
            session.get_one(board.Post, key).title = "B"
        found.append("committed")

    with pytest.warns(UserWarning, match="outside an application context"):
        contextvars.Context().run(change)

    assert (found, board.told("bob")) == (["committed"], [])
    board.session.expire_all()
    assert board.session.get_one(board.Post, key).title == "B"


def test_a_statement_in_bulk_is_not_noticed(board: Board, post: Any) -> None:
    board.session.execute(update(board.Post).values(title="B"))
    table: Any = board.Post.__table__
    board.session.execute(table.update().where(table.c.id == bindparam("key")).values(title="C"), [{"key": post.id}])
    board.session.commit()

    assert board.told("bob") == []


def test_the_outer_commit_tells_what_an_open_savepoint_has_changed(board: Board, post: Any) -> None:
    key = post.id
    board.session.commit()
    with board.session.begin():
        found = board.session.get_one(board.Post, key)
        board.session.begin_nested()
        found.title = "B"
        board.session.begin_nested()
        found.body = "Other"

    assert board.lines("bob") == ["title: Plan → B", "body: One line → Other"]


def test_what_a_listener_changes_after_the_stamp_is_refused(board: Board, post: Any) -> None:

    session = board.session

    def change_late(_: Session) -> None:
        post.views = 7

    event.listen(session, "before_commit", change_late)
    post.title = "B"
    with pytest.raises(EmittedTooLate, match="before_flush"):
        session.commit()
    session.rollback()
    event.remove(session, "before_commit", change_late)

    assert (post.title, board.told("bob")) == ("Plan", [])


def test_every_kind_of_key_and_base(build: Callable[..., Site], variant: Variant) -> None:
    site = build(key=variant.key, base=variant.base, tables=False)
    db: Any = site.db
    column: Any = Column
    Thing = type(db.Model)(
        "Thing",
        (WatchableMixin, db.Model),
        {
            "__tablename__": "thing",
            "id": column(Uuid() if variant.key == "uuid" else String(40), primary_key=True),
            "name": column(String(40)),
            "owner_id": column(ForeignKey(site.User.__table__.c.id)),
        },
    )
    site.create_tables()
    keys = [site.add_user(name) for name in ("ann", "bob")]
    with site.app.app_context():
        session = site.db.session
        thing = Thing(id=uuid.uuid4() if variant.key == "uuid" else "A b/c", name="Old")
        session.add(thing)
        session.commit()
        thing.watch(site.user(keys[0]), "weekly")
        session.commit()
        thing.name = "New"
        thing.owner_id = keys[1]
        session.commit()

        (message,) = site.user(keys[0]).messages_received
        assert (message.subject, message.mail_mode) == ("New was modified", "weekly")
        assert "<li>name: Old → New</li><li>owner: — → bob</li>" in message.body
        assert message.target_id == str(thing.id)
        with site.notify.acting_as(site.user(keys[1])):
            thing.name = "Newest"
            session.commit()
        session.refresh(message)
        assert (message.subject, message.count, message.sender_id) == ("bob modified Newest", 2, keys[1])


def test_models_that_inherit_are_noticed_with_all_their_fields(build: Callable[..., Site]) -> None:
    site = build(tables=False)
    db: Any = site.db
    column: Any = Column

    class Item(WatchableMixin, db.Model):  # type: ignore[misc]
        id = column(Integer, primary_key=True)
        kind = column(String(20))
        name = column(String(20))
        __mapper_args__: ClassVar[Any] = {"polymorphic_on": "kind", "polymorphic_identity": "item"}

    class Book(Item):  # joined
        id = column(ForeignKey("item.id"), primary_key=True)
        pages = column(Integer)
        __mapper_args__: ClassVar[Any] = {"polymorphic_identity": "book"}

    class Toy(Item):  # single table
        colour = column(String(20))
        __mapper_args__: ClassVar[Any] = {"polymorphic_identity": "toy"}

    site.create_tables()
    key = site.add_user("ann")
    with site.app.app_context():
        session = site.db.session
        book, toy = Book(name="Sagas", pages=1), Toy(name="Bear", colour="red")
        session.add_all([book, toy])
        session.commit()
        for item in (book, toy):
            item.watch(site.user(key))
        session.commit()
        session.expunge_all()
        items = {item.name: item for item in session.scalars(db.select(Item))}
        items["Sagas"].pages, items["Sagas"].name = 2, "Edda"
        items["Bear"].colour = "blue"
        session.commit()

        bodies = {message.target_type: message.body for message in site.user(key).messages_received}
    assert "<li>name: Sagas → Edda</li><li>pages: 1 → 2</li>" in bodies["Book"]
    assert "<li>colour: red → blue</li>" in bodies["Toy"]


def test_a_key_of_two_columns_is_refused(build: Callable[..., Site]) -> None:
    site = build(tables=False)
    db: Any = site.db
    column: Any = Column

    class Pair(WatchableMixin, db.Model):  # type: ignore[misc]
        left = column(Integer, primary_key=True)
        right = column(Integer, primary_key=True)

    with pytest.raises(ConfigurationError, match=r"Pair must have a primary key of one column.*left, right"):
        configure_mappers()
    db.Model.registry.dispose()


def test_a_model_that_is_none_of_flask_sqlalchemy_is_refused() -> None:

    Base: Any = declarative_base()

    class Alone(WatchableMixin, Base):  # type: ignore[misc]
        __tablename__ = "alone"
        id = Column(Integer, primary_key=True)

    with pytest.raises(ConfigurationError, match="must be a model of Flask-SQLAlchemy"):
        configure_mappers()
    Base.registry.dispose()


def test_an_object_in_another_bind_than_the_users_is_told_as_well(build: Callable[..., Site], tmp_path: Path) -> None:
    site = build(tables=False, SQLALCHEMY_BINDS={"other": f"sqlite:///{tmp_path / 'other.sqlite'}"})
    db: Any = site.db
    column: Any = Column

    class Elsewhere(WatchableMixin, db.Model):  # type: ignore[misc]
        __bind_key__ = "other"
        id = column(Integer, primary_key=True)
        name = column(String(20))

    site.create_tables()
    key = site.add_user("ann")
    with site.app.app_context():
        session = site.db.session
        thing = Elsewhere(name="Old")
        session.add(thing)
        session.commit()
        thing.watch(site.user(key))
        session.commit()
        thing.name = "New"
        session.commit()

        assert [message.subject for message in site.user(key).messages_received] == ["New was modified"]


@pytest.mark.databases("sqlite")
def test_a_new_object_with_a_reused_key_has_none_of_the_watchers_before(board: Board, post: Any) -> None:
    key = post.id
    table: Any = board.Post.__table__
    board.session.execute(table.delete())
    board.session.commit()
    board.session.expunge_all()
    again = board.Post(title="Another")
    board.session.add(again)
    board.session.commit()

    assert again.id == key
    assert (board.told("bob"), again.watchers) == ([], [])


def test_a_session_without_watched_objects_is_not_listened_to(board: Board) -> None:
    board.session.add(board.Tag(name="red"))
    board.session.flush()

    assert "flask_notify" not in board.session.info


KILLED = """
import os, signal, sys
from sqlalchemy import event
sys.path.insert(0, {root!r})
from tests.apps import make_app
from tests.watching.board import make_models
site = make_app({url!r})
Post, Comment, Tag = make_models(site)
with site.app.app_context():
    event.listen(site.db.engine, "commit", lambda _: os.kill(os.getpid(), signal.SIGKILL))
    site.db.session.get_one(Post, {key!r}).title = "B"
    site.db.session.commit()
"""


def test_a_process_that_is_killed_in_its_commit_leaves_nothing(database: Database, board: Board, post: Any) -> None:
    key = post.id
    board.session.rollback()
    program = KILLED.format(root=str(ROOT), url=database.url, key=key)

    ended = subprocess.run([sys.executable, "-c", program], check=False, cwd=ROOT)

    assert ended.returncode == -signal.SIGKILL
    assert board.told("bob") == []
    assert board.session.get_one(board.Post, key).title == "Plan"
    board.session.get_one(board.Post, key).title = "C"
    board.session.commit()
    assert board.lines("bob") == ["title: Plan → C"]
