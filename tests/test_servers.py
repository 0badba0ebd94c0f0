"""The test servers keep what was committed, and come back after a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from sqlalchemy import create_engine, text

from tests.apps import Site
from tests.live import LiveServer
from tests.servers import Database, Redis

if TYPE_CHECKING:
    from flask import Flask
    from playwright.sync_api import Browser


@pytest.mark.databases("postgresql", "mariadb")
@pytest.mark.parametrize("how", ["restart", "kill"])
def test_a_server_that_comes_back_has_what_was_committed(database: Database, how: str) -> None:
    assert database.server
    engine = create_engine(database.url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (id INTEGER PRIMARY KEY)"))
        connection.execute(text("INSERT INTO kept VALUES (7)"))
    engine.dispose()

    getattr(database.server, how)()
    database.server.start()

    with engine.connect() as connection:
        assert connection.scalar(text("SELECT id FROM kept")) == 7
    engine.dispose()


# What takes seconds with RabbitMQ is shown by the tests of its adapter.
def test_a_server_that_was_stopped_killed_or_paused_answers_again(redis: Redis) -> None:
    for end in (redis.stop, redis.kill):
        end()
        assert not redis.answers()
        redis.start()
        assert redis.answers()

    redis.pause()
    redis.stop()
    redis.start()

    assert redis.answers()


@pytest.mark.databases("mariadb")
def test_mariadb_runs_at_read_committed(database: Database) -> None:
    engine = create_engine(database.url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT @@tx_isolation")) == "READ-COMMITTED"
    engine.dispose()


@pytest.mark.databases("sqlite-wal")
def test_a_sqlite_database_can_use_write_ahead_logging(database: Database) -> None:
    engine = create_engine(database.url)
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
    engine.dispose()


@pytest.mark.databases("sqlite")
def test_a_live_server_comes_back_on_the_same_port(site: Site, serve: Callable[[Flask], LiveServer]) -> None:
    server = serve(site.app)
    server.stop()
    with pytest.raises(URLError):
        urlopen(server.url, timeout=60)

    server.start()

    with pytest.raises(URLError, match="404"):
        urlopen(server.url, timeout=60)
    assert [request.status for request in server.requests] == [404]


@pytest.mark.databases("sqlite")
def test_chromium_opens_a_page(site: Site, serve: Callable[[Flask], LiveServer], browser: Browser) -> None:
    site.app.add_url_rule("/", view_func=lambda: "<h1>Here</h1>")
    page = browser.new_page()

    page.goto(serve(site.app).url)

    assert page.inner_text("h1") == "Here"
    page.close()
