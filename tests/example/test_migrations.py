"""The example's own migrations make exactly the tables that its models need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import check, downgrade, upgrade

from examples.microblog import create_app
from examples.microblog.extensions import db
from tests.servers import Database

pytestmark = pytest.mark.databases("sqlite", "postgresql", "mariadb")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Database) -> Iterator[Flask]:
    """The application with a database that has no tables."""
    monkeypatch.setenv("MICROBLOG_INSTANCE_PATH", str(tmp_path))
    app = create_app({"SQLALCHEMY_DATABASE_URI": database.url})
    with app.app_context():
        yield app
        db.engine.dispose()


def tables() -> set[str]:
    return set(sa.inspect(db.engine).get_table_names())


@pytest.mark.usefixtures("app")
def test_the_migrations_and_the_models_agree() -> None:
    upgrade()

    check()
    assert tables() == {*db.metadata.tables, "alembic_version"}


@pytest.mark.usefixtures("app")
def test_the_migrations_can_be_taken_back() -> None:
    upgrade()

    downgrade(revision="base")

    assert tables() == {"alembic_version"}
