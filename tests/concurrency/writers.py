"""A process that emits to overlapping recipients, each of its commits taking its time."""

from __future__ import annotations

import random
import time
import traceback
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from tests.apps import Site, make_app
from tests.processes import PATIENCE

RETRYABLE = {
    "40001",  # PostgreSQL: could not serialize
    1020,  # MariaDB: record has changed since last read (innodb_snapshot_isolation)
    1213,  # MariaDB: deadlock, the victim is to try again
}


@dataclass(frozen=True)
class Orders:
    """What one writer is to do."""

    url: str
    number: int
    recipients: list[int]
    rounds: int = 15
    slowest_commit: float = 0.02
    engine_options: dict[str, Any] = field(default_factory=dict)
    strict: bool = False  # an isolation under which a conflict is an error to retry


def write(orders: Orders, barrier: Any, results: Any) -> None:
    """Emit in rounds; report how many retries it took, or what went wrong."""
    try:
        site = make_app(orders.url, SQLALCHEMY_ENGINE_OPTIONS=orders.engine_options)
        dice = random.Random(orders.number)
        _slow_down_commits(site, dice, orders.slowest_commit)
        barrier.wait(timeout=PATIENCE)
        retries = sum(_round(site, orders, dice, number) for number in range(orders.rounds))
        site.close()
        results.put(("done", retries))
    except BaseException:  # it is told to the test, which fails
        results.put(("failed", traceback.format_exc()))


def _slow_down_commits(site: Site, dice: random.Random, slowest: float) -> None:
    with site.app.app_context():
        engine = site.db.engine
    never = Event()

    @event.listens_for(engine, "commit")
    def take_a_while(_: Any) -> None:
        never.wait(dice.uniform(0, slowest))  # after all was written, with every lock held


def _round(site: Site, orders: Orders, dice: random.Random, number: int) -> int:
    # Each host's clock is off by something, and in the middle all are set back by an hour.
    skew = orders.number * 0.3 - (3600 if number >= orders.rounds // 2 else 0)
    site.notify.clock = lambda: time.time() + skew
    recipients = list(orders.recipients)
    dice.shuffle(recipients)
    retries = 0
    while True:
        with site.app.app_context():
            try:
                _transaction(site, orders, recipients, number)
            except OperationalError as error:
                if not (orders.strict and is_retryable(error)):
                    raise
                site.db.session.rollback()
                retries += 1
            else:
                return retries


def _transaction(site: Site, orders: Orders, recipients: list[int], number: int) -> None:
    me = site.user(orders.recipients[orders.number % len(orders.recipients)])
    me.last_seen = time.time()
    for key in recipients:
        user = site.user(key)
        user.add_notification(f"{orders.number}:{number}", {"from": orders.number})
        user.add_notification("shared", [orders.number, number])
    site.db.session.commit()


def is_retryable(error: OperationalError) -> bool:
    """Return whether the whole transaction is to be tried again."""
    driver_error: Any = error.orig
    return bool(RETRYABLE & {getattr(driver_error, "sqlstate", None), driver_error.args[0]})
