"""Emitters and senders at work at the same time, on real connections."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Barrier, Event, Thread
from typing import Any

import pytest

from tests.pushing.post_office import PostOffice, states
from tests.pushing.types import Renewed, declare
from tests.servers import Database


class Crowd:
    """Threads that begin at the same moment; what they raise is raised in the end."""

    def __init__(self, *works: Callable[[], None]) -> None:
        self._failures: list[BaseException] = []
        self._barrier = Barrier(len(works))
        self._threads = [Thread(target=self._run, args=(work,), daemon=True) for work in works]
        for thread in self._threads:
            thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            self._barrier.wait(30)
            work()
        except BaseException as error:
            self._failures.append(error)

    def join(self) -> None:
        """Return when all have ended."""
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive()
        if self._failures:
            raise self._failures[0]


def tell_often(office: PostOffice, name: str, target: Any, keys: list[Any]) -> None:
    """Tell users of one target, again and again."""
    for number in range(12):
        with office.site.app.app_context():
            told = Renewed(text=f"{name} {number}", target=office.site.user(target))
            office.site.notify.send(told, to=[office.site.user(key) for key in keys])
            office.site.db.session.commit()


def send_until(office: PostOffice, done: Event) -> None:
    """Send what is owed, again and again."""
    while not done.is_set():
        office.run()


@pytest.fixture
def offices(database: Database, open_office: Callable[..., PostOffice]) -> list[PostOffice]:
    """Three processes' worth of one application."""
    on_sqlite = database.url.startswith("sqlite")
    options = {} if on_sqlite else {"SQLALCHEMY_ENGINE_OPTIONS": {"isolation_level": "READ COMMITTED"}}
    opened = [open_office(**options) for _ in range(3)]
    for office in opened:
        declare(office)
    return opened


@pytest.mark.slow
@pytest.mark.databases("sqlite-wal", "postgresql", "mariadb")
def test_what_is_shown_last_is_what_was_told_last(offices: list[PostOffice]) -> None:
    office, *senders = offices
    target = office.site.add_user("the target")
    users = [office.add(f"user {number}", browsers=2, service=number % 2) for number in range(6)]
    keys = [key for key, _ in users]
    done = Event()

    sending = Crowd(*(partial(send_until, sender, done) for sender in senders))
    orders = {"ann": keys, "bob": keys[::-1], "eve": keys[::2]}
    Crowd(*(partial(tell_often, office, name, target, order) for name, order in orders.items())).join()
    done.set()
    sending.join()
    office.run()

    assert states(office.pushes()) == ["sent"] * 12
    for key, browsers in users:
        (message,) = office.messages(key)
        assert message.count == (36 if key in keys[::2] else 24)
        assert [browser.titles[-1] for browser in browsers] == [message.subject] * 2
        # One after the other, and none twice.
        assert all(len(browser.titles) == len(set(browser.titles)) for browser in browsers)
    assert not any(service.complaints for service in office.services)
