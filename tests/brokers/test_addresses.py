"""Addresses: which broker they name, what is missing for it, and that nobody sees their passwords."""

from __future__ import annotations

import re
import subprocess
import sys

import psycopg
import pytest
from sqlalchemy import create_engine

from flask_notify.brokers import connect, masked, of_engine
from flask_notify.errors import ConfigurationError
from tests.servers import Database

from .parties import Ear


@pytest.mark.parametrize(
    "url,shown",
    [
        ("amqp://us:secret@host:5672//", "amqp://us@host:5672//"),
        ("redis://:secret@host/0?password=secret", "redis://host/0"),
        ("rediss://us:se%40cret@[::1]:6379/0", "rediss://us@[::1]:6379/0"),
        ("postgresql://us:secret@/db?host=/run&password=secret", "postgresql://us@/db"),
        ("memory://name", "memory://name"),
        ("amqp://us:secret@[bad/", "an address that cannot be read"),
        ("amqp://us:secret@host:port/", "an address that cannot be read"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "https://us:secret@host",
        "secret",
        "amqp://us:secret@host/0?heartbeat=never",
        "amqp://us:secret@host/0?nonsense=secret",
        "amqps://us:secret@host/0?ssl_cert_reqs=nonsense",
        "redis://us:secret@host/0?socket_timeout=never",
        "postgresql://us:secret@host:1/db?nonsense=secret",
    ],
)
def test_an_address_that_no_broker_has_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="address of") as error:
        connect(url)

    assert "secret" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None


@pytest.mark.parametrize("url", ["amqp://host", "redis://host", "postgresql://host", "memory://one"])
def test_nothing_is_opened_before_the_first_call(url: str) -> None:
    broker = connect(url)

    assert broker.address == url
    broker.close()


@pytest.mark.parametrize(
    "url,adapter,missing,remedy",
    [
        ("amqp://host", "rabbitmq", "kombu", "pip install flask-notify[rabbitmq]"),
        ("redis://host", "redis", "redis", "pip install flask-notify[redis]"),
        ("postgresql://host", "postgresql", "psycopg", "pip install 'psycopg[binary]'"),
    ],
)
def test_what_is_not_installed_is_named_with_what_brings_it(
    monkeypatch: pytest.MonkeyPatch, url: str, adapter: str, missing: str, remedy: str
) -> None:
    monkeypatch.delitem(sys.modules, f"flask_notify.brokers.{adapter}", raising=False)
    for name in {missing, *(name for name in sys.modules if name.startswith(f"{missing}."))}:
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(ConfigurationError, match=f"not installed: {re.escape(remedy)}$"):
        connect(url)


def test_no_brokers_library_is_loaded_where_none_is_named() -> None:
    program = """
import sys, flask_notify.brokers
flask_notify.brokers.connect("memory://one")
print(sorted({"kombu", "amqp", "redis", "psycopg"} & set(sys.modules)))
"""

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout == "[]\n"


@pytest.mark.slow
def test_the_applications_own_database_connects_as_its_engine_does(postgresql_database: Database) -> None:
    engine = create_engine(
        postgresql_database.url, pool_size=1, max_overflow=0, connect_args={"application_name": "ours"}
    )
    broker = of_engine(engine)
    ear = Ear(of_engine(engine))
    ear.start()

    broker.publish(b"news")

    assert ear.wait_for(1) == [b"news"]
    # None of them is the pool's: its only connection is free.
    with engine.connect() as connection:
        names = connection.exec_driver_sql(
            "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"
        )
        assert list(names.scalars()) == ["ours"] * 3
    ear.stop()
    broker.close()
    engine.dispose()


def test_another_database_than_postgresql_carries_no_hints() -> None:
    with pytest.raises(ConfigurationError, match=r"postgresql\+psycopg://host/database, got sqlite\+pysqlite"):
        of_engine(create_engine("sqlite://"))


@pytest.mark.slow
def test_somebody_elses_notifications_are_no_hints(postgresql_database: Database) -> None:
    broker = connect(postgresql_database.url)
    ear = Ear(connect(postgresql_database.url))
    ear.start()

    with psycopg.connect(postgresql_database.url.replace("+psycopg", ""), autocommit=True) as connection:
        for payload in ("", "hello", "a:b:c:d", "a:0:1:%%%", "é:0:2:aGk=", "x:1:2:aGk="):
            connection.execute("SELECT pg_notify('notify_hints', %s)", (payload,))
    broker.publish(b"news")

    assert ear.wait_for(1) == [b"news"]
    ear.stop()
    broker.close()
