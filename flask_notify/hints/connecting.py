"""Which broker an application's settings name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app, has_app_context

from .. import brokers
from ..errors import ConfigurationError
from .process import Hints

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ..brokers.base import Broker
    from ..config import Settings

DATABASE = "database"
"""The broker's address that stands for LISTEN and NOTIFY on the application's own PostgreSQL."""


def carrier_of(app: Flask, settings: Settings) -> Hints | None:
    """Return what carries an application's news, or None where there is neither a broker nor a stream.

    :raises ConfigurationError: if what the broker's adapter needs is not installed.
    """
    url = settings.broker_url
    if url not in (None, DATABASE):
        brokers.connect(url).close()  # it opens nothing: what is missing is told at once
    if url is None and settings.stream_url is None:
        return None
    return Hints(lambda: connector(app), settings.hint_ttl)


def connector(app: Flask) -> Callable[[], Broker] | None:
    """Return what makes a broker for an application, or None where it has none. Nothing is connected to.

    Without a broker's address, PostgreSQL carries the hints itself where there is a stream to ring.

    :raises ConfigurationError: if the address is "database", and that is no PostgreSQL by psycopg 3.
    """
    settings: Settings = app.extensions["notify"].settings
    url = settings.broker_url
    if url not in (None, DATABASE):
        return lambda: brokers.connect(url)
    if url is None and settings.stream_url is None:
        return None
    engine = _engine(app)
    if engine.dialect.driver == "psycopg":
        from ..brokers.postgresql import of_engine  # not before it is wanted: it needs psycopg

        return lambda: of_engine(engine)
    if url == DATABASE:
        raise ConfigurationError(
            "NOTIFY_BROKER_URL = 'database' carries hints by LISTEN and NOTIFY, which needs PostgreSQL by psycopg 3, "
            f"got {engine.dialect.name}+{engine.dialect.driver}. Set the address of a RabbitMQ or Redis, or None."
        )
    return None


def _engine(app: Flask) -> Engine:
    notify: Any = app.extensions["notify"].notify
    inside = has_app_context() and current_app._get_current_object() is app  # type: ignore[attr-defined]
    with nullcontext() if inside else app.app_context():
        engine: Engine = notify.db.engines[notify.models.bind_key]
        return engine
