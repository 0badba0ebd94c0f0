"""The fast poll on the engine's pool: every kind of pool, and a server that goes away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import AssertionPool, NullPool, Pool, QueuePool, SingletonThreadPool, StaticPool

from tests.apps import Site
from tests.polls import items, poll, ticket_for
from tests.servers import Database

Build = Callable[..., Site]
ONE_CONNECTION = {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": 0.05}


def engine_of(site: Site) -> Engine:
    with site.app.app_context():
        return site.db.engine


@pytest.mark.parametrize(
    "pool, confirms",
    [(QueuePool, True), (NullPool, True), (AssertionPool, True), (StaticPool, False), (SingletonThreadPool, False)],
)
def test_polls_are_right_on_every_kind_of_pool(build: Build, pool: type[Pool], confirms: bool) -> None:
    site = build(SQLALCHEMY_ENGINE_OPTIONS={"poolclass": pool})
    key = site.add_user("susan")
    client = site.client(key)
    for value in range(3):
        since = site.emit(key, "a", value)
        idle = poll(client, since)
        again = poll(client, since, idle.headers.get("ETag", '"none"'))

        assert idle.json == []
        assert again.status_code == (304 if confirms else 200)
        assert ("ETag" in idle.headers) is confirms
    assert [item["data"] for item in items(client)] == [2]


def test_a_pool_of_one_connection_gets_it_back_from_each_poll(build: Build) -> None:
    site = build(SQLALCHEMY_ENGINE_OPTIONS=ONE_CONNECTION)
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)

    for _ in range(20):
        assert poll(client, 0.0, ticket).status_code == 304

    assert items(client) == []


def test_an_exhausted_pool_is_told_by_the_application_and_forgotten_when_it_is_over(build: Build) -> None:
    site = build(SQLALCHEMY_ENGINE_OPTIONS=ONE_CONNECTION)
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)

    with engine_of(site).connect(), pytest.raises(PoolTimeout):
        poll(client, 0.0, ticket)

    assert poll(client, 0.0, ticket).status_code == 304


def test_what_is_rolled_back_after_fast_polls_on_the_same_connection_is_rolled_back(build: Build) -> None:
    site = build(SQLALCHEMY_ENGINE_OPTIONS=ONE_CONNECTION)
    key = site.add_user("susan")
    client = site.client(key)
    ticket = ticket_for(client, 0.0)
    assert [poll(client, 0.0, ticket).status_code for _ in range(3)] == [304] * 3

    with site.app.app_context():
        site.user(key).last_seen = 5.0
        site.db.session.flush()
        site.db.session.rollback()
        assert site.user(key).last_seen is None


@pytest.mark.databases("postgresql")
def test_a_connection_is_in_no_transaction_and_in_no_autocommit_after_a_fast_poll(build: Build) -> None:
    site = build(SQLALCHEMY_ENGINE_OPTIONS=ONE_CONNECTION)
    client = site.client(site.add_user("susan"))
    assert poll(client, 0.0, ticket_for(client, 0.0)).status_code == 304

    connection = engine_of(site).raw_connection()
    driver: Any = connection.driver_connection
    state = driver.autocommit, int(driver.info.transaction_status)
    connection.close()

    assert state == (False, 0)


@pytest.mark.databases("postgresql", "mariadb")
def test_an_engine_in_autocommit_stays_so(build: Build) -> None:
    site = build(SQLALCHEMY_ENGINE_OPTIONS={**ONE_CONNECTION, "isolation_level": "AUTOCOMMIT"})
    client = site.client(site.add_user("susan"))
    assert poll(client, 0.0, ticket_for(client, 0.0)).status_code == 304

    with engine_of(site).connect() as connection:
        connection.execute(text("CREATE TABLE kept (id INTEGER)"))
        connection.execute(text("INSERT INTO kept VALUES (1)"))
        connection.rollback()
        assert connection.scalar(text("SELECT count(*) FROM kept")) == 1


def test_an_application_that_prepares_each_checkout_keeps_its_connection(build: Build) -> None:
    site = build(SQLALCHEMY_ENGINE_OPTIONS=ONE_CONNECTION)
    engine, connected = engine_of(site), []
    event.listen(engine, "connect", lambda *_: connected.append(1))

    @event.listens_for(engine, "checkout")
    def prepare(connection: Any, *_: object) -> None:
        connection.cursor().execute("SELECT 1")  # which begins a transaction on some databases

    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)

    assert [poll(client, 0.0, ticket).status_code for _ in range(5)] == [304] * 5
    assert connected == []


@pytest.mark.databases("mariadb")
def test_no_snapshot_of_yesterday_is_read(build: Build) -> None:
    # Under REPEATABLE READ a transaction sees what was there when it began, and nothing ends it here.
    options = {**ONE_CONNECTION, "pool_reset_on_return": None, "isolation_level": "REPEATABLE READ"}
    site, other = build(SQLALCHEMY_ENGINE_OPTIONS=options), build()
    key = site.add_user("susan")
    client = site.client(key)
    idle = poll(client, 0.0)
    ticket = idle.headers.get("ETag", '"none"')
    poll(client, 0.0, ticket)

    other.emit(key, "a", 1)

    assert [item["data"] for item in poll(client, 0.0, ticket).json] == [1]


@pytest.mark.databases("mariadb")
@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_news_is_told_at_once_under_every_isolation(build: Build, isolation: str) -> None:
    site = build(SQLALCHEMY_ENGINE_OPTIONS={**ONE_CONNECTION, "isolation_level": isolation})
    other = build()
    key = site.add_user("susan")
    client = site.client(key)
    ticket = ticket_for(client, 0.0)
    assert poll(client, 0.0, ticket).status_code == 304

    other.emit(key, "a", 1)

    assert poll(client, 0.0, ticket).status_code == 200


@pytest.mark.databases("postgresql")
def test_an_engine_that_keeps_its_tables_in_another_schema_is_polled_there(build: Build) -> None:
    shop = {"execution_options": {"schema_translate_map": {None: "shop"}}}
    site = build(tables=False, SQLALCHEMY_ENGINE_OPTIONS=shop)
    with engine_of(site).begin() as connection:
        connection.execute(text("CREATE SCHEMA shop"))
    site.create_tables()
    key = site.add_user("susan")
    client = site.client(key)
    since = site.emit(key, "a", 1)
    ticket = ticket_for(client, since)

    assert [item["data"] for item in items(client)] == [1]
    assert poll(client, since, ticket).status_code == 304
    site.emit(key, "a", 2)
    assert [item["data"] for item in poll(client, since, ticket).json] == [2]


@pytest.mark.databases("sqlite", "sqlite-wal")
@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN IMMEDIATE"])
def test_an_engine_that_begins_its_transactions_itself_is_polled(build: Build, begin: str) -> None:
    # SQLAlchemy's documented recipe for transactions of SQLite that can be relied upon.
    site = build()
    engine = engine_of(site)
    engine.dispose()

    @event.listens_for(engine, "connect")
    def take_over(connection: Any, _: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def do_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    key = site.add_user("susan")
    client = site.client(key)
    ticket = ticket_for(client, 0.0)

    assert [poll(client, 0.0, ticket).status_code for _ in range(3)] == [304] * 3
    site.emit(key, "a", 1)
    assert poll(client, 0.0, ticket).status_code == 200


@pytest.mark.databases("sqlite", "sqlite-wal")
def test_a_fast_poll_holds_up_no_writer(build: Build) -> None:
    site = build(SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"timeout": 0}})
    key = site.add_user("susan")
    client = site.client(key)
    ticket = ticket_for(client, 0.0)
    assert poll(client, 0.0, ticket).status_code == 304

    with engine_of(site).connect() as connection:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        connection.rollback()


@pytest.mark.databases("sqlite")
def test_where_a_read_waits_in_vain_the_full_way_tells_why(build: Build) -> None:
    site = build(SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"timeout": 0}})
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)

    with engine_of(site).connect() as connection:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        with pytest.raises(OperationalError, match="locked"):
            poll(client, 0.0, ticket)
        connection.rollback()

    assert poll(client, 0.0, ticket).status_code == 304


def test_where_the_table_is_gone_the_full_way_tells_why(build: Build) -> None:
    site = build()
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)
    with site.app.app_context():
        site.db.drop_all()

    with pytest.raises((OperationalError, ProgrammingError)):
        poll(client, 0.0, ticket)


# A server that goes away


def fill_pool(site: Site, connections: int) -> None:
    engine = engine_of(site)
    held = [engine.connect() for _ in range(connections)]
    for connection in held:
        connection.close()


@pytest.mark.databases("postgresql", "mariadb")
@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("connections", [1, 4])
def test_after_a_restart_of_the_server_every_poll_is_answered_rightly(
    build: Build, database: Database, how: str, connections: int
) -> None:
    site = build()
    key = site.add_user("susan")
    client = site.client(key)
    since = site.emit(key, "a", 1)
    ticket = ticket_for(client, since)
    fill_pool(site, connections)
    assert database.server is not None

    getattr(database.server, how)()
    database.server.start()

    answers = [poll(client, since, ticket), poll(client), poll(client, "abc"), poll(client, since, ticket)]
    assert [answer.status_code for answer in answers] == [200, 200, 400, 304]
    assert answers[0].json == []
    assert client.post("/logout").status_code == 204


@pytest.mark.databases("postgresql", "mariadb")
def test_while_the_server_is_away_the_application_says_so_and_then_goes_on(build: Build, database: Database) -> None:
    site = build()
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)
    fill_pool(site, 3)
    assert database.server is not None
    database.server.stop()

    for _ in range(2):
        with pytest.raises(OperationalError):
            poll(client, 0.0, ticket)

    database.server.start()
    assert poll(client, 0.0, ticket).status_code in (200, 304)
    assert poll(client, 0.0, ticket).status_code == 304


@pytest.mark.databases("postgresql", "mariadb")
def test_news_from_before_a_restart_is_told_by_the_first_poll_after_it(build: Build, database: Database) -> None:
    site = build()
    key = site.add_user("susan")
    client = site.client(key)
    ticket = ticket_for(client, 0.0)
    site.emit(key, "a", 1)
    assert database.server is not None

    database.server.restart()

    assert [item["name"] for item in poll(client, 0.0, ticket).json] == ["a"]
