"""What an action does is all there, or nothing of it is, on every database (row F1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select
from sqlalchemy.exc import IntegrityError

from flask_notify import Action, ActionRequest
from flask_notify.errors import TransactionEnded
from tests.actions.forum import Forum, make_forum
from tests.apps import Site


def titles_of_closed(forum: Forum) -> set[str]:
    """Return what another transaction sees."""
    with forum.site.app.app_context():
        return set(forum.session.scalars(select(forum.Thread.title).where(forum.Thread.closed)))


def count_messages(forum: Forum) -> int:
    with forum.site.app.app_context():
        return int(forum.session.scalar(select(func.count()).select_from(forum.site.notify.Message)))


@pytest.fixture
def doing(forum: Forum) -> Callable[[Callable[[ActionRequest, Any], None]], Any]:
    """Declare an action on a thread that does what a function says."""

    def declare(do: Callable[[ActionRequest, Any], None]) -> Any:
        class Do(Action):
            target = forum.Thread

            def permitted(self, ar: ActionRequest, thread: Any) -> bool:  # noqa: ARG002
                return True

            def run(self, ar: ActionRequest, thread: Any) -> None:
                do(ar, thread)

        return forum.site.notify.action(Do)

    return declare


def test_a_batch_of_which_one_raises_is_taken_back(forum: Forum) -> None:
    ann = forum.user("ann")
    threads = [forum.thread(ann, title) for title in ("one", "broken", "two")]

    with pytest.raises(ZeroDivisionError):
        forum.CloseSeveral.run_for(threads, user=ann)
    forum.session.commit()

    assert titles_of_closed(forum) == set()
    assert count_messages(forum) == 0


def test_a_batch_of_which_one_fails_is_taken_back_whatever_is_said_later(forum: Forum) -> None:
    ann = forum.user("ann")
    threads = [forum.thread(ann, title) for title in ("one", "stuck", "two")]

    response = forum.CloseSeveral.run_for(threads, user=ann)
    forum.session.commit()

    assert response.failed
    assert response.message == "One is <stuck>."
    assert titles_of_closed(forum) == set()
    assert count_messages(forum) == 0


def test_what_the_caller_did_before_stays(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann, "broken")
    other = forum.thread(ann, "other")
    other.closed = True

    with pytest.raises(ZeroDivisionError):
        forum.CloseSeveral.run_for([thread], user=ann)
    forum.session.commit()

    assert titles_of_closed(forum) == {"other"}


def test_the_caller_s_rollback_takes_a_success_back_too(forum: Forum) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    thread = forum.thread(ann)

    forum.CloseThread.run_for(thread, user=ann, answers=True)
    forum.session.rollback()
    forum.session.commit()

    assert titles_of_closed(forum) == set()
    assert count_messages(forum) == 0
    assert bob.unread_message_count == 0


def test_objects_are_as_they_were_after_it_was_taken_back(forum: Forum, doing: Callable[..., Any]) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann, "one")

    def spoil(_: ActionRequest, thread: Any) -> None:
        thread.title = "spoilt"
        forum.session.add(forum.Thread(author_id=ann.id, title="new"))
        forum.session.flush()
        raise LookupError

    with pytest.raises(LookupError):
        doing(spoil).run_for(thread, user=ann)

    assert thread.title == "one"
    assert forum.session.scalars(select(forum.Thread.title)).all() == ["one"]
    assert not forum.session.new


def test_live_values_and_messages_are_dropped_with_it(forum: Forum, doing: Callable[..., Any]) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)
    ann.add_notification("before", 1)

    def tell(ar: ActionRequest, thread: Any) -> None:
        ann.add_notification("within", 2)
        forum.site.notify.send("Within", to=ann, sender=None, target=thread)
        ar.error("But no.")

    doing(tell).run_for(thread, user=None)
    forum.session.commit()

    assert [value.name for value in ann.notifications] == ["before"]
    assert ann.unread_message_count == 0


def test_what_the_database_refuses_is_raised_by_the_action(forum: Forum, doing: Callable[..., Any]) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    def untitle(ar: ActionRequest, thread: Any) -> None:
        thread.title = None  # refused when it is flushed
        ar.success("Done?")

    with pytest.raises(IntegrityError):
        doing(untitle).run_for(thread, user=ann)
    forum.session.commit()

    assert thread.title == "Lunch"


def test_a_savepoint_of_its_own_is_the_action_s_affair(forum: Forum, doing: Callable[..., Any]) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    def try_names(ar: ActionRequest, thread: Any) -> None:
        with pytest.raises(IntegrityError), forum.session.begin_nested():
            thread.title = None
        with forum.session.begin_nested():
            thread.title = "Dinner"
        ar.success()

    doing(try_names).run_for(thread, user=ann)
    forum.session.commit()

    assert thread.title == "Dinner"


def test_an_error_of_the_database_that_was_caught_does_not_pass(forum: Forum, doing: Callable[..., Any]) -> None:
    thread = forum.thread(forum.user("ann"))

    def swallow(ar: ActionRequest, thread: Any) -> None:
        thread.title = None
        with pytest.raises(IntegrityError):
            forum.session.flush()
        ar.success("Done?")

    with pytest.raises(Exception, match="rolled back"):
        doing(swallow).run_for(thread, user=None)

    assert thread.title == "Lunch"
    assert forum.session.scalar(select(func.count()).select_from(forum.Thread)) == 1


@pytest.mark.parametrize("within_a_savepoint", [False, True])
def test_a_commit_within_an_action_is_refused(
    forum: Forum, doing: Callable[..., Any], within_a_savepoint: bool
) -> None:
    thread = forum.thread(forum.user("ann"))

    def commit(_: ActionRequest, thread: Any) -> None:
        thread.closed = True
        if within_a_savepoint:
            forum.session.begin_nested()
        forum.session.commit()

    with pytest.raises(TransactionEnded, match=r"must leave the transaction to its caller, got a commit"):
        doing(commit).run_for(thread, user=None)
    forum.session.commit()

    assert titles_of_closed(forum) == set()


def test_a_rollback_within_an_action_is_refused(forum: Forum, doing: Callable[..., Any]) -> None:
    thread = forum.thread(forum.user("ann"))

    def roll_back(ar: ActionRequest, thread: Any) -> None:
        forum.session.rollback()
        thread.closed = True
        ar.success("Done?")

    with pytest.raises(TransactionEnded, match="got a rollback"):
        doing(roll_back).run_for(thread, user=None)
    forum.session.commit()

    assert titles_of_closed(forum) == set()


def test_a_session_that_was_used_by_a_failed_action_works_on(forum: Forum) -> None:
    ann = forum.user("ann")
    thread, broken = forum.thread(ann, "one"), forum.thread(ann, "broken")

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            forum.CloseSeveral.run_for([thread, broken], user=ann)
        forum.CloseSeveral.run_for([thread], user=ann)
    forum.session.commit()

    assert titles_of_closed(forum) == {"one"}
    assert "flask_notify.actions" not in forum.session.info


# SQLite, as SQLAlchemy's documentation tells to set it up


@pytest.fixture
def recipe() -> Iterator[Callable[[Engine], None]]:
    """Let SQLite's transactions begin where SQLAlchemy says so."""
    engines: list[Engine] = []

    def leave_it(connection: Any, _: object) -> None:
        connection.isolation_level = None

    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    def follow(engine: Engine) -> None:
        engine.dispose()
        event.listen(engine, "connect", leave_it)
        event.listen(engine, "begin", begin)
        engines.append(engine)

    yield follow
    for engine in engines:
        event.remove(engine, "connect", leave_it)
        event.remove(engine, "begin", begin)


@pytest.mark.databases("sqlite")
def test_all_or_nothing_holds_with_sqlite_s_documented_begin(site: Site, recipe: Callable[[Engine], None]) -> None:
    forum = make_forum(site)
    with site.app.app_context():
        recipe(site.db.engine)
        ann = forum.user("ann")
        thread, broken = forum.thread(ann, "one"), forum.thread(ann, "broken")

        with pytest.raises(ZeroDivisionError):
            forum.CloseSeveral.run_for([thread, broken], user=ann)
        forum.session.commit()
        assert titles_of_closed(forum) == set()

        forum.CloseSeveral.run_for([thread], user=ann)
        forum.session.rollback()
        assert titles_of_closed(forum) == set()

        forum.CloseSeveral.run_for([thread], user=ann)
        forum.session.commit()
        assert titles_of_closed(forum) == {"one"}


@pytest.mark.databases("sqlite")
def test_all_or_nothing_holds_for_rows_of_another_database(build: Callable[..., Site], tmp_path: Path) -> None:
    site = build(SQLALCHEMY_BINDS={"archive": f"sqlite:///{tmp_path / 'archive.sqlite'}"})
    db = site.db

    class Box(db.Model):  # type: ignore[name-defined,misc]  # as Flask-SQLAlchemy has it
        __bind_key__ = "archive"
        id = db.Column(db.Integer, primary_key=True)
        label = db.Column(db.String(20))

    @site.notify.action
    class Relabel(Action):
        target = Box

        def permitted(self, ar: ActionRequest, box: Any) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest, box: Any) -> None:
            box.label, ar.user.name = "new", "new"
            ar.confirm("Sure?", uid="sure")

    site.create_tables()
    key = site.add_user("old")
    with site.app.app_context():
        user, box = site.user(key), Box(label="old")
        db.session.add(box)
        db.session.commit()

        assert Relabel.run_for(box, user=user, answers=False).failed
        db.session.commit()
        assert (box.label, user.name) == ("old", "old")

        Relabel.run_for(box, user=user, answers=True)
        db.session.rollback()
        assert (box.label, user.name) == ("old", "old")

        Relabel.run_for(box, user=user, answers=True)
        db.session.commit()
        assert (box.label, user.name) == ("new", "new")
