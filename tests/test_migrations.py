"""The migrations that ship with the extension: up, down, up again, and nothing but their own tables."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from shutil import copytree, ignore_patterns
from types import new_class
from typing import Any

import pytest
from flask import Flask
from flask_login import UserMixin
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Integer, MetaData, String, func, insert, inspect, select, text
from sqlalchemy.schema import CreateSchema

from flask_notify import Notify, RecipientMixin
from tests.apps import Site
from tests.matrix import Variant
from tests.migrating import SHIPPED, Migrations, logging_kept, run, succeed
from tests.schema import OURS, describe
from tests.servers import Database

MANY = 20_001  # two whole batches, and a rest


@pytest.fixture
def before(build: Callable[..., Site], tmp_path: Path) -> Callable[..., tuple[Site, Migrations]]:
    """Build applications that have users' tables, and none of ours yet."""

    def build_one(**options: Any) -> tuple[Site, Migrations]:
        site = build(tables=False, **options)
        migrations = Migrations(site, tmp_path / "own")
        site.User.__table__.create(migrations.engine)
        return site, migrations

    return build_one


Before = Callable[..., tuple[Site, Migrations]]


def test_the_shipped_versions_make_what_create_all_makes(before: Before, variant: Variant) -> None:
    site, migrations = before(key=variant.key, base=variant.base)

    migrations.shipped("upgrade")

    migrated = describe(migrations.engine)
    migrations.shipped("downgrade", "base")
    site.create_tables()
    assert migrated == describe(migrations.engine)
    assert set(migrated) == set(OURS)


def test_an_application_works_after_up_down_and_up_again(before: Before, variant: Variant) -> None:
    site, migrations = before(key=variant.key, base=variant.base)
    migrations.shipped("upgrade")
    site.emit(site.add_user("susan"), "progress", 1)

    migrations.shipped("downgrade", "base")

    assert set(inspect(migrations.engine).get_table_names()) == {"user", "notify_alembic_version"}
    migrations.shipped("upgrade")
    with site.app.app_context():
        [susan] = site.db.session.scalars(select(site.User))
        assert susan.notifications == []
        site.emit(susan.id, "progress", 2)
        assert [item.payload for item in susan.notifications] == [2]


def test_upgrading_again_keeps_what_is_there(before: Before, variant: Variant) -> None:
    site, migrations = before(key=variant.key, base=variant.base)
    migrations.shipped("upgrade")
    susan = site.add_user("susan")
    timestamp = site.emit(susan, "progress", 1)

    migrations.shipped("downgrade", "notify_0001")
    migrations.shipped("upgrade")

    with site.app.app_context():
        assert [(item.payload, item.timestamp) for item in site.user(susan).notifications] == [(1, timestamp)]
        assert site.db.session.get_one(site.notify.Inbox, susan).cursor == timestamp


def test_tables_that_are_there_already_are_taken_over_by_a_stamp(site: Site, tmp_path: Path) -> None:
    migrations = Migrations(site, tmp_path / "own")
    susan = site.add_user("susan")
    site.emit(susan, "progress", 1)

    migrations.shipped("stamp", "notify_0002")

    migrations.shipped("upgrade")
    migrations.shipped("check")
    with site.app.app_context():
        assert [item.payload for item in site.user(susan).notifications] == [1]


def test_the_shipped_tables_are_checked_against_the_models(before: Before, variant: Variant) -> None:
    site, migrations = before(key=variant.key, base=variant.base)
    migrations.shipped("upgrade")

    migrations.shipped("check")

    with migrations.engine.begin() as connection:
        connection.execute(text("ALTER TABLE notify_inbox DROP COLUMN unseen_cursor"))
    check = run(site, "db", "check", "-d", str(SHIPPED))
    assert check.exit_code == 1
    assert "unseen_cursor" in check.stderr


@pytest.mark.parametrize("key", ["integer", "string"])
def test_every_user_who_was_there_before_gets_an_inbox(before: Before, key: str) -> None:
    site, migrations = before(key=key)
    users = [{"id": number if key == "integer" else f"user {number}"} for number in range(MANY)]
    users[0] = {"id": -1 if key == "integer" else "Übermut"}
    with migrations.engine.begin() as connection:
        connection.execute(insert(site.User.__table__), users)

    migrations.shipped("upgrade")

    with migrations.engine.connect() as connection:
        assert count_without_inbox(connection, site) == 0
        assert connection.scalar(select(func.count()).select_from(site.notify.models.inbox)) == MANY
    site.emit(users[0]["id"], "progress", 1)


def test_users_who_were_there_before_can_do_without_the_second_version(before: Before, variant: Variant) -> None:
    site, migrations = before(key=variant.key, base=variant.base)
    with migrations.engine.begin() as connection:
        user = site.User.__table__
        key = user.c.id.default.arg(None) if user.c.id.default else 7
        connection.execute(insert(user).values(id=key))

    migrations.shipped("upgrade", "notify_0001")

    with migrations.engine.connect() as connection:
        assert count_without_inbox(connection, site) == 1
    site.emit(key, "progress", 1)
    with migrations.engine.connect() as connection:
        assert count_without_inbox(connection, site) == 0


@pytest.mark.databases("postgresql", "mariadb")
def test_an_inbox_that_the_application_makes_meanwhile_is_no_error(database: Database, before: Before) -> None:
    site, migrations = before()
    with migrations.engine.begin() as connection:
        connection.execute(insert(site.User.__table__), [{"id": 1}, {"id": 2}])
    migrations.shipped("upgrade", "notify_0001")

    with ThreadPoolExecutor(1) as pool, migrations.engine.begin() as connection:
        connection.execute(insert(site.notify.models.inbox).values(recipient_id=1, cursor=5.0))
        upgrade = pool.submit(migrations.shipped, "upgrade")
        wait_until_it_waits(upgrade, database, migrations)
        connection.commit()
        upgrade.result(timeout=30)

    with migrations.engine.connect() as connection:
        inbox = site.notify.models.inbox.c
        assert connection.execute(select(inbox.recipient_id, inbox.cursor)).all() == [(1, 5.0), (2, 0.0)]


def wait_until_it_waits(upgrade: Future[str], database: Database, migrations: Migrations) -> None:
    waiting = {
        "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted",
        "mariadb": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
    }
    with migrations.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        deadline = time.monotonic() + 30
        while not connection.scalar(text(waiting[database.name])):
            # InnoDB renews what it tells only when nobody has asked for a tenth of a second.
            wait([upgrade], timeout=0.15)
            assert not upgrade.done(), upgrade.result()
            assert time.monotonic() < deadline


def count_without_inbox(connection: Connection, site: Site) -> Any:
    user, inbox = site.User.__table__, site.notify.models.inbox
    missing = ~select(inbox).where(inbox.c.recipient_id == user.c.id).exists()
    return connection.scalar(select(func.count()).select_from(user).where(missing))


@pytest.mark.parametrize("key", ["integer", "uuid"])
def test_the_statements_can_be_printed_and_run_by_somebody_else(before: Before, key: str) -> None:
    site, migrations = before(key=key)
    with migrations.engine.begin() as connection:
        user = site.User.__table__
        connection.execute(insert(user).values(id=user.c.id.default.arg(None) if user.c.id.default else 7))

    statements = migrations.shipped("upgrade", "--sql")

    with migrations.engine.begin() as connection:
        for statement in statements.split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement)
        assert count_without_inbox(connection, site) == 0
    migrations.shipped("check")


CONVENTION = {"pk": "pk_%(table_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s"}


@pytest.fixture
def build_by_hand(database: Database) -> Iterator[Callable[[MetaData], Site]]:
    """Build applications whose user table, key column and constraints have names of their own."""
    with ExitStack() as stack:

        def build_one(metadata: MetaData) -> Site:
            app = Flask("tests.apps")
            app.config.update(SQLALCHEMY_DATABASE_URI=database.url)
            db = SQLAlchemy(app, metadata=metadata)
            columns = {
                "__tablename__": "People",
                "id": db.Column("Nr", Integer, primary_key=True),
                "name": db.Column(String(64)),
            }
            Person = new_class(
                "Person", (RecipientMixin, UserMixin, db.Model), exec_body=lambda body: body.update(columns)
            )
            site = Site(app, db, Notify(app, db), Person)
            stack.callback(site.close)
            return site

        yield build_one


def migrate_as_create_all_does(site: Site, migrations: Migrations, schema: str | None = None) -> dict[str, Any]:
    """Upgrade, use and downgrade a database, and return the tables, which have to be those of ``create_all``."""
    site.User.__table__.create(migrations.engine)
    migrations.shipped("upgrade")
    migrations.shipped("check")
    migrated = describe(migrations.engine, schema)
    site.emit(site.add_user("susan"), "progress", 1)
    migrations.shipped("downgrade", "base")
    site.create_tables()
    assert migrated == describe(migrations.engine, schema)
    return migrated


def test_constraints_are_named_as_the_application_names_its_own(
    build_by_hand: Callable[[MetaData], Site], tmp_path: Path
) -> None:
    site = build_by_hand(MetaData(naming_convention=CONVENTION))

    tables = migrate_as_create_all_does(site, Migrations(site, tmp_path / "own"))

    [foreign_key] = tables["notify_inbox"]["foreign keys"]
    assert foreign_key["name"] == "fk_notify_inbox_recipient_id"


@pytest.mark.databases("postgresql")
def test_all_is_in_the_schema_of_the_application(build_by_hand: Callable[[MetaData], Site], tmp_path: Path) -> None:
    site = build_by_hand(MetaData(schema="Staff"))
    migrations = Migrations(site, tmp_path / "own")
    with migrations.engine.begin() as connection:
        connection.execute(CreateSchema("Staff"))

    tables = migrate_as_create_all_does(site, migrations, schema="Staff")

    assert set(tables) == set(OURS)
    assert inspect(migrations.engine).get_table_names() == []


@pytest.mark.databases("sqlite")
def test_nothing_is_written_where_the_versions_are_installed(
    before: Before, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, _ = before()
    installed = tmp_path / "site packages" / "flask_notify" / "migrations"
    copytree(SHIPPED, installed, ignore=ignore_patterns("__pycache__"))
    files = sorted(installed.rglob("*"))
    for path in [*files, installed]:
        path.chmod(path.stat().st_mode & ~0o222)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    for command in ("upgrade", "current", "history", "check", "downgrade"):
        succeed(site, "db", command, "-d", str(installed))

    assert sorted(installed.rglob("*")) == files
    for path in [installed, *files]:
        path.chmod(path.stat().st_mode | 0o200)


@pytest.mark.databases("sqlite")
def test_the_applications_loggers_still_speak_after_an_upgrade(before: Before) -> None:
    site, _ = before()
    logger = logging.getLogger("tests.an_application")

    with logging_kept():
        result = site.app.test_cli_runner().invoke(args=["db", "upgrade", "-d", str(SHIPPED)])

        assert "Running upgrade  -> notify_0001, The tables of live notifications" in result.stderr
        assert not logger.disabled


@pytest.mark.databases("sqlite")
def test_the_history_is_apart_from_the_applications(before: Before) -> None:
    _, migrations = before()

    migrations.shipped("upgrade")

    with migrations.engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM notify_alembic_version")) == "notify_0002"
    assert "alembic_version" not in inspect(migrations.engine).get_table_names()
