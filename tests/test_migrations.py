"""The migrations that ship with the extension make the tables that the models describe, and live beside others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask_migrate import Migrate
from sqlalchemy import Engine, func, inspect, insert, select, text

from tests.apps import Site
from tests.matrix import Variant
from tests.migrating import SHIPPED, flask, keep_logging, shipped  # noqa: F401
from tests.schema import OURS, describe
from tests.servers import Database


def test_the_shipped_versions_make_what_create_all_makes(build: Callable[..., Site], variant: Variant) -> None:
    site = build(key=variant.key, base=variant.base)
    engine = engine_of(site)
    made_by_create_all = describe(engine)
    for table in reversed(OURS):
        site.db.metadata.tables[table].drop(engine)
    Migrate(site.app, site.db)

    shipped(site, "upgrade")

    assert describe(engine) == made_by_create_all
    assert set(made_by_create_all) == set(OURS)
    print(made_by_create_all)


def engine_of(site: Site) -> Engine:
    with site.app.app_context():
        return site.db.engines[site.notify.models.bind_key]
