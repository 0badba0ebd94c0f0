"""Which function tells of which record of the log, and for which applications."""

from __future__ import annotations

import gc
import logging
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast
from weakref import WeakSet

from flask import Flask

from ..messages.message_types import Registry
from ..rules import MailMode
from . import log_messages

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

    from ..models import Models

LogFunction: TypeAlias = Callable[[logging.LogRecord], Any]
"""Called with a record; it tells whom it concerns, by :meth:`.Notify.send_notification` or :meth:`.Notify.send`."""

_Function = TypeVar("_Function", bound=LogFunction)


@dataclass(frozen=True)
class _Registered:
    """A function with what its type of messages is to be."""

    function: LogFunction
    label: Any = None
    mail_mode: MailMode | str | None = None


class _Registry(dict[str, _Registered]):
    """The registered functions by type of notification."""

    def put(self, name: str, found: _Registered) -> None:
        """Register a function; of two the last wins, with a warning."""
        before = self.get(name)
        if before is not None and not _is_the_same(before.function, found.function):
            warnings.warn(
                f"The notification {name!r} was registered for {_name(before.function)}, and is now for "
                f"{_name(found.function)}: the last one counts. Remove one of the two, or give it a type of its own.",
                stacklevel=4,
            )
        self[name] = found


def _is_the_same(one: LogFunction, other: LogFunction) -> bool:
    # A factory that runs again makes the same function anew.
    code = getattr(one, "__code__", None)
    return one == other or (code is not None and code is getattr(other, "__code__", None))


def _name(function: LogFunction) -> str:
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', repr(function))}"


class LogNotifications:
    """What :class:`.Notify` has for records of the log."""

    if TYPE_CHECKING:
        message_types: Registry

        @property
        def db(self) -> SQLAlchemy:
            """What :class:`.Notify` has."""

        @property
        def models(self) -> Models:
            """Likewise."""

        send: Callable[..., int]

    def __init__(self) -> None:
        super().__init__()  # the other parts of Notify
        self._registered = _Registry()

    def on_log(
        self,
        type: str,  # noqa: A002  # OIOIOI's and our own word
        *,
        label: Any = None,
        mail_mode: MailMode | str | None = None,
    ) -> Callable[[_Function], _Function]:
        """Register a function for records with ``extra={"notification": type}``, as a decorator.

        .. code-block:: python

            @notify.on_log("submission_judged", label=lazy_gettext("Judged submissions"))
            def tell_author(record):
                notify.send_notification(
                    record.author, "submission_judged", "%(task)s: %(points)s points",
                    {"task": record.task, "points": record.points},
                )

        :param type: the name of the notifications, and of the messages that are sent for them.
        :param label: see :attr:`.MessageType.label`.
        :param mail_mode: see :attr:`.MessageType.mail_mode`.
        :raises ConfigurationError: if no type of messages can have that name.
        """

        def register(function: _Function) -> _Function:
            self._register(type, _Registered(function, label, mail_mode))
            return function

        return register

    def register_notification(
        self,
        type: str,  # noqa: A002  # likewise
        function: LogFunction,
        *,
        label: Any = None,
        mail_mode: MailMode | str | None = None,
    ) -> None:
        """Register a function as :meth:`on_log` does (OIOIOI's name). Doing so twice warns, and the last one counts."""
        self._register(type, _Registered(function, label, mail_mode))

    def _register(self, name: str, found: _Registered) -> None:
        log_messages.declare(self.message_types, name, found.label, found.mail_mode)
        self._registered.put(name, found)

    def send_notification(
        self,
        user: Any,
        type: str,  # noqa: A002  # likewise
        message: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        address: str | None = None,
        details: str | None = None,
        popup: bool | None = None,
    ) -> int:
        """Send a message of a registered type; like :meth:`send` it is written at the commit.

        It is stored untranslated, with its arguments, and put together for each recipient in
        their language.

        :param user: the recipient, or whatever else :meth:`send` takes.
        :param type: a registered type.
        :param message: the template, not yet translated: "%(task)s: %(points)s points".
        :param arguments: what is put into it, as text. OIOIOI's ``address``, ``details`` and
            ``popup`` may stand among them instead of by themselves.
        :param address: where it leads: absolute http(s), or a path of this site.
        :param details: a short text about what has happened.
        :param popup: whether open pages show it by themselves.
        :return: for how many recipients it was recorded.
        :raises UnknownType: if the type was not registered.
        :raises InvalidMessage: if something does not fit, or cannot be stored.
        """
        options = {"address": address, "details": details, "popup": popup}
        return self.send(log_messages.make(self.message_types, type, message, arguments, options), to=user)

    def function_for_log(self, type: Any) -> LogFunction | None:  # noqa: A002  # likewise
        """Return the function that is registered for a type, or None."""
        found = (self._registered.get(type) or _for_all.get(type)) if isinstance(type, str) else None
        return None if found is None else found.function

    def types_of_log(self) -> list[str]:
        """Return the types for which a function is registered."""
        return sorted({*self._registered, *_for_all})


_for_all = _Registry()
"""Those that were registered by the class of the handler, before there was an application."""

_apps: WeakSet[Flask] = WeakSet()
_lock = threading.Lock()


class _Swept:
    """How many applications have come, and how many there had been when those gone were last looked for."""

    bound = 0
    total = 0


_swept = _Swept()


def bind(app: Flask) -> None:
    """Make an application known, for records of threads and processes that are in none."""
    notify = notify_of(app)
    with _lock:
        _apps.add(app)
        _swept.bound += 1
        for name, found in _for_all.items():
            log_messages.declare(notify.message_types, name, found.label, found.mail_mode)


def register_for_all(name: str, function: LogFunction) -> None:
    """Register a function for all applications, those that are yet to come included."""
    with _lock:
        log_messages.declare(Registry(), name, None, None)  # refuses a bad name
        _for_all.put(name, _Registered(function))
        for app in _apps:
            log_messages.declare(notify_of(app).message_types, name, None, None)


def bound() -> list[Flask]:
    """Return the applications that are known."""
    with _lock:
        apps = list(_apps)
        several = len(apps) > 1 and _swept.total != _swept.bound
        _swept.total = _swept.bound
    if several:
        # One that nobody holds any more is none; it only waits to be collected, for it is in cycles.
        apps.clear()
        gc.collect()
        with _lock:
            apps = list(_apps)
    return apps


def notify_of(app: Flask) -> LogNotifications:
    """Return the extension of an application."""
    return cast(LogNotifications, app.extensions["notify"].notify)
