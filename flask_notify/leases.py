"""Leases: a role that one process has at a time, by the database's clock.

Whoever has a role renews it well before it ends. Who dies does not, and another takes over; no
two hosts have to agree on the time for that.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Engine, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError

from .database_clock import DatabaseClock
from .models import Models

SCHEDULER = "scheduler"
"""The role of the one process that does what must not be done twice."""


class Holder(NamedTuple):
    """Who has a role.

    :param seconds_ago: since the role was taken or renewed.
    :param seconds_left: until another may take it; below 0 if it has ended.
    """

    owner: str
    seconds_ago: float
    seconds_left: float


class Lease:
    """One process's claim to a role. Needs an application context.

    :param role: at most 64 characters.
    :param ttl: seconds for which it is held without being renewed.
    """

    def __init__(self, models: Models, role: str = SCHEDULER, ttl: float = 10) -> None:
        self.role = role
        self.owner = _name_of_this_process()
        self._models = models
        self._ttl = ttl

    def take(self) -> bool:
        """Take the role, or renew it; return whether it is this process's now.

        One statement decides: of many who try at once, the database lets one.
        """
        lease = self._models.lease
        free = or_(lease.c.owner == self.owner, lease.c.until < DatabaseClock())
        until = DatabaseClock() + literal(self._ttl)
        mine = {"owner": self.owner, "until": until, "renewed_at": DatabaseClock()}
        with self._engine.begin() as connection:
            if connection.execute(update(lease).where(lease.c.role == self.role, free).values(mine)).rowcount:
                return True
        return self._make(mine)

    def _make(self, values: Mapping[str, Any]) -> bool:
        lease = self._models.lease
        with self._engine.begin() as connection:
            if connection.execute(select(lease.c.role).where(lease.c.role == self.role)).first():
                return False
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(lease).values(role=self.role, **values))
        except IntegrityError:  # another has made it in this very moment
            return False
        return True

    def release(self) -> None:
        """Give the role up, if this process has it, so that another need not wait for its end.

        When it was seen last stays on record.
        """
        lease = self._models.lease
        mine = (lease.c.role == self.role) & (lease.c.owner == self.owner)
        with self._engine.begin() as connection:
            connection.execute(update(lease).where(mine).values(until=0.0))

    @property
    def _engine(self) -> Engine:
        return self._models.db.engines[self._models.bind_key]


def holder(models: Models, role: str = SCHEDULER) -> Holder | None:
    """Return who has, or had, a role; None if nobody ever had it."""
    lease, now = models.lease.c, DatabaseClock()
    seen = select(lease.owner, now - lease.renewed_at, lease.until - now).where(lease.role == role)
    with models.db.engines[models.bind_key].connect() as connection:
        row = connection.execute(seen).first()
    return None if row is None else Holder(*row)


def _name_of_this_process() -> str:
    # The host's name is for people; what makes it unique is the rest, also where two containers
    # have one name and number their processes alike.
    end = f":{os.getpid()}:{secrets.token_hex(6)}"
    return socket.gethostname()[: 64 - len(end)] + end
