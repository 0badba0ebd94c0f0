"""The applications of the tests: models go from one to the next only as they were made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Column, Integer, event, inspect, text

from tests import tables
from tests.apps import ModelSet, Site, make_app
from tests.schema import describe
from tests.servers import Database, Databases

Build = Callable[..., Site]
pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture(autouse=True)
def no_model_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test begin with no set that another has left."""
    monkeypatch.setattr(ModelSet, "_free", {})


def test_models_go_on_to_the_next_application(build: Build) -> None:
    first = build()
    first.add_user("ann")
    first.close()

    second = build()

    assert second.User is first.User
    assert second.app is not first.app
    assert second.notify is not first.notify


def test_two_applications_at_a_time_have_models_of_their_own(build: Build) -> None:
    first, second = build(), build()

    assert second.User is not first.User
    assert second.db is not first.db


def test_another_kind_of_key_or_base_has_other_models(build: Build) -> None:
    first = build()
    first.close()

    assert build(key="uuid").db is not first.db
    assert build(base="declarative").db is not first.db


def test_models_with_attributes_of_their_own_serve_once(build: Build) -> None:
    first = build(attributes={"colour": Column(Integer)})
    first.close()

    second = build(attributes={"colour": Column(Integer)})

    assert second.User is not first.User


def test_a_site_that_is_closed_twice_gives_its_models_once(build: Build) -> None:
    first = build()
    first.close()
    first.close()

    second, third = build(), build()

    assert second.db is not third.db


def test_a_clock_that_was_set_does_not_go_on(build: Build) -> None:
    first = build()
    clock = first.notify.clock
    first.notify.clock = lambda: 1.0
    first.close()

    second = build()

    assert second.db is first.db
    assert second.notify.clock is clock


def _map_a_model(site: Site) -> None:
    type("Post", (site.db.Model,), {"id": Column(Integer, primary_key=True)})


def _add_a_column(site: Site) -> None:
    site.User.colour = Column(Integer)


def _replace_a_method(site: Site) -> None:
    site.User.get_id = str


def _listen_to_a_model(site: Site) -> None:
    event.listen(site.User, "before_update", print)


def _listen_to_sessions(site: Site) -> None:
    event.listen(site.db.session, "after_flush", print)


def _declare_the_version_table(site: Site) -> None:
    site.notify.models.declare_version_table()


def _replace_the_session(site: Site) -> None:
    site.db.session = site.db._make_scoped_session({})


def _leave_a_session(site: Site) -> None:
    def begin() -> None:
        site.app.app_context().push()
        site.db.session()

    # Its context never ends, which must not be this thread's.
    thread = Thread(target=begin)
    thread.start()
    thread.join()


CHANGES = (
    _map_a_model,
    _add_a_column,
    _replace_a_method,
    _listen_to_a_model,
    _listen_to_sessions,
    _declare_the_version_table,
    _replace_the_session,
    _leave_a_session,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_models_that_a_test_has_changed_do_not_go_on(build: Build, change: Callable[[Site], Any]) -> None:
    first = build()
    change(first)
    first.close()

    second = build()

    assert second.db is not first.db
    assert second.User is not first.User


@pytest.mark.databases("sqlite", "postgresql", "mariadb")
def test_recorded_statements_make_the_tables_that_create_all_makes(
    databases: Databases, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_recorded", {})
    with closing(make_app(database.url)) as heard:
        made = _described(heard)
    (tmp_path / "other").mkdir()
    with databases.fresh(database.name, tmp_path / "other") as other, closing(make_app(other.url)) as repeated:
        assert len(tables._recorded) == 1
        assert _described(repeated) == made


def test_tables_that_are_there_already_stay_as_they_are(build: Build) -> None:
    first = build()
    ann = first.add_user("ann")

    second = build()

    with second.app.app_context():
        assert second.user(ann).name == "ann"


def test_a_table_that_is_missing_is_made(build: Build) -> None:
    first = build()
    with first.app.app_context():
        first.db.session.execute(text("DROP TABLE notify_watch"))
        first.db.session.commit()

    first.create_tables()

    with first.app.app_context():
        assert inspect(first.db.engine).has_table("notify_watch")


def _described(site: Site) -> dict[str, Any]:
    site.create_tables()
    with site.app.app_context():
        return describe(site.db.engine)
