"""Sending to many and marking many cost few statements, and lock few recipients at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, insert, select

from flask_notify.database_clock import DatabaseClock
from flask_notify.leases import SCHEDULER
from tests.apps import Site
from tests.concurrency.messages import check_counts
from tests.recording import recorded
from tests.servers import Database


def asked(statements: list[str]) -> list[str]:
    """Leave out what begins and ends transactions, and looks at the connection."""
    return [statement for statement in statements if re.match(r"\s*(?:SELECT|INSERT|UPDATE|DELETE)\b", statement)]


def add_users(site: Site, count: int) -> None:
    with site.app.app_context():
        site.db.session.execute(insert(site.User), [{"name": f"user {number}"} for number in range(count)])
        users, inbox = site.User.__table__, site.notify.models.inbox
        site.db.session.execute(insert(inbox).from_select(["recipient_id"], select(users.c.id)))
        site.db.session.commit()


def test_marking_many_seen_is_four_statements_however_many(site: Site, database: Database) -> None:
    key = site.add_user("ann")
    with site.app.app_context():
        for number in range(300):
            site.notify.send(f"m{number}", to=site.user(key))
        site.db.session.commit()
        ids = [message.id for message in site.user(key).messages_received]

    for options in ({"ids": ids[:200]}, {"ids": None}):
        with recorded(database, site) as statements, site.app.app_context():
            user = site.user(key)
            user.mark_all_seen() if options["ids"] is None else user.mark_seen(*options["ids"])
            site.db.session.commit()
        of_ours = [statement for statement in asked(statements) if "notify_" in statement]

        assert len(of_ours) <= 4, of_ours

    check_counts(site)


def test_a_thousand_recipients_cost_as_many_statements_as_ten(site: Site, database: Database) -> None:
    add_users(site, 1_000)
    counts = []
    for limit in (10, 1_000):
        with recorded(database, site) as statements, site.app.app_context():
            assert site.notify.send("to many", to=select(site.User.id).order_by(site.User.id).limit(limit)) == limit
            site.db.session.commit()
        counts.append(len(asked(statements)))

    assert counts[0] == counts[1]
    assert counts[1] <= 12
    check_counts(site)


@pytest.mark.parametrize("kind", ["query", "list", "broadcast"])
def test_no_transaction_writes_to_more_than_a_thousand_recipients(build: Callable[..., Site], kind: str) -> None:
    site = build()
    add_users(site, 2_500)
    models = site.notify.models
    table = models.notification if kind == "broadcast" else models.message
    written: list[int] = []
    with site.app.app_context():
        now = DatabaseClock()
        lease = {"role": SCHEDULER, "owner": "a test", "until": now, "renewed_at": now}
        site.db.session.execute(insert(models.lease).values(lease))
        site.db.session.commit()

        @event.listens_for(site.db.engine, "commit")
        def count(connection: Connection) -> None:
            written.append(connection.scalar(select(func.count()).select_from(table)) or 0)

        session: Any = site.db.session
        if kind == "broadcast":
            assert site.notify.broadcast("maintenance", 1) == 2_500
        elif kind == "query":
            assert site.notify.send("to all", to=select(site.User.id)) == 2_500
        else:
            assert site.notify.send("to all", to=session.scalars(select(site.User)).all()) == 2_500
        session.commit()
        assert written == [0]

        assert site.notify.drain() == 2_500

    assert max(after - before for before, after in pairwise(written)) == 1_000
    assert written[-1] == 2_500
    check_counts(site)
