"""Brokers: they carry hints to other processes, and letters to durable queues.

What they carry is not theirs to know: there is nothing here of Flask, of recipients or of tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from .base import HINTS, TIMEOUT, Broker, BrokerUnavailable, Letter, LetterRefused, masked

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["HINTS", "Broker", "BrokerUnavailable", "Letter", "LetterRefused", "connect", "masked", "of_engine"]


def connect(url: str, *, timeout: float = TIMEOUT) -> Broker:
    """Return the broker of an address; nothing is opened yet.

    :param url: ``amqp://``, ``amqps://``, ``redis://``, ``rediss://``, ``postgresql://`` (hints only) or
        ``memory://name`` (this process only).
    :param timeout: seconds for which the broker may be silent where it owes an answer.
    :raises ConfigurationError: no broker has such an address, or its library is not installed.
    """
    scheme = urlsplit(url).scheme
    # Each imported when it is asked for: their libraries are extras.
    if scheme in ("amqp", "amqps"):
        from .rabbitmq import RabbitMQ

        return RabbitMQ(url, timeout)
    if scheme in ("redis", "rediss"):
        from .redis import Redis

        return Redis(url, timeout)
    if scheme in ("postgresql", "postgresql+psycopg"):
        from .postgresql import of_url

        return of_url(url, timeout)
    if scheme == "memory":
        from .memory import Memory

        return Memory(url)
    raise ConfigurationError(
        "The address of a broker begins with amqp://, amqps://, redis://, rediss://, postgresql:// or memory://, "
        f"got one that begins with {scheme!r}"
    )


def of_engine(engine: Engine, *, timeout: float = TIMEOUT) -> Broker:
    """Return the broker that a database of PostgreSQL is by LISTEN and NOTIFY (hints only); nothing is opened yet.

    It connects as the engine does, and takes no connection from its pool.

    :raises ConfigurationError: the engine is not PostgreSQL's by psycopg 3.
    """
    if (engine.dialect.name, engine.dialect.driver) != ("postgresql", "psycopg"):
        raise ConfigurationError(
            "LISTEN and NOTIFY need a database of PostgreSQL by psycopg 3, as in postgresql+psycopg://host/database, "
            f"got {engine.dialect.name}+{engine.dialect.driver}"
        )
    from .postgresql import of_engine as postgresql_of_engine

    return postgresql_of_engine(engine, timeout)
