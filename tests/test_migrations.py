"""The migrations that ship with the extension: up, down, up again, and nothing but their own tables."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
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
from sqlalchemy import (
    Connection,
    Integer,
    MetaData,
    String,
    column,
    func,
    insert,
    inspect,
    select,
    table,
    text,
    update,
)
from sqlalchemy.schema import CreateSchema

from flask_notify import Notify, RecipientMixin
from tests.apps import Site
from tests.matrix import Variant
from tests.migrating import SHIPPED, Migrations, logging_kept, run, succeed
from tests.schema import LIVE, OURS, describe
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

    migrations.shipped("stamp", "head")

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


# The first tables, as far as the tests write to them: the models have columns that these have not.
OLD_INBOX = table("notify_inbox", column("recipient_id"), column("cursor"), column("unseen_cursor"))
OLD_NOTIFICATION = table(
    "notify_notification", column("recipient_id"), column("name"), column("timestamp"), column("payload")
)


def test_live_values_are_kept_on_the_way_to_messages_and_back(before: Before, variant: Variant) -> None:
    site, migrations = before(key=variant.key, base=variant.base)
    susan = upgrade_with_a_recipient(site, migrations, "notify_0002")
    with migrations.engine.begin() as connection:
        connection.execute(update(OLD_INBOX).values(cursor=5.5, unseen_cursor=0.25))
        [stored] = connection.scalars(select(OLD_INBOX.c.recipient_id))
        value = {"name": "progress", "timestamp": 5.5, "payload": "1"}
        connection.execute(insert(OLD_NOTIFICATION).values(recipient_id=stored, **value))
    live_only = describe(migrations.engine)
    rows = rows_of(migrations, LIVE)

    migrations.shipped("upgrade")

    assert set(describe(migrations.engine)) == set(OURS)
    with site.app.app_context():
        inbox = site.db.session.get_one(site.notify.Inbox, susan)
        assert (inbox.cursor, inbox.unseen_cursor, inbox.unseen_count) == (5.5, 0.25, 0)
        assert (inbox.created_at, inbox.mail_due_at, inbox.mail_mode) == (0.0, None, None)
        assert (inbox.timezone, inbox.locale, inbox.notify_myself, inbox.widget_hidden) == (None, None, False, False)
        assert [item.payload for item in site.user(susan).notifications] == [1]
    migrations.shipped("downgrade", "notify_0002")
    assert describe(migrations.engine) == live_only
    assert rows_of(migrations, LIVE) == rows


def test_messages_are_kept_on_the_way_from_the_newest_version_and_to_it(before: Before, variant: Variant) -> None:
    site, migrations = before(key=variant.key, base=variant.base)
    susan = upgrade_with_a_recipient(site, migrations, "notify_0004")
    before_it = describe(migrations.engine)
    migrations.shipped("upgrade")
    with site.app.app_context():
        site.notify.send("Welcome", to=site.user(susan))
        site.user(susan).add_notification("progress", 1)
        site.user(susan).set_notify_preferences(timezone="Europe/Berlin")
        site.db.session.commit()
        site.db.session.add(site.notify.Watch(recipient_id=susan, target_type="Post", target_id="1"))
        site.db.session.add(site.notify.Relay(recipient_id=susan, envelope="{}", _created_at=0.5))
        site.db.session.commit()
    # Of the inbox what it had then: it is given columns at its end.
    names = [name for name in before_it if name != "notify_inbox"]
    rows, inbox = rows_of(migrations, names), rows_of(migrations, ["notify_inbox"])["notify_inbox"]

    migrations.shipped("downgrade", "notify_0004")

    assert describe(migrations.engine) == before_it
    assert rows_of(migrations, names) == rows
    [left] = rows_of(migrations, ["notify_inbox"])["notify_inbox"]
    assert inbox[0][: len(left)] == left
    migrations.shipped("upgrade")
    assert rows_of(migrations, names) == rows
    assert rows_of(migrations, ["notify_inbox"])["notify_inbox"] == inbox


def upgrade_with_a_recipient(site: Site, migrations: Migrations, version: str) -> Any:
    """Upgrade a database that has one user, and return their key."""
    user = site.User.__table__
    key = user.c.id.default.arg(None) if user.c.id.default else 7
    with migrations.engine.begin() as connection:
        connection.execute(insert(user).values(id=key))
    migrations.shipped("upgrade", version)
    return key


def rows_of(migrations: Migrations, tables: Sequence[str]) -> dict[str, list[Any]]:
    with migrations.engine.connect() as connection:
        return {name: list(connection.execute(text(f"SELECT * FROM {name}")).all()) for name in tables}


IDENTITY = {
    "postgresql": "SELECT pg_relation_filenode('notify_inbox')",
    "mariadb": "SELECT table_id FROM information_schema.innodb_sys_tables WHERE name LIKE '%/notify_inbox'",
}
"""A number of the table that is another one as soon as its rows have been rewritten."""


@pytest.mark.databases("postgresql", "mariadb")
def test_new_columns_are_added_without_rewriting_the_rows(database: Database, before: Before) -> None:
    site, migrations = before()
    upgrade_with_a_recipient(site, migrations, "notify_0002")
    with migrations.engine.connect() as connection:
        before_it = connection.scalar(text(IDENTITY[database.name]))

    migrations.shipped("upgrade")

    with migrations.engine.begin() as connection:
        assert connection.scalar(text(IDENTITY[database.name])) == before_it
        # The measure is one: this does rewrite them.
        force = "ALTER TABLE notify_inbox ALTER cursor TYPE numeric"
        connection.execute(text(force if database.name == "postgresql" else "ALTER TABLE notify_inbox FORCE"))
        assert connection.scalar(text(IDENTITY[database.name])) != before_it


@pytest.mark.databases("postgresql")
def test_recipients_are_written_to_while_the_index_of_their_inboxes_is_made(database: Database, before: Before) -> None:
    site, migrations = before()
    with migrations.engine.begin() as connection:
        connection.execute(insert(site.User.__table__), [{"id": 1}, {"id": 2}])
    migrations.shipped("upgrade", "notify_0003")

    with ThreadPoolExecutor(1) as pool, migrations.engine.begin() as connection:
        connection.execute(text("UPDATE notify_inbox SET cursor = 5 WHERE recipient_id = 1"))
        upgrade = pool.submit(migrations.shipped, "upgrade")
        wait_until_it_waits(upgrade, database, migrations)
        with migrations.engine.begin() as other:
            other.execute(text("SET LOCAL lock_timeout = '60s'"))
            other.execute(text("UPDATE notify_inbox SET cursor = 6 WHERE recipient_id = 2"))
        assert not upgrade.done()
        connection.commit()
        upgrade.result(timeout=120)
    migrations.shipped("check")


@pytest.mark.databases("postgresql")
def test_an_index_that_was_cut_short_is_made_anew(before: Before) -> None:
    site, migrations = before()
    migrations.shipped("upgrade", "notify_0003")
    with migrations.engine.begin() as connection:
        connection.execute(text("CREATE INDEX ix_notify_inbox_mail_due_at ON notify_inbox (mail_due_at)"))
        cut_short = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_notify_inbox_mail_due_at'::regclass"
        connection.execute(text(cut_short))

    migrations.shipped("upgrade")

    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_notify_inbox_mail_due_at'::regclass"
    with migrations.engine.connect() as connection:
        assert connection.scalar(text(valid)) is True
    upgraded = describe(migrations.engine)
    migrations.shipped("downgrade", "base")
    site.create_tables()
    assert upgraded == describe(migrations.engine)


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
    migrations.shipped("stamp", "notify_0002")
    migrations.shipped("upgrade")

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
        connection.execute(insert(OLD_INBOX).values(recipient_id=1, cursor=5.0))
        upgrade = pool.submit(migrations.shipped, "upgrade")
        wait_until_it_waits(upgrade, database, migrations)
        connection.commit()
        upgrade.result(timeout=120)

    with migrations.engine.connect() as connection:
        inbox = site.notify.models.inbox.c
        assert connection.execute(select(inbox.recipient_id, inbox.cursor)).all() == [(1, 5.0), (2, 0.0)]


def wait_until_it_waits(upgrade: Future[str], database: Database, migrations: Migrations) -> None:
    waiting = {
        "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted",
        "mariadb": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
    }
    with migrations.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        deadline = time.monotonic() + 120
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

    # As `psql` and `mariadb` run them: each by itself, where it does not stand between BEGIN and COMMIT.
    with migrations.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
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
        assert connection.scalar(text("SELECT version_num FROM notify_alembic_version")) == "notify_0007"
    assert "alembic_version" not in inspect(migrations.engine).get_table_names()
