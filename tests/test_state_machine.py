"""Whatever is emitted, in whatever order, every client ends in the state that the database holds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.apps import Site

NAMES = st.sampled_from(["a", "A", "b", "task:1"])
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=2))
LIFETIMES = st.one_of(st.none(), st.integers(1, 50))
CHANGES = st.lists(st.tuples(NAMES, VALUES, LIFETIMES, st.booleans()), min_size=1, max_size=3)
TOMBSTONE_AGE = 1_000

Live = dict[str, tuple[Any, float | None]]
"""Values by name, each with the time at which it expires."""


def alive(values: Live, now: float) -> dict[str, Any]:
    return {name: value for name, (value, until) in values.items() if until is None or until > now}


@dataclass
class Client:
    """What a page that polled at some time believes, and the newest timestamp it was given."""

    since: float = 0.0
    believes: Live = field(default_factory=dict)

    def hear(self, items: list[dict[str, Any]], now: float, *, reset: bool) -> Client:
        """Return the client as an answer leaves it."""
        believes: Live = {} if reset else dict(self.believes)
        since = 0.0 if reset else self.since
        for item in items:
            assert item["timestamp"] > since
            since = item["timestamp"]
            believes.pop(item["name"], None)
            if not item.get("removed"):
                lifetime = item.get("expires_in")
                believes[item["name"]] = (item["data"], None if lifetime is None else now + lifetime)
        believes.pop("unread_message_count", None)
        return replace(self, since=since, believes=believes)


class Notifications(RuleBasedStateMachine):
    """One user, one session that emits, and clients that poll from every point they ever were at."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site
        self.now = 1_800_000_000.0
        site.notify.clock = lambda: self.now
        self.committed: Live = {}
        self.collected: list[tuple[str, Any, float | None, bool]] = []
        self.marks: list[int] = []

    @initialize()
    def begin(self) -> None:
        self.key = self.site.add_user()
        self.browser = self.site.client(self.key)
        self.clients = [Client()]
        self.context = self.site.app.app_context()
        self.context.push()
        self.session = self.site.db.session()
        self.savepoints: list[Any] = []

    def teardown(self) -> None:
        """Leave the application context."""
        self.context.pop()

    @rule(changes=CHANGES)
    def emit(self, changes: list[tuple[str, Any, float | None, bool]]) -> None:
        user = self.site.user(self.key)
        for name, value, lifetime, removed in changes:
            if removed:
                user.remove_notification(name)
            else:
                user.add_notification(name, value, expires_in=lifetime)
        self.collected += changes

    @rule(seconds=st.sampled_from([1, 20, 60, 2_000]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @precondition(lambda self: self.collected)
    @rule()
    def commit(self) -> None:
        self.session.commit()
        for name, value, lifetime, removed in self.collected:
            self.committed.pop(name, None)
            if not removed:
                self.committed[name] = (value, None if lifetime is None else self.now + lifetime)
        self._end()

    @precondition(lambda self: self.collected)
    @rule()
    def roll_back(self) -> None:
        self.session.rollback()
        self._end()

    def _end(self) -> None:
        self.collected.clear()
        self.marks.clear()
        self.savepoints.clear()

    @precondition(lambda self: len(self.savepoints) < 2)
    @rule()
    def begin_savepoint(self) -> None:
        self.savepoints.append(self.session.begin_nested())
        self.marks.append(len(self.collected))

    @precondition(lambda self: self.savepoints)
    @rule(released=st.booleans())
    def end_savepoint(self, released: bool) -> None:
        savepoint, mark = self.savepoints.pop(), self.marks.pop()
        if released:
            savepoint.commit()
        else:
            savepoint.rollback()
            del self.collected[mark:]

    @rule(pick=st.integers(0))
    def poll(self, pick: int) -> None:
        client = self.clients[pick % len(self.clients)]
        answer = self.browser.get(f"/notifications?since={client.since!r}")
        assert answer.status_code == 200
        after = client.hear(answer.json or [], self.now, reset="X-Notify-Reset" in answer.headers)
        assert alive(after.believes, self.now) == alive(self.committed, self.now)
        self.clients.append(after)

    @invariant()
    def what_the_session_sees_includes_what_it_collected(self) -> None:
        expected = alive(self.committed, self.now)
        for name, value, _, removed in self.collected:
            expected.pop(name, None)
            if not removed:
                expected[name] = value
        seen = {n.name: n.get_data() for n in self.site.user(self.key).notifications}
        assert seen == expected


@pytest.mark.slow
@pytest.mark.databases("sqlite-wal", "postgresql", "mariadb")
def test_every_client_ends_in_the_state_that_the_database_holds(site: Site) -> None:
    site.app.extensions["notify"].settings.tombstone_age = TOMBSTONE_AGE
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    make: Any = lambda: Notifications(site)  # noqa: E731  # it is called like the class it stands for
    run_state_machine_as_test(
        make,
        settings=settings(max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=checks),
    )
