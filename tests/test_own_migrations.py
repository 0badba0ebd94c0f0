"""An application's own ``flask db migrate`` finds the tables, and leaves those of the shipped migrations alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Column, Engine, Integer, Table, insert, inspect, text

from flask_notify import Notify
from tests.apps import Site, make_app, make_user_model
from tests.matrix import Variant
from tests.migrating import Migrations, run
from tests.schema import OURS, describe
from tests.servers import Database

# Flask-Migrate's env.py, which `flask db init` copies, tries the old way first.
pytestmark = pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")


@pytest.fixture
def build_with_bind(database: Database, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Build applications whose users live in a bind, which is the test's database, and all else on SQLite."""
    with ExitStack() as stack:

        def build_one(**config: Any) -> Site:
            site = make_app(
                f"sqlite:///{tmp_path}/default.sqlite",
                attributes={"__bind_key__": "people"},
                SQLALCHEMY_BINDS={"people": database.url},
                **config,
            )
            stack.callback(site.close)
            return site

        yield build_one


def test_an_application_generates_the_tables_with_its_own(
    build: Callable[..., Site], variant: Variant, tmp_path: Path
) -> None:
    site = build(tables=False, key=variant.key, base=variant.base)
    migrations = Migrations(site, tmp_path / "own", compare_server_default=True)
    migrations.own("init")

    migrations.own("migrate")
    migrations.own("upgrade")

    migrations.own("check")
    migrated = describe(migrations.engine)
    migrations.own("downgrade")
    assert inspect(migrations.engine).get_table_names() == ["alembic_version"]
    site.create_tables()
    assert migrated == describe(migrations.engine)


def test_an_application_with_live_notifications_only_generates_the_rest(
    build: Callable[..., Site], variant: Variant, tmp_path: Path
) -> None:
    site = build(tables=False, key=variant.key, base=variant.base)
    migrations = Migrations(site, tmp_path / "own", compare_server_default=True)
    key = make_live_only(site, migrations)
    live_only = describe(migrations.engine)

    migrations.own("init")
    migrations.own("migrate")
    migrations.own("upgrade")

    migrations.own("check")
    site.emit(key, "progress", 1)
    migrated = describe(migrations.engine)
    migrations.own("downgrade")
    assert describe(migrations.engine) == live_only
    migrations.own("upgrade")
    with site.app.app_context():
        assert [item.payload for item in site.user(key).notifications] == [1]
    with site.app.app_context():
        site.db.drop_all()
        site.db.create_all()
    assert migrated == describe(migrations.engine)


def make_live_only(site: Site, migrations: Migrations) -> Any:
    """Make the tables of live notifications as an own migration did, with one user, and return their key."""
    user = site.User.__table__
    user.create(migrations.engine)
    key = user.c.id.default.arg(None) if user.c.id.default else 7
    with migrations.engine.begin() as connection:
        connection.execute(insert(user).values(id=key))
    migrations.shipped("upgrade", "notify_0002")
    with migrations.engine.begin() as connection:
        connection.execute(text("DROP TABLE notify_alembic_version"))
    return key


@pytest.mark.parametrize("key", ["integer", "uuid"])
def test_what_is_generated_on_sqlite_runs_everywhere(build: Callable[..., Site], tmp_path: Path, key: str) -> None:
    developer = make_app(f"sqlite:///{tmp_path}/developer.sqlite", key=key)
    Migrations(developer, tmp_path / "own").own("init")
    Migrations(developer, tmp_path / "own").own("migrate")
    developer.close()
    site = build(key=key)
    made_by_create_all = describe(Migrations(site, tmp_path / "own").engine)
    with site.app.app_context():
        site.db.drop_all()

    Migrations(site, tmp_path / "own").own("upgrade")

    assert describe(Migrations(site, tmp_path / "own").engine) == made_by_create_all


def test_users_in_a_bind_have_their_tables_there(build_with_bind: Callable[..., Site], tmp_path: Path) -> None:
    site = build_with_bind()
    migrations = Migrations(site, tmp_path / "own")
    migrations.own("init", "--multidb")

    migrations.own("migrate")
    migrations.own("upgrade")

    migrations.own("check")
    assert set(describe(migrations.engine)) == set(OURS)
    assert describe(default_engine(site)) == {}
    site.emit(site.add_user(), "progress", 1)


def test_the_shipped_migrations_live_beside_the_applications_own(
    build: Callable[..., Site], variant: Variant, tmp_path: Path
) -> None:
    site = build(tables=False, key=variant.key, base=variant.base, NOTIFY_SHIPPED_MIGRATIONS=True)
    site.User.__table__.create(Migrations(site, tmp_path / "own").engine)
    migrations = Migrations(site, tmp_path / "own")
    migrations.shipped("upgrade")
    migrations.own("init")
    migrations.own("migrate")
    migrations.own("upgrade")
    key = site.add_user()
    site.emit(key, "progress", 1)

    Table("post", site.db.metadata, Column("id", Integer, primary_key=True))
    migrations.own("migrate")
    migrations.own("upgrade")

    migrations.own("check")
    assert not any("notify_" in script for script in migrations.scripts())
    migrations.shipped("upgrade")
    with site.app.app_context():
        assert [item.payload for item in site.user(key).notifications] == [1]
    migrations.own("downgrade")
    assert set(describe(migrations.engine)) == set(OURS)


@pytest.mark.databases("sqlite")
def test_without_the_setting_the_next_version_would_drop_the_shipped_ones_table(
    build: Callable[..., Site], tmp_path: Path
) -> None:
    site = build(tables=False)
    migrations = Migrations(site, tmp_path / "own")
    site.User.__table__.create(migrations.engine)
    migrations.shipped("upgrade")
    migrations.own("init")

    check = run(site, "db", "check", "-d", str(tmp_path / "own"))

    assert check.exit_code == 1
    migrations.own("migrate")
    assert "op.drop_table('notify_alembic_version')" in migrations.scripts()[0]


def test_both_live_side_by_side_in_a_bind(build_with_bind: Callable[..., Site], tmp_path: Path) -> None:
    site = build_with_bind(NOTIFY_SHIPPED_MIGRATIONS=True)
    migrations = Migrations(site, tmp_path / "own")
    site.User.__table__.create(migrations.engine)

    migrations.shipped("upgrade")

    migrations.own("init", "--multidb")
    migrations.own("migrate")
    migrations.own("upgrade")
    migrations.own("check")
    assert set(describe(migrations.engine)) == set(OURS)
    assert "notify_alembic_version" not in inspect(default_engine(site)).get_table_names()


@pytest.mark.databases("sqlite")
def test_the_setting_holds_where_the_user_model_comes_after_the_extension(database: Database, tmp_path: Path) -> None:
    app = Flask("tests.apps")
    app.config.update(SQLALCHEMY_DATABASE_URI=database.url, NOTIFY_SHIPPED_MIGRATIONS=True)
    db = SQLAlchemy(app)
    notify = Notify(app, db)
    site = Site(app, db, notify, make_user_model(db, "integer", {}))
    migrations = Migrations(site, tmp_path / "own")
    migrations.engine.dispose()
    site.User.__table__.create(migrations.engine)

    migrations.shipped("upgrade")

    migrations.own("init")
    migrations.own("migrate")
    migrations.own("upgrade")
    migrations.own("check")
    site.close()


@pytest.mark.databases("sqlite")
def test_an_application_that_is_made_twice_declares_the_version_table_once(database: Database) -> None:
    site = make_app(database.url, NOTIFY_SHIPPED_MIGRATIONS=True)
    again = Flask("tests.apps")
    again.config.update(site.app.config)
    site.db.init_app(again)

    Notify(again, site.db)

    assert list(site.db.metadata.tables["notify_alembic_version"].columns.keys()) == ["version_num"]


def default_engine(site: Site) -> Engine:
    with site.app.app_context():
        return site.db.engine
