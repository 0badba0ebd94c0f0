"""The handler neither waits for long nor harms who logs while the database is in trouble (row G3)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from flask_notify import NotifyHandler
from flask_notify.logs import patience
from tests.apps import Site
from tests.log_handler.judging import errors, judged, told
from tests.servers import Database

WAITS = {
    "sqlite": "PRAGMA busy_timeout",
    "postgresql": "SELECT setting FROM pg_settings WHERE name = 'lock_timeout'",
    "mariadb": "SELECT @@innodb_lock_wait_timeout",
}


def waits(session: Session) -> int:
    """Return for how long a connection waits for a lock, as the database counts it."""
    dialect = session.get_bind().dialect.name
    found = session.scalar(text(WAITS.get(dialect, WAITS["mariadb"])))
    session.rollback()
    return int(found)


def hold_inbox(site: Site, key: Any) -> Callable[[], None]:
    """Let another connection hold an inbox's lock, and return what lets it go."""
    models = site.notify.models
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        with site.app.app_context():
            mine = models.inbox.c.recipient_id == key
            site.db.session.execute(update(models.inbox).where(mine).values(locale="de"))
            held.set()
            assert go.wait(120)
            site.db.session.rollback()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)

    def let_go() -> None:
        go.set()
        thread.join()

    return let_go


def test_it_does_not_wait_for_longer_than_its_timeout(
    site: Site, log: logging.Logger, handler: NotifyHandler, susan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    handler.timeout = 1.0  # without it, this would take 5 s on SQLite, 50 s on MariaDB, and for ever on PostgreSQL
    let_go = hold_inbox(site, susan)
    try:
        log.info("", extra=judged(susan))
        assert len(errors(caplog)) == 1
    finally:
        let_go()

    assert told(site, susan) == []
    log.info("", extra=judged(susan))
    assert told(site, susan) == ["1 points"]


def test_the_connection_waits_as_before_for_whoever_is_next(build: Callable[..., Site], database: Database) -> None:
    pool = {"pool_size": 1, "max_overflow": 0}
    site = build(SQLALCHEMY_ENGINE_OPTIONS=pool)
    with site.app.app_context():
        before = waits(site.db.session())
        connection = site.db.session.connection()
        patience.limit(connection, 2)
        limited = connection.exec_driver_sql(WAITS.get(connection.dialect.name, WAITS["mariadb"])).scalar_one()
        site.db.session.commit()

        assert int(limited) == (2 if database.name.startswith("mariadb") else 2000)
        assert waits(site.db.session()) == before


def test_a_shorter_wait_stays(site: Site) -> None:
    with site.app.app_context():
        connection = site.db.session.connection()
        for seconds in (2, 4):
            patience.limit(connection, seconds)
        limited = connection.exec_driver_sql(WAITS.get(connection.dialect.name, WAITS["mariadb"])).scalar_one()
        site.db.session.rollback()

    assert int(limited) in (2, 2000)


def test_many_threads_log_at_once_and_each_record_arrives(
    build: Callable[..., Site], database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    options: dict[str, Any] = {"pool_size": 20}
    if database.name.startswith("sqlite"):
        options["connect_args"] = {"timeout": 60}
    site = build(SQLALCHEMY_ENGINE_OPTIONS=options)
    susan = site.add_user("susan")
    log, handler = logging.getLogger("tests.log_handler.threads"), NotifyHandler(app=site.app, timeout=60)
    log.setLevel(logging.INFO)
    log.addHandler(handler)

    @site.notify.on_log("judged")
    def tell(record: Any) -> None:
        site.notify.send_notification(site.user(susan), "judged", "%(n)s", {"n": record.points})

    threads, each = 6, 5
    barrier = Barrier(threads)

    def work(number: int) -> None:
        barrier.wait(timeout=120)
        for turn in range(each):
            # Half of them in an application context, with a transaction of their own.
            if turn % 2:
                with site.app.app_context():
                    site.db.session.add(site.User(name=f"{number}/{turn}"))
                    log.info("", extra=judged(susan, points=number * each + turn))
                    site.db.session.commit()
            else:
                log.info("", extra=judged(susan, points=number * each + turn))

    try:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
    finally:
        log.removeHandler(handler)

    assert errors(caplog) == []
    assert sorted(map(int, told(site, susan))) == list(range(threads * each))
    with site.app.app_context():
        assert site.user(susan).unread_message_count == threads * each


@pytest.mark.databases("postgresql", "mariadb")
def test_a_database_that_is_down_is_one_error_in_the_log(
    site: Site, log: logging.Logger, susan: Any, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    server = database.server
    assert server is not None
    server.stop()
    try:
        log.info("", extra=judged(susan))
        assert len(errors(caplog)) == 1
    finally:
        server.start()

    for _ in range(2):  # the pooled connection fails once
        log.info("", extra=judged(susan))
    assert told(site, susan)[-1] == "1 points"
