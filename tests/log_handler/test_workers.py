"""Outside a request the application is the current one, else the only one (row G3)."""

from __future__ import annotations

import json
import logging
import logging.config
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_notify import NotifyHandler
from tests.apps import Site, make_app
from tests.log_handler.judging import errors, judged, register, told
from tests.servers import Database

ROOT = Path(__file__).parents[2]
CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {
        "notify": {"class": "flask_notify.NotifyHandler", "level": "INFO", "timeout": 60},
        "stderr": {"class": "logging.StreamHandler"},
    },
    "root": {"handlers": ["notify", "stderr"], "level": "INFO"},
}


def start(config: Path, database: Database, *arguments: str) -> subprocess.Popen[str]:
    """Start a worker process."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.log_handler.worker", str(config), *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database.url, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_worker_processes_notify_with_logging_from_a_file(
    site: Site, susan: Any, database: Database, tmp_path: Path
) -> None:
    config = tmp_path / "logging.json"
    config.write_text(json.dumps(CONFIG))

    workers = [start(config, database, "susan", word) for word in ("Red", "Blue")]
    told_by = [worker.communicate(timeout=120)[1] for worker in workers]

    ways = ("without a context", "in a thread", "in a context", "in a transaction")
    assert [worker.returncode for worker in workers] == [0, 0], told_by
    assert sorted(told(site, susan)) == sorted(f"{word} {way}" for word in ("Red", "Blue") for way in ways)
    for text in told_by:
        # The one record that came before there was an application, and nothing else.
        assert text.count("could not notify") == 1
        assert "Call notify.init_app(app) before the first record" in text
        assert "in a thread is done" in text
        assert "Traceback" not in text


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Site]:
    """Another application with a database of its own."""
    other = make_app(f"sqlite:///{tmp_path / 'other.sqlite'}")
    other.create_tables()
    register(other.notify)
    yield other
    other.close()


@pytest.fixture
def bare(site: Site) -> Iterator[logging.Logger]:
    """A logger with a handler that is told no application."""
    register(site.notify)
    logger, handler = logging.getLogger("tests.log_handler.bare"), NotifyHandler()
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


@pytest.mark.databases("sqlite")
def test_of_two_applications_the_current_one_tells(
    site: Site, other: Site, bare: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    susan, miguel = site.add_user("susan"), other.add_user("miguel")

    with other.app.app_context():
        bare.info("", extra=judged(miguel, points=1))
        with site.app.app_context():
            bare.info("", extra=judged(susan, points=2))

    assert (told(site, susan), told(other, miguel)) == (["2 points"], ["1 points"])
    assert errors(caplog) == []


@pytest.mark.databases("sqlite")
@pytest.mark.usefixtures("other")
def test_without_a_context_two_applications_are_an_error_that_says_what_to_do(
    site: Site, bare: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    susan = site.add_user("susan")
    bare.info("", extra=judged(susan))

    (error,) = errors(caplog)
    assert "there must be one application with Flask-Notify, got" in error
    assert "Log in app.app_context(), or give NotifyHandler(app=app)" in error
    assert told(site, susan) == []


@pytest.mark.databases("sqlite")
def test_a_handler_that_was_told_its_application_takes_nothing_from_another(
    site: Site, other: Site, log: logging.Logger, susan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    twin = other.add_user("twin")
    assert twin == susan  # the same key in two applications: who is logged in to one is nobody in the other

    @other.app.get("/judge")
    def judge() -> str:
        from flask_login import current_user

        assert current_user.name == "twin"
        other.db.session.add(other.User(name="miguel"))
        log.info("", extra=judged(susan))
        other.db.session.rollback()
        return "done"

    assert other.client(twin).get("/judge").text == "done"

    assert errors(caplog) == []
    assert told(site, susan) == ["1 points"]
    assert told(other, twin) == []


@pytest.mark.databases("sqlite")
def test_an_application_without_the_extension_is_none(
    site: Site, log: logging.Logger, susan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with Flask("plain").app_context():
        log.info("", extra=judged(susan))

    assert errors(caplog) == []
    assert told(site, susan) == ["1 points"]


def test_in_a_request_the_doer_is_not_told_of_their_own_doing(
    site: Site, log: logging.Logger, susan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    miguel = site.add_user("miguel")

    @site.app.get("/judge/<int:write>")
    def judge(write: int) -> str:
        from flask_login import current_user

        assert current_user.name == "susan"
        if write:
            current_user.last_seen = 7.0
        log.info("", extra=judged(susan, points=1))
        log.info("", extra=judged(miguel, points=2))
        site.db.session.commit()
        assert current_user.name == "susan"
        return "done"

    client = site.client(susan)
    for write in (0, 1):
        assert client.get(f"/judge/{write}").text == "done"

    assert errors(caplog) == []
    assert told(site, susan) == []
    assert told(site, miguel) == ["2 points", "2 points"]


def test_a_request_that_fails_notifies_no_one_of_what_it_undid(site: Site, log: logging.Logger, susan: Any) -> None:
    site.app.config["PROPAGATE_EXCEPTIONS"] = False

    @site.app.get("/fail")
    def fail() -> str:
        site.db.session.add(site.User(name="miguel"))
        log.info("", extra=judged(susan))
        raise ZeroDivisionError

    assert site.client().get("/fail").status_code == 500

    assert told(site, susan) == []


@pytest.mark.databases("sqlite")
def test_records_that_come_through_a_queue_are_told_by_its_listener(
    site: Site, susan: Any, handler: NotifyHandler
) -> None:
    register(site.notify)
    records: queue.Queue[Any] = queue.Queue()
    log, way = logging.getLogger("tests.log_handler.queue"), QueueHandler(records)
    log.setLevel(logging.INFO)
    log.addHandler(way)
    listener = QueueListener(records, handler)
    listener.start()
    try:
        log.info("judged", extra=judged(susan))
    finally:
        listener.stop()  # and waits for what is in the queue
        log.removeHandler(way)

    assert told(site, susan) == ["1 points"]


@pytest.mark.databases("sqlite")
def test_a_celery_like_task_joins_the_transaction_of_its_own_context(
    site: Site, log: logging.Logger, susan: Any
) -> None:
    def with_context(task: Callable[[], None]) -> None:
        def run() -> None:
            with site.app.app_context():
                task()

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()

    def undone() -> None:
        site.db.session.add(site.User(name="miguel"))
        log.info("", extra=judged(susan, points=1))

    def done() -> None:
        undone()
        site.db.session.commit()

    with site.app.app_context():
        site.db.session.add(site.User(name="david"))  # of no concern to the tasks
        with_context(undone)
        assert told(site, susan) == []
        with_context(lambda: log.info("", extra=judged(susan, points=2)))
        assert told(site, susan) == ["2 points"]
        with_context(done)

    assert told(site, susan) == ["2 points", "1 points"]


@pytest.mark.databases("sqlite")
def test_the_handler_is_made_by_dict_config_before_there_is_an_application(
    build: Callable[..., Site], tmp_path: Path
) -> None:
    log = logging.getLogger("tests.log_handler.configured")
    logger = {"handlers": ["notify"], "level": "INFO"}
    handlers = {"notify": {"class": "flask_notify.NotifyHandler", "level": "WARNING", "timeout": 2.5}}
    logging.config.dictConfig(
        {
            "version": 1,
            "incremental": False,
            "disable_existing_loggers": False,
            "handlers": handlers,
            "loggers": {log.name: logger},
        }
    )
    (handler,) = log.handlers
    try:
        assert isinstance(handler, NotifyHandler)
        assert (handler.level, handler.timeout) == (logging.WARNING, 2.5)
        site = build()
        register(site.notify)
        susan = site.add_user("susan")
        with site.app.app_context():
            log.warning("", extra=judged(susan))
        assert told(site, susan) == ["1 points"]
        assert tmp_path.exists()
    finally:
        log.removeHandler(handler)
