"""Small applications for the tests: every kind of key, every kind of model base."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import new_class
from typing import Any, ClassVar

from flask import Flask, Response, request
from flask.testing import FlaskClient
from flask_login import LoginManager, UserMixin, login_user, logout_user
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import BigInteger, Integer, String, Uuid
from sqlalchemy.event import registry as event_registry
from sqlalchemy.orm import DeclarativeBase, DeclarativeBaseNoMeta
from werkzeug.routing import Rule

from flask_notify import Notify, RecipientMixin
from flask_notify.recipient import find_models
from tests.tables import create_tables

KEYS: dict[str, Callable[[], dict[str, Any]]] = {
    "integer": lambda: {"type_": Integer()},
    # SQLite numbers only INTEGER keys by itself.
    "biginteger": lambda: {"type_": BigInteger().with_variant(Integer(), "sqlite")},
    "uuid": lambda: {"type_": Uuid(), "default": uuid.uuid4},
    "string": lambda: {"type_": String(64), "default": lambda: uuid.uuid4().hex},
}
BASES = ("legacy", "declarative", "nometa")

Attributes = Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None


@dataclass
class Site:
    """An application with its own ``db``, ``notify`` and ``User``."""

    app: Flask
    db: SQLAlchemy
    notify: Notify
    User: Any
    models: ModelSet | None = None

    def create_tables(self) -> None:
        """Create all tables."""
        # Other options of the engine may change the statements.
        config = self.app.config
        as_usual = config["SQLALCHEMY_ENGINE_OPTIONS"] in ({}, engine_options(config["SQLALCHEMY_DATABASE_URI"]))
        with self.app.app_context():
            create_tables(self.db, self.models.tables() if as_usual and self.models else None)

    def add_user(self, name: str | None = None, **values: Any) -> Any:
        """Store a user and return their key."""
        with self.app.app_context():
            user = self.User(name=name, **values)
            self.db.session.add(user)
            self.db.session.commit()
            return user.id

    def user(self, key: Any) -> Any:
        """Return the user with that key, in the current application context."""
        return self.db.session.get(self.User, key)

    def emit(self, key: Any, name: str, data: Any, expires_in: float | None = None) -> float:
        """Give a user a value in a transaction of its own, and return its timestamp."""
        with self.app.app_context():
            notification = self.user(key).add_notification(name, data, expires_in=expires_in)
            self.db.session.commit()
            return float(notification.timestamp)

    def remove(self, key: Any, name: str) -> None:
        """Take a value from a user in a transaction of its own."""
        with self.app.app_context():
            self.user(key).remove_notification(name)
            self.db.session.commit()

    def client(self, key: Any = None, *, remember: bool = False) -> FlaskClient:
        """Return a test client, logged in as the user with that key unless it is None."""
        client = self.app.test_client()
        if key is not None:
            answer = client.post(f"/login/{key}", query_string={"remember": "1"} if remember else {})
            assert answer.status_code == 204
        return client

    def close(self) -> None:
        """Give the connections of all binds back to the database."""
        with self.app.app_context():
            for engine in self.db.engines.values():
                engine.dispose()
        if self.models is not None:
            self.models.give_back()
            self.models = None


def make_app(
    url: str,
    *,
    key: str = "integer",
    base: str = "legacy",
    fast_poll: bool = True,
    login: bool = True,
    attributes: Attributes = None,
    **config: Any,
) -> Site:
    """Build an application on the database at ``url``.

    ``key`` is one of `KEYS`, ``base`` one of `BASES`; ``attributes`` are further attributes of
    the user model, or the function that makes them, which is quicker: its models are used again.
    ``config`` is the application's configuration. Without ``login`` there is no Flask-Login.
    """
    app = _Application("tests.apps")
    app.config.update(
        SECRET_KEY="for the tests only",
        SQLALCHEMY_DATABASE_URI=url,
        NOTIFY_FAST_POLL=fast_poll,
        TESTING=True,
        **{"SQLALCHEMY_ENGINE_OPTIONS": engine_options(url), **config},
    )
    models = ModelSet.take(key, base, attributes)
    notify = Notify(db=models.db)
    models.db.init_app(app)
    if login:
        add_login(app, models.db, models.User)
    notify.init_app(app)
    return Site(app, models.db, notify, models.User, models)


class _Rule(Rule):
    """A rule that shares what it compiles with those that are written alike.

    Each application has all of the extension's rules, and to compile them is most of what it costs.
    """

    _builders: ClassVar[dict[object, Callable[..., tuple[str, str]]]] = {}

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        alike = (self.rule, tuple(self._trace), repr(self.defaults), append_unknown)
        if alike not in self._builders:
            self._builders[alike] = super()._compile_builder(append_unknown)
        return self._builders[alike]


class _Application(Flask):
    url_rule_class = _Rule


def engine_options(url: str) -> dict[str, Any]:
    """Return options with which nobody gives up for want of SQLite's one lock while the machine stands still."""
    return {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}


class ModelSet:
    """A ``db`` and its user model.

    To map the models is most of what an application of the tests costs, so a set serves one
    application after the other, as the module-level ``db`` of an application factory does. It is
    in one application at a time, and goes on to the next only if it is as it was made: one with
    a further table, column, attribute, bind, listener of a session or session is not used again.
    """

    _free: ClassVar[dict[tuple[object, ...], list[ModelSet]]] = {}

    def __init__(self, key: str, base: str, attributes: Attributes = None) -> None:
        self.db = make_db(base)
        more = attributes() if callable(attributes) else attributes or {}
        self.User = make_user_model(self.db, key, more)
        self._kind = None if isinstance(attributes, Mapping) else (key, base, attributes)
        if self._kind is None:
            return
        found = find_models(self.db)
        assert found is not None
        self._built, self._clock = found, found.clock
        self._registry: Any = self.User.registry
        self._registry.configure()
        self._as_made = self._look()

    @classmethod
    def take(cls, key: str, base: str, attributes: Attributes = None) -> ModelSet:
        """Return a set that no application uses."""
        if isinstance(attributes, Mapping):
            return cls(key, base, attributes)
        free = cls._free.setdefault((key, base, attributes), [])
        return free.pop() if free else cls(key, base, attributes)

    def give_back(self) -> None:
        """Let another application have the set, if it is as it was made."""
        if self._kind is None:
            return
        self._built.clock = self._clock
        if self._look() == self._as_made:
            self._free[self._kind].append(self)

    def tables(self) -> tuple[object, ...] | None:
        """Return what stands for the tables of the set, or None if they are not as they were made."""
        return self._kind if self._kind and self._tables() == self._as_made["tables"] else None

    def _tables(self) -> set[tuple[object, ...]]:
        return {
            (bind, table.name, *(part.name for parts in (table.columns, table.indexes) for part in parts))
            for bind, metadata in self.db.metadatas.items()
            for table in metadata.tables.values()
        }

    def _look(self) -> dict[str, object]:
        mapped = [mapper.class_ for mapper in self._registry.mappers]
        session = self.db.session
        factory = session.session_factory
        heard = {id(target) for target in (session, factory, factory.class_, *self._registry.mappers, *mapped)}
        return {
            "db": _attributes(self.db),
            "tables": self._tables(),
            "info": {name: id(value) for name, value in self.db.metadata.info.items()},
            "built": _attributes(self._built),
            "classes": {id(model): _attributes(model) for model in mapped},
            # SQLAlchemy knows no other way to tell who listens.
            "listeners": sorted(key for key in event_registry._key_to_collection if key[0] in heard),
            "sessions": len(session.registry.registry),
        }


def _attributes(thing: object) -> dict[str, int]:
    return {name: id(value) for name, value in vars(thing).items()}


def make_db(base: str) -> SQLAlchemy:
    """Return an extension whose models have that base."""
    if base == "declarative":
        return SQLAlchemy(model_class=type("Base", (DeclarativeBase,), {}))
    if base == "nometa":
        return SQLAlchemy(model_class=type("Base", (DeclarativeBaseNoMeta,), {}))
    return SQLAlchemy()


def make_user_model(db: SQLAlchemy, key: str, attributes: Mapping[str, Any]) -> Any:
    """Return a user model with a key of that kind, a unique ``name`` and a ``last_seen``."""
    columns = {
        "__tablename__": "user",
        "id": db.Column(primary_key=True, **KEYS[key]()),
        "name": db.Column(String(64), unique=True),
        "last_seen": db.Column(db.Double),
    }
    return new_class(
        "User",
        (RecipientMixin, UserMixin, db.Model),
        exec_body=lambda body: body.update(columns, **attributes),
    )


def add_login(app: Flask, db: SQLAlchemy, User: Any) -> None:
    """Add Flask-Login with the usual ORM loader, and routes to log in and out."""
    manager = LoginManager(app)
    key_of = getattr(User, "key_from_login", None) or User.id.type.python_type

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load_user(identity: str) -> Any:
        return db.session.get(User, key_of(identity))

    @app.post("/login/<identity>")
    def login(identity: str) -> Response:
        user = db.session.get(User, User.id.type.python_type(identity))
        login_user(user, remember="remember" in request.args)
        return Response(status=204)

    @app.post("/logout")
    def logout() -> Response:
        logout_user()
        return Response(status=204)
