"""The extension object: it wires the parts to an application, and does nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, cast

from flask import Blueprint, Flask, current_app
from werkzeug.local import LocalProxy

from . import emission, recipient
from .cli import notify_cli
from .config import Settings
from .errors import ConfigurationError
from .models import InboxColumns, Models, NotificationColumns
from .web import templating
from .web.fast_poll import CursorReader, FastPoll
from .web.poll import poll
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


class Notify:
    """Live notifications for a Flask application.

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
        self._db = db
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
        app.extensions["notify"] = State(self, settings, _signer(app, settings))
        if self._db is not None and recipient.find_models(self._db) is not None:
            self._check_models()
        if settings.shipped_migrations:
            recipient.declare_version_table(self.db)
        app.register_blueprint(_blueprint(), url_prefix=settings.url_prefix or None)
        for helper in _TEMPLATE_HELPERS:
            app.add_template_global(helper)
        app.shell_context_processor(lambda: {"notify": self})  # the models are there by Flask-SQLAlchemy
        app.cli.add_command(notify_cli)
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

    @property
    def Inbox(self) -> type[InboxColumns]:
        """The mapped class of the table ``notify_inbox``."""
        return self.models.Inbox

    @property
    def Notification(self) -> type[NotificationColumns]:
        """The mapped class of the table ``notify_notification``."""
        return self.models.Notification

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
        # Keys may be set after init_app, as Flask itself allows.
        state = cast(State, app.extensions["notify"])
        state.signer = _signer(app, settings)
        with app.app_context():
            engine = self.db.engines[self.models.bind_key]
        if not settings.fast_poll or not app.secret_key or not CursorReader.serves(engine):
            return None
        return CursorReader(engine, self.models, state.signer, settings.poll_interval)

    def _check_models(self) -> None:
        recipient.check_collisions(self.models.user_mapper.class_)


_TEMPLATE_HELPERS = (
    templating.notify_badge,
    templating.notify_progress,
    templating.notify_script,
    templating.notify_style,
    templating.notify_text,
)


def _signer(app: Flask, settings: Settings) -> Signer:
    return Signer(app.secret_key or "", settings.recheck_interval)


def _blueprint() -> Blueprint:
    blueprint = Blueprint(
        "notify",
        __name__,
        static_folder="static",
        static_url_path="/notify/static",
        template_folder="templates",
    )
    blueprint.add_url_rule("/notifications", endpoint="poll", view_func=poll)
    return blueprint


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
