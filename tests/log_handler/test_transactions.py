"""With uncommitted writes a record joins their transaction; else the handler commits by itself (row G3)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text, update
from sqlalchemy.exc import IntegrityError, PendingRollbackError
from sqlalchemy.orm import Session

from flask_notify import NotifyHandler
from flask_notify.errors import TransactionFailed
from flask_notify.logs import uncommitted
from tests.apps import Site
from tests.log_handler.judging import errors, judged, register, told


def names(site: Site) -> set[str]:
    """Return the users, as another connection sees them."""
    with site.app.app_context():
        return set(site.db.session.scalars(select(site.User.name)))


def test_without_a_session_the_handler_commits_by_itself(site: Site, log: logging.Logger, susan: Any) -> None:
    with site.app.app_context():
        log.info("", extra=judged(susan))
        assert not site.db.session.registry.has()

    assert told(site, susan) == ["1 points"]


def test_without_an_application_context_too(site: Site, log: logging.Logger, susan: Any) -> None:
    log.info("", extra=judged(susan))

    assert told(site, susan) == ["1 points"]


def test_a_merely_open_read_is_left_alone(site: Site, log: logging.Logger, session: Session, susan: Any) -> None:
    user = site.user(susan)
    transaction = session.get_transaction()
    assert transaction is not None

    log.info("", extra=judged(susan))

    assert told(site, susan) == ["1 points"]
    assert session.get_transaction() is transaction
    assert user in session
    session.rollback()
    assert told(site, susan) == ["1 points"]


def test_what_was_set_to_the_same_value_is_no_write(
    site: Site, log: logging.Logger, session: Session, susan: Any
) -> None:
    user = site.user(susan)
    user.name = str(user.name)
    assert session.dirty

    log.info("", extra=judged(susan))

    assert told(site, susan) == ["1 points"]


def add(site: Site, session: Session, _susan: Any) -> None:
    """Add an object, and do not write it yet."""
    session.add(site.User(name="miguel"))


def change(site: Site, _session: Session, susan: Any) -> None:
    """Change an object."""
    site.user(susan).last_seen = 7.0


def delete(site: Site, session: Session, _susan: Any) -> None:
    """Delete an object."""
    session.delete(session.scalars(select(site.User).where(site.User.name == "david")).one())


def flush(site: Site, session: Session, _susan: Any) -> None:
    """Add an object, and write it."""
    session.add(site.User(name="miguel"))
    session.flush()


def update_in_bulk(site: Site, session: Session, _susan: Any) -> None:
    """Write without any object."""
    session.execute(update(site.User).values(last_seen=7.0))


def insert_in_bulk(site: Site, session: Session, _susan: Any) -> None:
    """Write past the session's own doing."""
    session.bulk_insert_mappings(site.User.__mapper__, [{"name": "miguel"}])


def write_on_the_connection(site: Site, session: Session, _susan: Any) -> None:
    """Write on the session's connection."""
    session.connection().execute(insert(site.User.__table__).values(name="miguel"))


def write_text(_site: Site, session: Session, _susan: Any) -> None:
    """Write by SQL."""
    user = session.get_bind().dialect.identifier_preparer.quote("user")
    session.execute(text(f"/* by hand */ UPDATE {user} SET last_seen = 7"))


def emit(site: Site, _session: Session, susan: Any) -> None:
    """Emit something."""
    site.user(susan).add_notification("score", 1)


def begin(_site: Site, session: Session, _susan: Any) -> None:
    """Begin a transaction, as somebody does who means to end it."""
    session.begin()


WRITES: list[Callable[[Site, Session, Any], None]] = [
    add,
    change,
    delete,
    flush,
    update_in_bulk,
    insert_in_bulk,
    write_on_the_connection,
    write_text,
    emit,
    begin,
]


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
def test_with_uncommitted_writes_a_record_goes_with_their_rollback(
    site: Site, log: logging.Logger, session: Session, susan: Any, write: Any
) -> None:
    site.add_user("david")
    write(site, session, susan)

    log.info("", extra=judged(susan))
    session.rollback()
    session.commit()

    assert told(site, susan) == []
    assert names(site) == {"susan", "david"}


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
def test_with_uncommitted_writes_a_record_goes_out_with_their_commit(
    site: Site, log: logging.Logger, session: Session, susan: Any, write: Any, caplog: pytest.LogCaptureFixture
) -> None:
    site.add_user("david")
    write(site, session, susan)

    log.info("", extra=judged(susan))

    assert told(site, susan) == []
    session.commit()
    assert told(site, susan) == ["1 points"]
    assert errors(caplog) == []


def test_after_the_commit_the_handler_commits_by_itself_again(
    site: Site, log: logging.Logger, session: Session, susan: Any
) -> None:
    site.user(susan).last_seen = 7.0
    session.commit()
    site.user(susan)

    log.info("", extra=judged(susan))

    assert told(site, susan) == ["1 points"]


def test_after_a_rollback_too(site: Site, log: logging.Logger, session: Session, susan: Any) -> None:
    session.execute(update(site.User).values(last_seen=7.0))
    session.rollback()
    site.user(susan)

    log.info("", extra=judged(susan))

    assert told(site, susan) == ["1 points"]


def test_a_record_in_a_savepoint_goes_with_its_rollback(
    site: Site, log: logging.Logger, session: Session, susan: Any
) -> None:
    session.add(site.User(name="miguel"))
    log.info("", extra=judged(susan, points=1))
    savepoint = session.begin_nested()
    session.add(site.User(name="david"))
    log.info("", extra=judged(susan, points=2))
    savepoint.rollback()
    with session.begin_nested():
        log.info("", extra=judged(susan, points=3))
    session.commit()

    assert told(site, susan) == ["1 points", "3 points"]
    assert names(site) == {"susan", "miguel"}


@pytest.mark.databases("postgresql", "mariadb")
def test_a_savepoint_that_was_rolled_back_has_left_no_writes(
    site: Site, log: logging.Logger, session: Session, susan: Any
) -> None:
    site.user(susan)
    savepoint = session.begin_nested()
    session.add(site.User(name="miguel"))
    session.flush()
    savepoint.rollback()
    assert not uncommitted.has_uncommitted(session)

    log.info("", extra=judged(susan))

    assert told(site, susan) == ["1 points"]


@pytest.mark.databases("sqlite")
def test_on_sqlite_it_has_left_the_one_writers_lock_so_that_nobody_else_can_write(
    site: Site, log: logging.Logger, session: Session, susan: Any
) -> None:
    with session.begin_nested() as savepoint:
        session.add(site.User(name="miguel"))
        session.flush()
        savepoint.rollback()

    log.info("", extra=judged(susan))

    session.commit()
    assert told(site, susan) == ["1 points"]


def test_what_is_committed_by_the_handler_leaves_the_callers_objects_alone(
    site: Site, log: logging.Logger, session: Session, susan: Any
) -> None:
    @site.notify.on_log("renamed")
    def tell(record: Any) -> None:
        site.notify.send_notification(record.user, "renamed", "%(name)s was renamed", {"name": record.user.name})
        record.user.add_notification("renamed", 1)

    user = site.user(susan)

    log.info("", extra={"notification": "renamed", "user": user})

    assert told(site, susan) == ["susan was renamed"]
    assert site.client(susan).get("/notifications").get_json()[0]["name"] == "renamed"
    assert "name" in vars(user)  # a commit of the caller's session would have expired it
    assert session.info.get("flask_notify") is None


def test_a_new_object_that_a_record_is_about_is_told_with_it(
    site: Site, log: logging.Logger, session: Session, susan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @site.notify.on_log("registered")
    def tell(record: Any) -> None:
        site.notify.send("Welcome", to=[record.user, site.user(susan)], target=record.user)

    miguel = site.User(name="miguel")
    session.add(miguel)
    log.info("", extra={"notification": "registered", "user": miguel})
    session.commit()

    assert errors(caplog) == []
    assert told(site, miguel.id) == ["Welcome"]
    assert told(site, susan) == ["Welcome"]


def test_the_handler_does_not_write_what_the_caller_has_not_written_yet(
    site: Site, log: logging.Logger, session: Session, susan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    session.add(site.User(name="susan"))  # a second one of that name

    @site.notify.on_log("registered")
    def tell(_record: Any) -> None:
        everybody = session.scalars(select(site.User)).all()
        site.notify.send_notification(everybody, "registered", "Somebody is new")

    log.info("", extra={"notification": "registered"})

    assert errors(caplog) == []
    with pytest.raises(IntegrityError):  # where the caller expects it
        session.commit()
    session.rollback()
    assert told(site, susan) == []


def test_a_function_that_raises_leaves_nothing_of_itself_and_all_of_the_callers(
    site: Site, log: logging.Logger, session: Session, susan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @site.notify.on_log("broken")
    def fail(record: Any) -> None:
        site.notify.send("Half of it", to=site.user(susan))
        site.notify.send("About a new one", to=site.user(susan), target=record.user)
        session.execute(update(site.User).values(last_seen=7.0))
        raise ZeroDivisionError

    miguel = site.User(name="miguel")
    session.add(miguel)
    session.add(site.User(name="david"))
    session.flush()
    another = site.User(name="elena")
    session.add(another)
    log.info("", extra={"notification": "broken", "user": another})
    log.info("", extra=judged(susan))
    session.commit()

    assert len(errors(caplog)) == 1
    assert told(site, susan) == ["1 points"]
    assert names(site) == {"susan", "miguel", "david", "elena"}
    with site.app.app_context():
        assert site.user(susan).last_seen is None


def test_what_it_has_written_itself_before_the_caller_wrote_is_gone_too(
    site: Site, log: logging.Logger, session: Session, susan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @site.notify.on_log("broken")
    def fail(_record: Any) -> None:
        session.execute(select(site.User))
        session.execute(update(site.User).values(last_seen=7.0))
        raise ZeroDivisionError

    session.add(site.User(name="miguel"))
    log.info("", extra={"notification": "broken"})
    session.commit()

    assert len(errors(caplog)) == 1
    assert names(site) == {"susan", "miguel"}
    with site.app.app_context():
        assert site.user(susan).last_seen is None


@pytest.mark.usefixtures("susan")
def test_a_statement_that_fails_in_the_function_does_not_spoil_the_callers_transaction(
    site: Site, log: logging.Logger, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    @site.notify.on_log("broken")
    def fail(_record: Any) -> None:
        session.execute(text("SELECT nothing FROM nowhere"))

    session.add(site.User(name="miguel"))
    session.flush()
    log.info("", extra={"notification": "broken"})
    session.add(site.User(name="david"))
    session.commit()

    assert len(errors(caplog)) == 1
    assert names(site) == {"susan", "miguel", "david"}


def test_a_function_that_fails_on_its_own_commits_nothing(
    site: Site, log: logging.Logger, session: Session, susan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @site.notify.on_log("broken")
    def fail(_record: Any) -> None:
        site.notify.send("Half of it", to=site.user(susan))
        raise ZeroDivisionError

    log.info("", extra={"notification": "broken"})
    session.commit()

    assert len(errors(caplog)) == 1
    assert told(site, susan) == []


def test_a_function_that_flushes_what_is_refused_leaves_the_callers_session_as_a_flush_does(
    site: Site, log: logging.Logger, session: Session, susan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    twin = site.User(name="susan")
    session.add(twin)

    @site.notify.on_log("registered")
    def tell(record: Any) -> None:
        site.notify.send("Welcome", to=record.user)  # its key is needed

    log.info("", extra={"notification": "registered", "user": twin})

    assert len(errors(caplog)) == 1
    with pytest.raises(PendingRollbackError, match="due to a previous exception during flush"):
        session.commit()
    session.rollback()
    log.info("", extra=judged(susan))
    assert told(site, susan) == ["1 points"]


def test_a_record_of_a_transaction_that_has_failed_already_does_not_wait_for_it(
    site: Site, log: logging.Logger, session: Session, susan: Any
) -> None:
    session.add(site.User(name="susan"))
    with pytest.raises(IntegrityError):
        session.flush()

    log.error("", extra=judged(susan))
    session.rollback()

    assert told(site, susan) == ["1 points"]


def test_a_record_that_comes_too_late_for_its_commit_is_an_error_in_the_log(
    site: Site, log: logging.Logger, session: Session, susan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @event.listens_for(session, "before_commit")
    def late(_session: Session) -> None:
        log.info("", extra=judged(susan))

    site.user(susan).add_notification("score", 1)
    session.commit()

    event.remove(session, "before_commit", late)
    assert [item for item in site.client(susan).get("/notifications").get_json() if item["name"] == "score"]
    assert len(errors(caplog)) == 1
    assert told(site, susan) == []


@pytest.mark.parametrize("end, points", [("commit", ["1 points"]), ("rollback", [])])
def test_a_record_of_a_listener_goes_with_what_is_being_written(
    site: Site,
    log: logging.Logger,
    session: Session,
    susan: Any,
    end: str,
    points: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    @event.listens_for(site.User, "after_insert")
    def inserted(*_: Any) -> None:
        log.info("", extra=judged(susan))

    session.add(site.User(name="miguel"))
    session.flush()
    getattr(session, end)()

    assert errors(caplog) == []
    assert told(site, susan) == points


@pytest.mark.databases("mariadb")
def test_where_the_database_has_undone_it_all_the_callers_commit_does_not_look_like_success(
    site: Site, log: logging.Logger, session: Session, susan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @site.notify.on_log("broken")
    def fail(_record: Any) -> None:
        # As after a deadlock, of which a test can choose no victim.
        session.connection().exec_driver_sql("ROLLBACK")
        raise ZeroDivisionError

    session.add(site.User(name="miguel"))
    session.flush()
    log.info("", extra={"notification": "broken"})

    assert len(errors(caplog)) == 1
    with pytest.raises(TransactionFailed):
        session.commit()
    assert susan


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO post VALUES (1)",
        "  update post SET a = 1",
        "/* a */ -- b\n DELETE FROM post",
        "WITH old AS (SELECT 1) DELETE FROM post",
        "WITH new AS (SELECT 1) INSERT INTO post SELECT * FROM new",
        "MERGE INTO post USING x ON a = b",
        "REPLACE INTO post VALUES (1)",
        "CREATE TABLE post (id INTEGER)",
        "CALL refresh()",
    ],
)
def test_a_statement_that_writes_is_known_by_its_words(statement: str) -> None:
    assert uncommitted.writes(statement)


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "\n  select 1 FOR UPDATE",
        "(SELECT 1) UNION (SELECT 2)",
        "WITH old AS (SELECT 1) SELECT * FROM old FOR UPDATE",
        "WITH old AS (SELECT 1) SELECT * FROM old FOR NO KEY UPDATE",
        "SAVEPOINT a",
        "SET LOCAL lock_timeout = 1",
        "PRAGMA busy_timeout",
        "SHOW TABLES",
        "-- a comment\nSELECT 1",
    ],
)
def test_a_statement_that_reads_is_known_likewise(statement: str) -> None:
    assert not uncommitted.writes(statement)


def test_every_kind_of_application_joins_and_commits(any_site: Site, caplog: pytest.LogCaptureFixture) -> None:
    register(any_site.notify)
    susan, handler = any_site.add_user("susan"), NotifyHandler(app=any_site.app)

    def log(points: int) -> None:
        handler.handle(logging.makeLogRecord(judged(susan, points)))

    log(1)
    with any_site.app.app_context():
        any_site.user(susan)
        log(2)
        any_site.user(susan).last_seen = 7.0
        log(3)
        any_site.db.session.rollback()
        any_site.user(susan).last_seen = 7.0
        log(4)
        any_site.db.session.commit()

    assert errors(caplog) == []
    assert told(any_site, susan) == ["1 points", "2 points", "4 points"]


@pytest.mark.databases("sqlite")
def test_users_may_live_in_a_database_of_their_own(
    build: Callable[..., Site], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    binds = {"people": f"sqlite:///{tmp_path / 'people.sqlite'}"}
    site = build(attributes={"__bind_key__": "people"}, SQLALCHEMY_BINDS=binds)
    register(site.notify)
    susan, handler = site.add_user("susan"), NotifyHandler(app=site.app)
    record = logging.makeLogRecord(judged(susan))

    handler.handle(record)
    with site.app.app_context():
        site.db.session.add(site.User(name="miguel"))
        handler.handle(record)
        assert told(site, susan) == ["1 points"]
        site.db.session.commit()

    assert errors(caplog) == []
    assert told(site, susan) == ["1 points", "1 points"]
