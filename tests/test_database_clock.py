"""The database's clock, as leases see it."""

from __future__ import annotations

import time

from sqlalchemy import select, text

from flask_notify.database_clock import DatabaseClock
from tests.apps import Site
from tests.servers import Database


def test_the_database_tells_unix_seconds_with_fractions(site: Site) -> None:
    with site.app.app_context():
        before = time.time()
        readings = [site.db.session.scalar(select(DatabaseClock())) for _ in range(20)]
        after = time.time()

    # SQLite's clock has milliseconds.
    assert all(isinstance(reading, float) and before - 0.002 <= reading <= after + 0.002 for reading in readings)
    assert any(reading and reading % 1 for reading in readings)


def test_the_clock_goes_on_during_a_transaction(site: Site) -> None:
    with site.app.app_context():
        first = site.db.session.scalar(select(DatabaseClock())) or 0.0
        begun = time.monotonic()
        while time.monotonic() < begun + 0.01:
            later = site.db.session.scalar(select(DatabaseClock())) or 0.0

    assert first < later < first + 600


def test_the_clock_is_that_of_the_world_whatever_the_zone_of_the_session(site: Site, database: Database) -> None:
    zones = {"postgresql": "SET TIME ZONE 'Asia/Kolkata'", "mariadb": "SET time_zone = '+05:30'"}
    with site.app.app_context():
        if database.name in zones:
            site.db.session.execute(text(zones[database.name]))

        told = site.db.session.scalar(select(DatabaseClock())) or 0.0

    assert abs(told - time.time()) < 600  # not hours
