"""Emitting is part of the caller's transaction."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flask_notify import emission
from flask_notify.errors import EmittedTooLate, TransactionFailed
from tests.apps import Site
from tests.concurrency.clients import Poller
from tests.servers import Database


@pytest.fixture
def session(site: Site) -> Iterator[Session]:
    with site.app.app_context():
        yield site.db.session()


@pytest.fixture
def susan(site: Site) -> Any:
    return site.add_user("susan")


def stored(site: Site) -> dict[str, Any]:
    """Read what another connection sees."""
    Notification: Any = site.notify.Notification
    with site.app.app_context():
        return {row.name: row.get_data() for row in site.db.session.scalars(select(Notification)) if not row.removed}


def test_nothing_is_visible_before_the_commit(site: Site, session: Session, susan: Any) -> None:
    notification = site.user(susan).add_notification("x", 1)

    assert stored(site) == {}
    assert not notification.timestamp
    session.commit()
    assert stored(site) == {"x": 1}
    assert notification.timestamp > 1.7e9


def test_a_rollback_leaves_nothing(site: Site, session: Session, susan: Any) -> None:
    site.user(susan).add_notification("x", 1)
    session.rollback()

    session.commit()

    assert stored(site) == {}


def test_a_session_that_had_not_begun_forgets_what_was_rolled_back(site: Site, session: Session, susan: Any) -> None:
    user = site.user(susan)
    session.expunge(user)
    session.rollback()
    user.add_notification("x", 1)
    session.rollback()

    session.commit()

    assert stored(site) == {}


def test_a_closed_session_forgets(site: Site, session: Session, susan: Any) -> None:
    site.user(susan).add_notification("x", 1)
    session.close()

    session.commit()

    assert stored(site) == {}


def test_a_released_savepoint_keeps_its_work_and_a_rolled_back_one_drops_it(
    site: Site, session: Session, susan: Any
) -> None:
    user = site.user(susan)
    user.add_notification("outer", 1)
    with session.begin_nested():
        user.add_notification("kept", 2)
    savepoint = session.begin_nested()
    user.add_notification("dropped", 3)
    with session.begin_nested():
        user.add_notification("inner", 4)
    savepoint.rollback()

    assert stored(site) == {}
    session.commit()
    assert stored(site) == {"outer": 1, "kept": 2}


def test_the_first_emission_inside_a_savepoint_goes_with_it(site: Site, session: Session, susan: Any) -> None:
    user = site.user(susan)
    savepoint = session.begin_nested()
    user.add_notification("dropped", 1)
    savepoint.rollback()

    session.commit()

    assert stored(site) == {}


def test_a_savepoint_around_a_released_one_still_drops_its_work(site: Site, session: Session, susan: Any) -> None:
    user = site.user(susan)
    outer = session.begin_nested()
    session.begin_nested().commit()
    user.add_notification("dropped", 1)
    outer.rollback()

    session.commit()

    assert stored(site) == {}


def test_a_savepoint_whose_flush_fails_drops_its_work(site: Site, session: Session, susan: Any) -> None:
    user = site.user(susan)
    user.add_notification("outer", 1)

    def fail() -> None:
        with session.begin_nested():
            user.add_notification("dropped", 2)
            session.add(site.User(name="susan"))

    with pytest.raises(IntegrityError):
        fail()

    session.commit()

    assert stored(site) == {"outer": 1}


def test_a_released_savepoint_goes_with_the_outer_rollback(site: Site, session: Session, susan: Any) -> None:
    user = site.user(susan)
    with session.begin_nested():
        user.add_notification("x", 1)
    session.rollback()

    session.commit()

    assert stored(site) == {}


def test_the_outer_commit_writes_what_an_open_savepoint_collected(site: Site, session: Session, susan: Any) -> None:
    user = site.user(susan)
    session.commit()
    with session.begin():
        user = site.user(susan)
        user.add_notification("outer", 0)
        session.begin_nested()
        user.add_notification("open", 1)
        session.begin_nested()
        user.add_notification("deeper", 2)

    assert stored(site) == {"outer": 0, "open": 1, "deeper": 2}


def test_committing_an_outer_savepoint_over_an_open_one_writes_nothing_yet(
    site: Site, session: Session, susan: Any
) -> None:
    user = site.user(susan)
    outer = session.begin_nested()
    session.begin_nested()
    user.add_notification("x", 1)
    outer.commit()

    user.add_notification("y", 2)
    session.commit()

    assert stored(site) == {"x": 1, "y": 2}


def test_a_flush_that_fails_in_the_commit_leaves_nothing_and_the_session_usable(
    site: Site, session: Session, susan: Any
) -> None:
    site.user(susan).add_notification("x", 1)
    session.add(site.User(name="susan"))
    with pytest.raises(IntegrityError):
        session.commit()
    session.rollback()

    site.user(susan).add_notification("y", 2)
    session.commit()

    assert stored(site) == {"y": 2}


def test_a_write_that_fails_cannot_be_committed_by_halves(site: Site, session: Session, susan: Any) -> None:
    session.execute(text("DROP TABLE notify_notification"))
    session.commit()
    site.user(susan).add_notification("x", 1)
    with pytest.raises(Exception, match="notify_notification"):
        session.commit()

    with pytest.raises(TransactionFailed, match="rollback"):
        session.commit()
    session.rollback()

    Inbox: Any = site.notify.Inbox
    assert session.scalar(select(Inbox.cursor)) == 0


def test_emitting_after_the_stamp_is_refused(site: Site, session: Session, susan: Any) -> None:
    def emit_late(_: Session) -> None:
        with pytest.raises(EmittedTooLate, match="before you call commit"):
            site.user(susan).add_notification("late", 1)

    event.listen(session, "before_commit", emit_late)
    site.user(susan).name = "Susan"
    session.commit()

    assert stored(site) == {}


def test_emitting_in_a_flush_of_the_commit_is_in_time(site: Site, session: Session, susan: Any) -> None:
    user = site.user(susan)

    def emit_in_flush(*_: object) -> None:
        if not user.notifications:
            user.add_notification("flushed", 1)

    user.add_notification("x", 0)
    session.rollback()
    event.listen(session, "after_flush", emit_in_flush)
    user.name = "Susan"
    session.flush()
    session.commit()

    assert stored(site) == {"flushed": 1}


def test_of_several_writes_of_one_name_the_last_counts(site: Site, session: Session, susan: Any) -> None:
    user = site.user(susan)
    user.add_notification("x", 1)
    user.add_notification("y", 2)
    user.add_notification("x", 3)
    user.add_notification("z", 4)
    user.remove_notification("z")
    session.commit()

    assert stored(site) == {"x": 3, "y": 2}
    assert [item["name"] for item in Poller(site, susan).poll()][:2] == ["y", "x"]


def test_a_user_who_is_not_stored_yet_is_told_at_the_commit(site: Site, session: Session) -> None:
    user = site.User(name="new")
    session.add(user)
    user.add_notification("welcome", "Hello")
    session.commit()

    assert stored(site) == {"welcome": "Hello"}


def test_a_user_who_is_never_stored_is_told_of_with_a_warning(site: Site, session: Session) -> None:
    site.User(name="nobody").add_notification("x", 1)

    with pytest.warns(UserWarning, match="not in the session"):
        session.commit()

    assert stored(site) == {}


def test_a_user_who_is_deleted_in_the_same_transaction_is_no_error(site: Site, session: Session, susan: Any) -> None:
    user = site.user(susan)
    user.add_notification("x", 1)
    session.delete(user)
    user.add_notification("y", 2)
    session.commit()

    assert stored(site) == {}


def test_a_user_whom_another_transaction_has_deleted_is_no_error(site: Site, session: Session, susan: Any) -> None:
    user = site.user(susan)
    session.commit()
    session.refresh(user)
    session.rollback()
    with site.app.app_context():
        site.db.session.delete(site.user(susan))
        site.db.session.commit()

    user.add_notification("x", 1)
    session.commit()

    assert stored(site) == {}


def test_a_user_who_has_no_inbox_gets_one(site: Site, session: Session, susan: Any) -> None:
    session.execute(text("DELETE FROM notify_inbox"))
    session.commit()

    site.user(susan).add_notification("x", 1)
    session.commit()

    assert stored(site) == {"x": 1}
    assert Poller(site, susan).poll()[0]["data"] == 1


def test_a_session_of_ones_own_emits_as_well(site: Site, susan: Any) -> None:
    with site.app.app_context():
        engine = site.db.engine
    with Session(engine) as session, session.begin():
        session.get_one(site.User, susan).add_notification("x", 1)

    assert stored(site) == {"x": 1}


def test_thousands_of_recipients_fit_in_one_transaction(site: Site, session: Session) -> None:
    users = [site.User(name=f"user {number}") for number in range(2_000)]
    session.add_all(users)
    for user in users:
        user.add_notification("x", 1)
    session.commit()

    Notification: Any = site.notify.Notification
    assert len(session.scalars(select(Notification)).all()) == 2_000


def test_the_first_to_write_may_be_the_last_to_commit(site: Site, susan: Any) -> None:
    poller = Poller(site, susan)
    with site.app.app_context():
        first = Session(site.db.engine)
    first.get_one(site.User, susan).add_notification("first", 1)

    site.emit(susan, "second", 2)
    poller.poll()
    first.commit()
    poller.poll()

    assert poller.state == {"first": 1, "second": 2}


@pytest.mark.databases("postgresql", "mariadb")
def test_a_commit_that_hangs_holds_back_the_ones_behind_it(site: Site, susan: Any) -> None:
    poller = Poller(site, susan)
    stamped, go_on = threading.Event(), threading.Event()
    first = SlowCommit(site, susan, "first", stamped, go_on)
    first.start()
    assert stamped.wait(60)
    second = threading.Thread(target=site.emit, args=(susan, "second", 2))
    second.start()

    poller.poll()
    assert poller.state == {}
    go_on.set()
    first.join(60)
    second.join(60)
    poller.poll()

    assert poller.state == {"first": 1, "second": 2}
    assert [name for name, _ in poller.told] == ["first", "second"]


class SlowCommit(threading.Thread):
    """Emits, and then waits between the stamp and the database's commit, with the lock held."""

    def __init__(self, site: Site, key: Any, name: str, stamped: threading.Event, go_on: threading.Event) -> None:
        super().__init__()
        self.site, self.key, self.emitted, self.stamped, self.go_on = site, key, name, stamped, go_on

    def run(self) -> None:
        """Emit, in a session of the thread's own."""
        with self.site.app.app_context():
            engine = self.site.db.engine
            event.listen(engine, "commit", self._wait)
            self.site.user(self.key).add_notification(self.emitted, 1)
            self.site.db.session.commit()

    def _wait(self, _: object) -> None:
        if threading.current_thread() is self:
            self.stamped.set()
            assert self.go_on.wait(60)


def test_a_clock_that_steps_back_keeps_the_order(site: Site, susan: Any) -> None:
    poller = Poller(site, susan)
    site.emit(susan, "before", 1)
    poller.poll()
    now = site.notify.clock
    site.notify.clock = lambda: now() - 3600
    site.emit(susan, "after", 2)
    poller.poll()

    assert poller.state == {"before": 1, "after": 2}
    timestamps = [timestamp for _, timestamp in poller.told]
    assert timestamps == sorted(set(timestamps))


def test_names_that_differ_in_case_are_two_names(site: Site, susan: Any) -> None:
    site.emit(susan, "Task", 1)
    site.emit(susan, "task", 2)

    assert stored(site) == {"Task": 1, "task": 2}


def test_counts_and_values_of_the_same_transaction_include_what_it_has_collected(
    site: Site, session: Session, susan: Any
) -> None:
    session.commit()
    site.emit(susan, "old", 1)
    site.emit(susan, "gone", 1)
    user = site.user(susan)
    user.add_notification("old", 2)
    user.add_notification("new", 3)
    user.remove_notification("gone")

    assert {n.name: n.get_data() for n in user.notifications} == {"old": 2, "new": 3}


def test_every_kind_of_application_emits_and_polls(any_site: Site) -> None:
    key = any_site.add_user("susan")
    poller = Poller(any_site, key)
    any_site.emit(key, "x", {"a": [1, None, "ü", 2**70, 0.1]})

    poller.poll()

    assert poller.state == {"x": {"a": [1, None, "ü", 2**70, 0.1]}}
    assert poller.poll() == []


def test_a_session_that_only_reads_gets_no_box_and_runs_no_statement_of_ours(
    site: Site, session: Session, susan: Any
) -> None:
    statements: list[str] = []
    with site.app.app_context():
        engine = site.db.engine
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    site.user(susan)

    assert "flask_notify" not in session.info
    session.commit()
    assert [statement for statement in statements if "notify" in statement] == []
    assert "flask_notify" not in session.info


@pytest.mark.parametrize("pragma", ["OFF", "ON"])
@pytest.mark.databases("sqlite")
def test_the_next_user_with_a_reused_key_sees_nothing_of_the_last(site: Site, pragma: str) -> None:
    with site.app.app_context():
        event.listen(site.db.engine, "connect", lambda c, _: c.execute(f"PRAGMA foreign_keys={pragma}"))
        site.db.engine.dispose()
    first = site.add_user("first")
    site.emit(first, "secret", 1)
    with site.app.app_context():
        site.db.session.delete(site.user(first))
        site.db.session.commit()

    second = site.add_user("second")

    assert second == first
    assert Poller(site, second).poll() == []


@pytest.mark.databases("sqlite")
def test_rows_that_a_bulk_delete_left_behind_are_not_the_next_users(site: Site) -> None:
    first = site.add_user("first")
    site.emit(first, "secret", 1)
    with site.app.app_context():
        site.db.session.execute(text('DELETE FROM "user"'))
        site.db.session.commit()

    second = site.add_user("second")

    assert second == first
    assert Poller(site, second).poll() == []


def test_deleting_a_user_removes_everything_of_theirs(any_site: Site) -> None:
    key = any_site.add_user("susan")
    any_site.emit(key, "x", 1)
    with any_site.app.app_context():
        any_site.db.session.delete(any_site.user(key))
        any_site.db.session.commit()
        left = [
            any_site.db.session.scalars(select(table.recipient_id)).all()
            for table in (any_site.notify.Inbox, any_site.notify.Notification)
        ]

    assert left == [[], []]


def test_applications_that_share_a_db_are_told_apart(database: Database, site: Site, susan: Any) -> None:
    other = Flask("other")
    other.config.update(SQLALCHEMY_DATABASE_URI=database.url, SECRET_KEY="other", NOTIFY_MAX_PAYLOAD=10)
    site.db.init_app(other)
    site.notify.init_app(other)
    with other.app_context():
        with pytest.raises(ValueError, match="at most 10 bytes"):
            site.user(susan).add_notification("x", "x" * 20)
        engine = site.db.engine
    engine.dispose()
    with site.app.app_context():
        site.user(susan).add_notification("x", "x" * 20)


def test_a_count_that_is_made_at_the_commit_is_right_whoever_else_counts(site: Site, susan: Any) -> None:
    writers = 6
    ready = threading.Barrier(writers)
    User = site.User

    def come_in() -> None:
        with site.app.app_context():
            session = site.db.session
            watched = site.user(susan)
            session.commit()
            ready.wait(60)
            session.add(User())
            watched.add_notification("people", lambda: session.scalar(select(func.count(User.id))))
            session.commit()

    with ThreadPoolExecutor(writers) as pool:
        for future in [pool.submit(come_in) for _ in range(writers)]:
            future.result()

    assert stored(site) == {"people": 1 + writers}


def test_a_value_that_is_made_at_the_commit_is_seen_before_as_it_would_be(
    site: Site, session: Session, susan: Any
) -> None:
    values = iter([1, 2])
    user = site.user(susan)
    notification = user.add_notification("x", lambda: next(values))

    assert [n.get_data() for n in user.notifications] == [1]
    session.commit()
    assert notification.get_data() == 2
    assert stored(site) == {"x": 2}


@pytest.mark.parametrize("wrong", [lambda: 1 / 0, lambda: float("nan")])
def test_a_value_that_cannot_be_made_fails_the_commit_and_leaves_nothing(
    site: Site, session: Session, susan: Any, wrong: Any
) -> None:
    site.user(susan).add_notification("good", 1)
    site.user(susan).add_notification("bad", wrong)

    with pytest.raises((ZeroDivisionError, ValueError)):
        session.commit()
    session.rollback()

    assert stored(site) == {}


def test_a_value_that_is_made_at_the_commit_cannot_emit_another(site: Site, session: Session, susan: Any) -> None:
    user = site.user(susan)
    user.add_notification("x", lambda: user.add_notification("y", 1))

    with pytest.raises(EmittedTooLate):
        session.commit()
    session.rollback()

    assert stored(site) == {}


class Noticing:
    """Tells a user of what was noticed: a value with all of it, once per transaction."""

    def __init__(self, site: Site, key: Any) -> None:
        self.site, self.key = site, key

    def tell(self, session: Session, records: list[Any]) -> None:
        user = session.get_one(self.site.User, self.key)
        user.add_notification("noticed", sorted(records))

    def notice(self, session: Session, *records: str) -> None:
        for record in records:
            emission.notice(session, self.tell, record)


@pytest.fixture
def noticing(site: Site, susan: Any) -> Noticing:
    return Noticing(site, susan)


def test_what_was_noticed_is_told_once_with_the_commit(site: Site, session: Session, noticing: Noticing) -> None:
    noticing.notice(session, "a")
    session.flush()
    noticing.notice(session, "b")
    assert stored(site) == {}

    session.commit()

    assert stored(site) == {"noticed": ["a", "b"]}


def test_what_was_noticed_in_a_savepoint_lives_and_dies_with_it(
    site: Site, session: Session, noticing: Noticing
) -> None:
    noticing.notice(session, "outer")
    with session.begin_nested():
        noticing.notice(session, "kept")
    savepoint = session.begin_nested()
    noticing.notice(session, "dropped")
    with session.begin_nested():
        noticing.notice(session, "inner")
    savepoint.rollback()
    session.commit()
    assert stored(site) == {"noticed": ["kept", "outer"]}

    noticing.notice(session, "gone")
    session.rollback()
    session.commit()
    assert stored(site) == {"noticed": ["kept", "outer"]}


def test_the_outer_commit_tells_what_was_noticed_in_an_open_savepoint(
    site: Site, session: Session, noticing: Noticing
) -> None:
    session.commit()
    with session.begin():
        session.begin_nested()
        noticing.notice(session, "open")
        session.begin_nested()
        noticing.notice(session, "deeper")

    assert stored(site) == {"noticed": ["deeper", "open"]}


def test_what_is_noticed_in_the_flush_of_the_commit_is_in_time(
    site: Site, session: Session, noticing: Noticing, susan: Any
) -> None:
    event.listen(site.User, "after_update", lambda _mapper, _connection, user: noticing.notice(session, user.name))
    site.user(susan).name = "Susan"
    session.commit()

    assert stored(site) == {"noticed": ["Susan"]}


def test_who_tells_may_use_savepoints_and_change_what_is_noticed_in_turn(
    site: Site, session: Session, susan: Any
) -> None:
    told: list[list[str]] = []

    def tell(session: Session, records: list[str]) -> None:
        told.append(records)
        with session.begin_nested():
            session.execute(select(func.count()).select_from(site.User))
        if len(told) == 1:
            emission.notice(session, tell, "second")
        site.user(susan).add_notification("told", len(told))

    emission.notice(session, tell, "first")
    session.commit()

    assert told == [["first"], ["second"]]
    assert stored(site) == {"told": 2}


def test_telling_without_end_is_refused(session: Session) -> None:
    def tell(session: Session, records: list[str]) -> None:
        emission.notice(session, tell, records[0])

    emission.notice(session, tell, "again")

    with pytest.raises(TransactionFailed, match="without end"):
        session.commit()


def test_a_teller_that_fails_leaves_nothing_and_the_commit_cannot_be_repeated(
    site: Site, session: Session, susan: Any
) -> None:
    def tell(*_: object) -> None:
        raise ValueError("no words")

    site.user(susan).add_notification("x", 1)
    emission.notice(session, tell, "a")
    with pytest.raises(ValueError, match="no words"):
        session.commit()
    with pytest.raises(TransactionFailed, match="rollback"):
        session.commit()
    session.rollback()

    session.commit()

    assert stored(site) == {}


def test_what_changes_after_the_stamp_cannot_be_told_any_more(site: Site, session: Session, noticing: Noticing) -> None:
    def change_late(_: Session) -> None:
        with pytest.raises(EmittedTooLate, match="before_flush"):
            noticing.notice(session, "late")

    event.listen(session, "before_commit", change_late)
    session.execute(select(1))
    session.commit()

    assert stored(site) == {}


def test_a_session_of_ones_own_tells_what_it_noticed(site: Site, noticing: Noticing) -> None:
    with site.app.app_context():
        engine = site.db.engine
    with Session(engine) as session, session.begin():
        noticing.notice(session, "a")

    assert stored(site) == {"noticed": ["a"]}
