"""The site and the stream together: a commit in one process rings a page that another one holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.apps import Site
from tests.polls import poll
from tests.servers import Database, Redis
from tests.stream.conftest import Start
from tests.stream.listening import Event, Listener, in_time, port_of

pytestmark = pytest.mark.slow

Build = Callable[..., Site]
HEADER = "X-Notify-Stream"


@pytest.fixture
def site_with(build: Build) -> Iterator[Build]:
    """Build applications with a broker and a stream."""
    with ExitStack() as stack:

        def build_one(broker: str | None) -> Site:
            site = build(NOTIFY_BROKER_URL=broker, NOTIFY_STREAM_URL="/stream")
            stack.callback(site.app.extensions["notify"].carrier.stop, 5.0)
            return site

        yield build_one


def token_of(client: FlaskClient) -> str:
    """Return the token that a page gets with its poll."""
    return str(poll(client, 0, headers={HEADER: "1"}).headers[HEADER])


def assert_a_commit_rings(site: Site, process: Any) -> None:
    susan, ben = site.add_user("susan"), site.add_user("ben")
    client = site.client(susan)
    port_of(process)
    pages = [Listener(process, token_of(client)), Listener(process, token_of(site.client(ben)))]
    for page in pages:
        page.wait_for("hello")
    with site.app.app_context():
        site.user(susan).add_notification("never", 0)
        site.db.session.rollback()

    site.emit(susan, "answer", 42)
    assert pages[0].next() == Event("ring", {"spread": 0})

    assert [item["data"] for item in poll(client, 0).json if item["name"] == "answer"] == [42]
    site.emit(ben, "answer", 43)
    assert pages[1].next() == Event("ring", {"spread": 0})
    assert pages[1].lines.count("event: ring") == 1
    assert pages[0].lines.count("event: ring") == 1
    for page in pages:
        page.close()


@pytest.mark.databases("sqlite")
@pytest.mark.brokers("redis", "rabbitmq")
def test_a_commit_rings_the_recipients_page_through_a_broker(site_with: Build, start: Start, broker_url: str) -> None:
    assert_a_commit_rings(site_with(broker_url), start(broker_url))


@pytest.mark.databases("postgresql")
@pytest.mark.parametrize("broker", [None, "database"])
def test_postgresql_carries_the_news_itself(
    site_with: Build, database: Database, start: Start, broker: str | None
) -> None:
    process = start(broker, database=database.url)

    assert_a_commit_rings(site_with(broker), process)


@pytest.mark.databases("postgresql")
def test_with_a_broker_it_needs_no_database(
    site_with: Build, database: Database, start: Start, redis: Redis, hint: Callable[..., None]
) -> None:
    site = site_with(redis.url)
    key = site.add_user("susan")
    token = token_of(site.client(key))
    assert database.server is not None
    database.server.stop()

    process = start(redis.url, database=database.url)
    port_of(process)
    page = Listener(process, token)
    page.wait_for("hello")
    hint(redis.url, key)

    assert page.next() == Event("ring", {"spread": 0})
    page.close()


@pytest.mark.databases("sqlite")
def test_who_logs_out_hears_nothing_after_the_token_has_expired(site_with: Build, start: Start, redis: Redis) -> None:
    site = site_with(redis.url)
    key = site.add_user("susan")
    client = site.client(key)
    process = start(redis.url)
    port_of(process)
    # A token that was minted 57 seconds ago.
    site.notify.clock = lambda: time.time() - 57
    page = in_time(lambda: Listener(process, token_of(client)))
    page.wait_for("hello")

    client.post("/logout")

    answer = poll(client, 0, headers={HEADER: "1"})
    assert (answer.status_code, answer.headers.get(HEADER)) == (401, None)
    assert page.next() == Event("bye", {})
    assert page.next() is None
