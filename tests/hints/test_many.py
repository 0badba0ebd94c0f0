"""Many commits by several workers, one of which knows no broker, while pages poll: nothing is missed."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from threading import Barrier, Thread
from typing import Any

import pytest

from flask_notify.brokers.memory import Hub, hub
from tests.apps import Site
from tests.concurrency.clients import Poller
from tests.hints.workers import checkouts

Build = Callable[..., Site]
USERS = 3
TURNS = 25
TTL = 0.5
PATIENCE = 60.0
BROKER = "memory://many"


class Page(Poller):
    """Polls as a browser does, which sends the last answer's ticket back."""

    ticket = '""'

    def poll(self) -> list[dict[str, Any]]:
        """Poll once; return the items."""
        answer = self.client.get(f"/notifications?since={self.since!r}", headers={"If-None-Match": self.ticket})
        self.ticket = answer.headers.get("ETag", '""')
        if answer.status_code == 304:
            return []
        items: list[dict[str, Any]] = answer.json or []
        for item in items:
            self.since = item["timestamp"]
            self.state[item["name"]] = item["data"]
        return items


@pytest.mark.slow
@pytest.mark.databases("postgresql")
def test_pages_end_in_the_state_of_the_database_whoever_has_committed(build: Build) -> None:
    kept = hub(BROKER)
    settings = {"NOTIFY_BROKER_URL": BROKER, "NOTIFY_HINT_TTL": TTL}
    worker, other = build(**settings), build(**settings)
    sites = {"here": worker, "there": other, "strange": build()}
    keys = [worker.add_user(f"user {number}") for number in range(USERS)]
    pages = [Page(worker, key) for key in keys]
    start = Barrier(len(sites) + 1)
    writers = [Thread(target=write, args=(site, name, keys, start, kept)) for name, site in sites.items()]
    for writer in writers:
        writer.start()

    start.wait()
    while any(writer.is_alive() for writer in writers):
        for page in pages:
            page.poll()

    newest = {f"{name}:{turn % 3}": turn for name in sites for turn in range(TURNS)}
    for page in pages:
        poll_until(page, newest)
    assert polls_without_the_database(worker, pages[0])
    for site in (worker, other):
        site.app.extensions["notify"].carrier.stop(PATIENCE)


def write(site: Site, name: str, keys: list[Any], start: Barrier, kept: Hub) -> None:
    """Give each user values, and cut the broker off once in between."""
    start.wait()
    for turn in range(TURNS):
        if turn == TURNS // 2:
            kept.cut_off()
            kept.come_back()
        for key in keys:
            site.emit(key, f"{name}:{turn % 3}", turn)


def poll_until(page: Page, newest: dict[str, int]) -> None:
    """Poll until the page shows what was written last."""
    end = time.monotonic() + PATIENCE
    while {name: data for name, data in page.state.items() if name in newest} != newest:
        assert time.monotonic() < end, page.state
        page.poll()


def polls_without_the_database(worker: Site, page: Page) -> bool:
    """Say whether idle polls do without the database, once all is quiet."""
    end = time.monotonic() + PATIENCE
    with checkouts(worker) as taken:
        for asked in count(1):
            assert page.poll() == []
            if asked - len(taken) > 20:
                return True
            if time.monotonic() > end:
                return False
    return False
