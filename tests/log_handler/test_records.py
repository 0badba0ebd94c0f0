"""A record that names a notification is handed to the function of that type; all others pass (row G1)."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from flask_notify import MessageType, NotifyHandler
from flask_notify.errors import ConfigurationError, InvalidMessage
from flask_notify.logs import log_registry
from tests.apps import Site
from tests.log_handler.judging import errors, judged, told

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def for_all() -> Iterator[None]:
    """What a test registers for all applications goes with it."""
    before = dict(log_registry._for_all)
    yield
    log_registry._for_all.clear()
    log_registry._for_all.update(before)


def test_a_record_with_a_notification_reaches_the_function_of_that_type(site: Site, log: logging.Logger) -> None:
    seen: list[logging.LogRecord] = []
    site.notify.register_notification("noticed", seen.append)

    log.info("Look at %s", "this", extra={"notification": "noticed", "number": 7})

    (record,) = seen
    assert (record.getMessage(), vars(record)["number"]) == ("Look at this", 7)


def test_a_record_without_one_passes(site: Site, log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[logging.LogRecord] = []
    site.notify.register_notification("noticed", seen.append)

    log.info("Nothing to tell")
    log.info("Nor here", extra={"notification": None})

    assert seen == []
    assert errors(caplog) == []


def test_the_function_tells_whom_it_wants(site: Site, log: logging.Logger, susan: Any) -> None:
    log.info("judged", extra=judged(susan, points=40))

    assert told(site, susan) == ["40 points"]


def test_the_decorator_returns_the_function(site: Site) -> None:
    def tell(_record: logging.LogRecord) -> None: ...

    assert site.notify.on_log("noticed")(tell) is tell


def test_an_unknown_type_is_one_error_in_the_log(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    log.info("judged", extra={"notification": "jugded"})

    (error,) = errors(caplog)
    assert "must be registered, got 'jugded'; registered: judged" in error
    assert "@notify.on_log('jugded')" in error


@pytest.mark.parametrize("kind", [7, ["judged"], {}, object()])
def test_a_type_that_is_no_text_is_one_error_in_the_log(
    log: logging.Logger, caplog: pytest.LogCaptureFixture, kind: Any
) -> None:
    log.info("judged", extra={"notification": kind})

    assert len(errors(caplog)) == 1


def test_a_function_that_raises_is_logged_once_and_the_caller_goes_on(
    site: Site, log: logging.Logger, caplog: pytest.LogCaptureFixture, susan: Any
) -> None:
    @site.notify.on_log("broken")
    def fail(_record: logging.LogRecord) -> None:
        raise ZeroDivisionError("the judge has slipped")

    log.info("judged", extra={"notification": "broken"})
    log.info("judged", extra=judged(susan))

    (error,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert error.name == "flask_notify"
    assert error.exc_info is not None
    assert "the judge has slipped" in str(error.exc_info[1])
    assert told(site, susan) == ["1 points"]


def test_a_failing_record_is_still_written_by_the_other_handlers(site: Site, log: logging.Logger) -> None:
    @site.notify.on_log("broken")
    def fail(_record: logging.LogRecord) -> None:
        raise ZeroDivisionError

    written: list[str] = []

    class Writing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(record.getMessage())

    other = Writing()
    log.addHandler(other)
    log.info("judged", extra={"notification": "broken"})

    assert written == ["judged"]


def test_registering_twice_warns_and_the_last_wins(site: Site, log: logging.Logger) -> None:
    first: list[Any] = []
    last: list[Any] = []
    site.notify.register_notification("noticed", first.append)

    with pytest.warns(UserWarning, match="'noticed' was registered for .* the last one counts"):
        site.notify.register_notification("noticed", last.append)

    log.info("", extra={"notification": "noticed"})
    assert (len(first), len(last)) == (0, 1)


def test_the_warning_names_the_line_that_registers(site: Site) -> None:
    def another(_record: logging.LogRecord) -> None: ...

    site.notify.on_log("noticed")(lambda record: None)  # noqa: ARG005

    with pytest.warns(UserWarning, match="'noticed'") as caught:
        site.notify.on_log("noticed")(another)
    with pytest.warns(UserWarning, match="'noticed'") as caught_too:
        site.notify.register_notification("noticed", lambda record: None)  # noqa: ARG005

    assert {caught[0].filename, caught_too[0].filename} == {__file__}


def test_a_factory_that_runs_again_registers_the_same_function_without_a_warning(site: Site) -> None:
    def factory() -> Callable[[logging.LogRecord], None]:
        return lambda record: None  # noqa: ARG005

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        site.notify.register_notification("noticed", factory())
        site.notify.register_notification("noticed", factory())


@pytest.mark.usefixtures("for_all")
def test_what_the_handlers_class_registers_holds_for_applications_that_are_yet_to_come(
    build: Callable[..., Site],
) -> None:
    def tell(record: Any) -> None:
        NotifyHandler.send_notification(record.user, "welcomed", "Welcome, %(name)s", {"name": record.user.name})

    NotifyHandler.register_notification("welcomed", tell)
    site = build()
    susan = site.add_user("susan")

    with site.app.app_context():
        record = logging.makeLogRecord({"notification": "welcomed", "user": site.user(susan)})
        NotifyHandler().handle(record)

    assert told(site, susan) == ["Welcome, susan"]
    assert "welcomed" in site.notify.message_types


@pytest.mark.usefixtures("for_all")
def test_what_the_handlers_class_registers_holds_for_applications_that_are_there(
    site: Site, log: logging.Logger
) -> None:
    seen: list[Any] = []
    mine: list[Any] = []
    NotifyHandler.register_notification("welcomed", seen.append)
    log.info("", extra={"notification": "welcomed"})

    site.notify.register_notification("welcomed", mine.append)
    log.info("", extra={"notification": "welcomed"})

    assert (len(seen), len(mine)) == (1, 1)  # the application's own comes first


def test_the_handlers_class_sends_in_an_application_context_only() -> None:
    with pytest.raises(ConfigurationError, match="no application context"):
        NotifyHandler.send_notification(None, "judged", "Judged", {})


def test_logging_while_emitting_does_not_recurse(
    site: Site, log: logging.Logger, susan: Any, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[Any] = []

    @site.notify.on_log("noticed")
    def tell(record: Any) -> None:
        calls.append(record)
        log.info("At work on it", extra=judged(susan))
        log.info("And on itself", extra={"notification": "noticed"})

    log.info("", extra={"notification": "noticed"})

    assert len(calls) == 1
    assert told(site, susan) == []
    assert "At work on it" in caplog.text
    assert errors(caplog) == []


def test_a_handler_at_the_root_does_not_recurse_over_its_own_errors(
    site: Site, handler: NotifyHandler, caplog: pytest.LogCaptureFixture
) -> None:
    @site.notify.on_log("broken")
    def fail(_record: logging.LogRecord) -> None:
        logging.getLogger("flask_notify").error("Again", extra={"notification": "broken"})
        raise ZeroDivisionError

    root = logging.getLogger()
    root.addHandler(handler)
    try:
        root.error("", extra={"notification": "broken"})
    finally:
        root.removeHandler(handler)

    assert len(errors(caplog)) == 2


def test_another_thread_may_notify_while_one_is_at_it(site: Site, log: logging.Logger, susan: Any) -> None:
    inside, done = threading.Event(), threading.Event()

    @site.notify.on_log("slow")
    def wait(_record: logging.LogRecord) -> None:
        inside.set()
        assert done.wait(60)

    slow = threading.Thread(target=lambda: log.info("", extra={"notification": "slow"}))
    slow.start()
    assert inside.wait(60)
    try:
        # Neither an unrelated record nor one that notifies waits for the other thread.
        log.info("Unrelated")
        log.info("", extra=judged(susan))
        assert told(site, susan) == ["1 points"]
    finally:
        done.set()
        slow.join()


def test_filters_choose_as_with_any_handler(
    site: Site, log: logging.Logger, handler: NotifyHandler, susan: Any
) -> None:
    handler.addFilter(lambda record: getattr(record, "points", 0) > 10)
    log.info("", extra=judged(susan, points=1))
    log.info("", extra=judged(susan, points=11))

    assert told(site, susan) == ["11 points"]


def test_a_filter_may_say_what_a_record_notifies_of(log: logging.Logger, handler: NotifyHandler, site: Site) -> None:
    seen: list[Any] = []
    site.notify.register_notification("crashed", seen.append)

    def mark(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:
            record.notification = "crashed"
        return True

    handler.addFilter(mark)
    log.info("Fine")
    log.error("Not fine")

    assert [record.getMessage() for record in seen] == ["Not fine"]


def test_the_level_chooses_as_with_any_handler(
    site: Site, log: logging.Logger, handler: NotifyHandler, susan: Any
) -> None:
    handler.setLevel("WARNING")
    log.info("", extra=judged(susan, points=1))
    log.warning("", extra=judged(susan, points=2))

    assert told(site, susan) == ["2 points"]


def test_a_type_that_the_application_declares_takes_the_place_of_the_made_one(site: Site, session: Session) -> None:
    site.notify.on_log("invoiced")(lambda record: None)  # noqa: ARG005

    @site.notify.message_type
    class Invoiced(MessageType):
        pass

    assert site.notify.message_types["invoiced"] is Invoiced
    assert session.is_active
    with pytest.raises(InvalidMessage, match=r"declared by .*Invoiced, .*Send it with notify.send\("):
        site.notify.send_notification(None, "invoiced", "You owe")


def test_a_type_that_the_application_has_declared_stays(site: Site) -> None:
    @site.notify.message_type
    class Invoiced(MessageType):
        pass

    site.notify.on_log("invoiced")(lambda record: None)  # noqa: ARG005

    assert site.notify.message_types["invoiced"] is Invoiced
    with pytest.raises(ConfigurationError, match="says its label and mail mode itself"):
        site.notify.on_log("invoiced", label="Bills")(lambda record: None)  # noqa: ARG005


def test_a_name_that_no_type_can_have_is_refused(site: Site) -> None:
    with pytest.raises(ConfigurationError, match="name of a message type"):
        site.notify.on_log("Submission judged!")(lambda record: None)  # noqa: ARG005
    with pytest.raises(ConfigurationError, match="name of a message type"):
        NotifyHandler.register_notification("Submission judged!", lambda record: None)  # noqa: ARG005


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_timeout_that_is_none_is_refused(timeout: float) -> None:
    with pytest.raises(ConfigurationError, match="positive number of seconds, got"):
        NotifyHandler(timeout=timeout)


def test_a_handler_for_an_application_without_the_extension_says_so(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    del site.app.extensions["notify"]

    NotifyHandler(app=site.app).handle(logging.makeLogRecord({"notification": "judged"}))

    assert "has no Flask-Notify" in errors(caplog)[0]
