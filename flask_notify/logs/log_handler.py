"""A logging handler that notifies (rows G1 to G3; OIOIOI's NotificationHandler).

A record that bears ``extra={"notification": "type"}`` is handed to the function that is
registered for the type; it sends messages. Every other record passes at the cost of a look.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Mapping
from typing import Any, cast

from flask import Flask, current_app, has_app_context
from sqlalchemy.orm import Session

from ..detour import emitting_into
from ..errors import ConfigurationError
from ..recipient import acting_as, current_doer
from ..site import visited
from . import log_registry, patience, uncommitted
from .log_registry import LogFunction, LogNotifications, notify_of
from .shelter import sheltered

_log = logging.getLogger("flask_notify")


class _Emitting(threading.local):
    """Whether this thread is at work on a record: what it logs meanwhile is not told of."""

    now: bool = False


_emitting = _Emitting()


class _Refused(Exception):
    """A record that cannot be told of, and why."""


class NotifyHandler(logging.Handler):
    """A handler whose records notify, for ``logging.config.dictConfig`` or ``logger.addHandler()``.

    .. code-block:: python

        logging.config.dictConfig({
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"notify": {"class": "flask_notify.NotifyHandler"}},
            "root": {"handlers": ["notify"], "level": "INFO"},
        })

        log.info("judged", extra={"notification": "submission_judged", "submission": submission})

    There need be no application yet. A record is told of by the application whose context is
    current; in a thread, a worker or a task without one, by the only one that there is.

    If the context's session has uncommitted writes, what is sent joins their transaction: it goes
    out with its commit, and is gone with its rollback. Otherwise it is committed at once, in a
    session of its own. Nothing that goes wrong reaches the code that logs: it is an error in the
    log ``flask_notify``.

    :param level: as of any handler.
    :param app: the application, where there are several and no context is current.
    :param timeout: seconds to wait at most for what others have locked, where it commits by itself.
    """

    def __init__(self, level: int | str = logging.NOTSET, app: Flask | None = None, timeout: float = 5.0) -> None:
        super().__init__(level)
        if not timeout > 0:
            raise ConfigurationError(f"A NotifyHandler's timeout must be a positive number of seconds, got {timeout!r}")
        self.app = app
        self.timeout = timeout
        uncommitted.listen()

    def handle(self, record: logging.LogRecord) -> Any:
        """Emit a record that is to notify, and let all others pass.

        Not under the handler's lock, as others do: a thread that waits for the database would
        hold up whoever logs anything, and so perhaps the one that it waits for.
        """
        passed: Any = True
        if self.filters:
            passed = self.filter(record)
            if isinstance(passed, logging.LogRecord):  # from Python 3.12 on
                record = passed
        if passed and "notification" in record.__dict__:
            self.emit(record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record to the function that is registered for its type; whatever happens, return."""
        kind = getattr(record, "notification", None)
        if kind is None or _emitting.now:
            return
        _emitting.now = True
        try:
            self._emit(kind, record)
        except _Refused as why:
            _log.error("A record of the logger %r could not notify: %s", record.name, why)
        except Exception:  # noqa: BLE001  # whatever the application's code or the database raises
            _log.exception("A record of the logger %r could not notify of %r", record.name, kind)
        finally:
            _emitting.now = False

    def _emit(self, kind: Any, record: logging.LogRecord) -> None:
        app = self._find_app()
        notify = notify_of(app)
        function = notify.function_for_log(kind)
        if function is None:
            known = ", ".join(notify.types_of_log()) or "none"
            raise _Refused(
                f"a notification's type must be registered, got {kind!r}; registered: {known}. "
                f"Write @notify.on_log({kind!r}) before the function that tells of it."
            )
        session = _current_session(app, notify)
        if session is not None and uncommitted.has_uncommitted(session):
            self._join(session, notify, function, record)
        elif has_app_context() and not _is_current(app):
            # Neither the request nor the user of another application may be taken for this one's.
            contextvars.Context().run(self._tell_alone, app, notify, function, record)
        else:
            self._tell_alone(app, notify, function, record)

    def _find_app(self) -> Flask:
        if self.app is not None:
            if "notify" not in self.app.extensions:
                raise _Refused(f"{self.app.name!r} has no Flask-Notify. Call notify.init_app(app).")
            return self.app
        if has_app_context() and "notify" in current_app.extensions:
            return cast(Any, current_app)._get_current_object()  # type: ignore[no-any-return]
        apps = log_registry.bound()
        if len(apps) != 1:
            raise _Refused(
                "outside an application context there must be one application with Flask-Notify, got "
                f"{len(apps)}. {'Log in app.app_context(), or give NotifyHandler(app=app)' if apps else _NO_APP}."
            )
        return apps[0]

    def _join(
        self, session: Session, notify: LogNotifications, function: LogFunction, record: logging.LogRecord
    ) -> None:
        settings = current_app.extensions["notify"].settings
        with sheltered(session, notify.models), visited(settings.base_url):
            function(record)

    def _tell_alone(
        self, app: Flask, notify: LogNotifications, function: LogFunction, record: logging.LogRecord
    ) -> None:
        doer = current_doer() if _is_current(app) else None
        models = notify.models
        # A context of its own is a session of its own.
        with app.app_context(), acting_as(doer):
            session = notify.db.session()
            patience.limit(session.connection(bind_arguments={"clause": models.inbox}), self.timeout)
            with emitting_into(models, session), visited(app.extensions["notify"].settings.base_url):
                function(record)
            session.commit()

    @classmethod
    def register_notification(cls, notification_type: str, notification_function: LogFunction) -> None:
        """Register a function for all applications, also before there is one (OIOIOI's name).

        What :meth:`.Notify.register_notification` registers comes before it.

        :raises ConfigurationError: if no type of messages can have that name.
        """
        log_registry.register_for_all(notification_type, notification_function)

    @classmethod
    def send_notification(
        cls,
        user: Any,
        notification_type: str,
        notification_message: str,
        notification_message_arguments: Mapping[str, Any] | None = None,
    ) -> int:
        """Send a notification as :meth:`.Notify.send_notification` does (OIOIOI's name).

        :raises ConfigurationError: outside an application context. The functions that are
            registered are always called in one.
        """
        if not has_app_context() or "notify" not in current_app.extensions:
            raise ConfigurationError(
                "A notification is sent by an application with Flask-Notify, got no application context of one. "
                "Call it in the function that is registered, or in app.app_context()."
            )
        notify = notify_of(current_app)
        return notify.send_notification(user, notification_type, notification_message, notification_message_arguments)


_NO_APP = "Call notify.init_app(app) before the first record"


def _is_current(app: Flask) -> bool:
    return has_app_context() and cast(Any, current_app)._get_current_object() is app


def _current_session(app: Flask, notify: LogNotifications) -> Session | None:
    """Return the session of the current context, unless nobody has asked for it yet."""
    scoped = notify.db.session
    return scoped() if _is_current(app) and scoped.registry.has() else None
