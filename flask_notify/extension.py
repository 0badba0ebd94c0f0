"""The extension object: it wires the parts to an application, and does nothing else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast

from flask import Flask, current_app
from werkzeug.local import LocalProxy

from . import emission, recipient
from .actions.declaring import Actions
from .actions.notifying import ActionMessage
from .alongside import alongside
from .cli import notify_cli
from .config import Settings
from .errors import ConfigurationError
from .hints import connecting
from .hints.process import Hints
from .logs import log_messages, log_registry
from .messages import browser_messages, fanout, sending
from .messages.message_types import MessageType, Registry
from .messages.outgoing import TextFunction
from .models import Models
from .pushing.keys import Vapid, vapid_of
from .running import scheduler
from .stream.tokens import Tokens
from .web import unsubscribe
from .web.blueprint import TEMPLATE_HELPERS, make_blueprint
from .web.fast_poll import CursorReader, FastPoll
from .web.hooks import Hooks
from .web.session import leave_sessions_alone
from .web.ticket import Signer

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy


@dataclass
class State:
    """What one application has of the extension: ``app.extensions["notify"]``."""

    notify: Notify
    settings: Settings
    signer: Signer
    carrier: Hints | None = None
    """Who carries the news of a commit to other processes, and hears theirs; None without a broker."""
    tokens: Tokens | None = None
    """Who signs what pages listen to the stream with; None without a stream."""
    vapid: Vapid | None = None
    """What signs pushes, and has the public key for the pages; None without Web Push."""


_Type = TypeVar("_Type", bound="type[MessageType]")


class _Model:
    """One of the mapped classes, as an attribute of :class:`Notify`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, notify: Notify, owner: type[Notify]) -> Any:
        return getattr(notify.models, self._name)


class Notify(log_registry.LogNotifications, Hooks, Actions):
    """Live notifications, messages and mail for a Flask application.

    .. code-block:: python

        db = SQLAlchemy()
        notify = Notify(db=db)

        class User(RecipientMixin, UserMixin, db.Model): ...

        def create_app():
            app = Flask(__name__)
            db.init_app(app)
            login_manager.init_app(app)
            notify.init_app(app)

    :param app: an application to initialise at once.
    :param db: the application's Flask-SQLAlchemy extension. Without it, the one that the
        first application was initialised with is used.
    """

    def __init__(self, app: Flask | None = None, db: SQLAlchemy | None = None) -> None:
        super().__init__()
        self._db = db
        self.message_types = Registry()
        self.message_types.register(ActionMessage)
        emission.listen()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, db: SQLAlchemy | None = None) -> None:
        """Add the blueprint, the template helpers and the commands to an application.

        :param app: the application. Other extensions may be initialised before or after.
        :param db: see :class:`Notify`.
        :raises ConfigurationError: if a setting is not what it should be, or the user model
            does not fit. What is not there yet is looked at before the first request.
        """
        if "notify" in app.extensions:
            raise ConfigurationError(
                "Flask-Notify must be initialised once per application, got a second "
                "init_app(). Remove one, or Notify(app) in favour of notify.init_app(app)."
            )
        self._db = db or self._db or app.extensions.get("sqlalchemy")
        settings = Settings(app.config)
        settings.alongside.extend(alongside(settings))
        carrier, vapid = connecting.carrier_of(app, settings), vapid_of(settings, app.config)
        app.extensions["notify"] = State(self, settings, _signer(app, settings), carrier, vapid=vapid)
        if self._db is not None and recipient.find_models(self._db) is not None:
            self._check_models()
        if settings.shipped_migrations:
            recipient.declare_version_table(self.db)
        app.register_blueprint(make_blueprint(), url_prefix=settings.url_prefix or None)
        for helper in TEMPLATE_HELPERS:
            app.add_template_global(helper)
        app.shell_context_processor(lambda: {"notify": self})  # the models are there by Flask-SQLAlchemy
        app.cli.add_command(notify_cli)
        log_registry.bind(app)
        prepare = _once(lambda: self._prepare(app, settings))
        app.wsgi_app = FastPoll(app.wsgi_app, prepare)  # type: ignore[method-assign]  # as Flask's documentation tells

    @property
    def db(self) -> SQLAlchemy:
        """The application's Flask-SQLAlchemy extension."""
        if self._db is None:
            raise ConfigurationError(
                "Flask-Notify needs a Flask-SQLAlchemy extension, got none. Create it as "
                "Notify(db=db), or call db.init_app(app) before notify.init_app(app)."
            )
        return self._db

    @property
    def models(self) -> Models:
        """The mapped classes and their tables."""
        found = recipient.find_models(self.db)
        if found is None:
            raise ConfigurationError(
                "Flask-Notify needs a user model with RecipientMixin, got none on this db. "
                "Write class User(RecipientMixin, UserMixin, db.Model), and import its module "
                "before you use the extension."
            )
        return found

    Inbox = _Model("Inbox")
    Notification = _Model("Notification")
    Message = _Model("Message")
    Preference = _Model("Preference")
    Block = _Model("Block")
    Watch = _Model("Watch")
    Mail = _Model("Mail")
    Fanout = _Model("Fanout")
    FanoutRecipient = _Model("FanoutRecipient")
    Lease = _Model("Lease")
    Relay = _Model("Relay")
    PushSubscription = _Model("PushSubscription")
    Push = _Model("Push")
    PushPreference = _Model("PushPreference")

    def message_type(self, kind: _Type) -> _Type:
        """Declare a type of messages: ``@notify.message_type`` on a subclass of :class:`.MessageType`.

        :raises ConfigurationError: if another type has its name.
        """
        log_messages.give_way(self.message_types, kind)
        self.message_types.register(kind)
        return kind

    def send(
        self,
        what: str | MessageType | TextFunction,
        to: Any,
        *,
        sender: Any = None,
        target: Any = None,
        body: str | None = None,
        url: str | None = None,
        data: dict[str, Any] | None = None,
    ) -> int:
        """Send a message to recipients, at the caller's commit; a rollback leaves nothing behind.

        Up to ``NOTIFY_INLINE_RECIPIENTS`` recipients get it in the caller's own transaction. For
        more it is recorded there, and moved into their inboxes afterwards.

        :param what: an instance of a declared :class:`.MessageType`; or a text, which is the
            subject of a message of the type ``system``; or a function of recipient and mail mode
            that returns subject and body in the current language, which is the recipient's, or
            None to leave that recipient out (Lino's ``msg_func``).
        :param to: a user; users; pairs of a user and a mail mode; or a ``select()`` of keys. None
            is passed over, and who is named twice gets it once. The doer, who is logged in, is
            not told of their own doing.
        :param sender: with a text or a function: the user who causes it.
        :param target: likewise: the object of a model that it is about.
        :param body: with a text: all there is to say. ``Markup`` is limited rich text.
        :param url: with a text: where it leads to, http(s) or a path of this site.
        :param data: with a text or a function: JSON that is kept with the message.
        :return: for how many recipients it was recorded.
        :raises InvalidMessage: if something cannot be stored.
        :raises UnknownType: if the type was not declared.
        """
        return sending.send(
            self.models,
            self._settings,
            self.message_types,
            what,
            to,
            doer=recipient.current_doer(),
            sender=sender,
            target=target,
            body=body,
            url=url,
            data=data,
        )

    def broadcast(self, name: str, data: Any, *, expires_in: float | None = None) -> int:
        """Give a live value to every user, online or not, at the caller's commit.

        Users who are made later do not get it.

        :param name: as of :meth:`.RecipientMixin.add_notification`.
        :param data: any JSON value.
        :param expires_in: seconds after which it is gone.
        :return: how many users there are.
        """
        return fanout.broadcast(self.models, self._settings, self.message_types, name, data, expires_in=expires_in)

    def send_browser_message_for_all_users(self, subject: str, body: str | None = None, url: str | None = None) -> int:
        """Show every user's open pages a message, at the caller's commit (Lino's name).

        See :meth:`.RecipientMixin.send_browser_message` for the parameters.

        :return: how many users there are.
        """
        return browser_messages.send_to_all(self.models, self._settings, self.message_types, subject, body, url)

    def drain(self) -> int:
        """Move all that was emitted to many and waits; return how many recipients were moved.

        ``flask notify run`` does so by itself.
        """
        return sum(fanout.drain(self.models, self._settings, self.message_types))

    def acting_as(self, user: Any) -> AbstractContextManager[None]:
        """Let a user be the doer of what is done meanwhile: ``with notify.acting_as(user): …``.

        For code outside a request, and for somebody who works as another user: the one acted as
        is then not told, and the real one is.
        """
        return recipient.acting_as(user)

    @property
    def _settings(self) -> Settings:
        return cast(State, current_app.extensions["notify"]).settings

    @property
    def clock(self) -> Callable[[], float]:
        """The clock by which all is stamped; returns Unix seconds. Tests may set another."""
        return self.models.clock

    @clock.setter
    def clock(self, clock: Callable[[], float]) -> None:
        self.models.clock = clock

    def _prepare(self, app: Flask, settings: Settings) -> CursorReader | None:
        """Look at the complete application, before its first request."""
        self._check_models()
        if not hasattr(app, "login_manager"):
            raise ConfigurationError(
                "Flask-Notify asks Flask-Login who is polling, got an application without it. "
                "Call LoginManager(app), or login_manager.init_app(app)."
            )
        leave_sessions_alone(app)
        unsubscribe.exempt_from_csrf(app)
        # Keys may be set after init_app, as Flask itself allows.
        state = cast(State, app.extensions["notify"])
        state.signer = _signer(app, settings)
        state.tokens = Tokens.of(app) if settings.stream_url else None
        with app.app_context():
            engine = self.db.engines[self.models.bind_key]
        if settings.scheduler:
            scheduler.start_in_process(app)
        if not settings.fast_poll or not app.secret_key or not CursorReader.serves(engine):
            return None
        if state.carrier is not None:
            state.carrier.listen()
        return CursorReader(engine, self.models, state.signer, settings.poll_interval, state.carrier, state.tokens)

    def _check_models(self) -> None:
        recipient.check_collisions(self.models.user_mapper.class_)


def _signer(app: Flask, settings: Settings) -> Signer:
    return Signer(app.secret_key or "", settings.recheck_interval)


def _once(prepare: Callable[[], CursorReader | None]) -> Callable[[], CursorReader | None]:
    """Let one thread prepare; the others get what it found."""
    lock = Lock()
    found: list[CursorReader | None] = []

    def prepare_once() -> CursorReader | None:
        with lock:
            if not found:
                found.append(prepare())
            return found[0]

    return prepare_once


def _current_notify() -> Notify:
    state = current_app.extensions.get("notify")
    if state is None:
        raise ConfigurationError(f"{current_app.name!r} has no Flask-Notify. Call notify.init_app(app).")
    return cast(State, state).notify


current_notify: Notify = cast(Notify, LocalProxy(_current_notify))
"""The extension of the current application."""
