"""Expiry: what is old goes, in batches that keep every count exact.

A table is walked in the order of its primary key, so that each batch is a short transaction of its
own that finds its rows without a scan. A walk that was cut short has done what it has done, and
the next one goes on from there by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from .. import signals
from ..config import Settings
from ..models import Models
from .old_rows import KINDS, Limits, Removal

SQLITE_PAUSE = 0.05
"""Seconds, at most, for which SQLite's one lock is left to others after each batch."""


@dataclass(frozen=True)
class Batch:
    """What one transaction has removed, and how many rows of it."""

    what: str
    removed: int


def expire(
    models: Models, settings: Settings, *, now: float, stop: Callable[[], bool] = lambda: False
) -> Iterator[Batch]:
    """Remove what is old, yielding each batch when it is committed (row D1).

    Needs an application context, and connections of its own: the caller's session is left alone.

    :param now: Unix seconds.
    :param stop: asked before each batch; the walk ends as soon as it says True.
    """
    engine = models.db.engines[models.bind_key]
    limits = Limits.of(settings, now)
    for kind in KINDS:
        removal = kind(models, limits, now, engine.dialect.name)
        if removal.is_due:
            with _connect(engine, removal) as connection:
                yield from _walk(connection, removal, stop)


def _connect(engine: Engine, removal: Removal) -> Connection:
    connection = engine.connect()
    if engine.dialect.name == "sqlite":
        return connection
    # Under a stricter isolation a batch would see its own snapshot, and not what others have committed.
    level = "AUTOCOMMIT" if removal.waits_for_nobody else "READ COMMITTED"
    return connection.execution_options(isolation_level=level)


def _walk(connection: Connection, removal: Removal, stop: Callable[[], bool]) -> Iterator[Batch]:
    for within in removal.ranges(connection):
        if stop():
            return
        began = time.monotonic()
        removed = removal.remove(connection, within)
        if connection.dialect.name == "sqlite":
            # The lock is not queued for: whoever waits looks, ever more rarely, whether it is
            # free, and must find it so.
            time.sleep(min((time.monotonic() - began) / 2, SQLITE_PAUSE))
        if removed:
            signals.tell(signals.expired, table=removal.table_of(removal.models).name, removed=removed)
            yield Batch(removal.what, removed)
