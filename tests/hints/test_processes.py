"""Several processes of a site and a real broker: what one commits, the next poll at another sees."""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.apps import Site
from tests.scheduling.process import Process
from tests.servers import Database, Redis, free_port

PATIENCE = 90.0
# What is seen sooner than this was seen by a hint.
LONG = 3600
SITE = {"NOTIFY_HINT_TTL": LONG, "NOTIFY_RECHECK_INTERVAL": LONG}


class Browser:
    """A logged-in page that polls whichever process takes the connection."""

    def __init__(self, port: int, key: Any) -> None:
        self._port = port
        self.cookie = ""
        self.ticket = ""
        self.since = 0.0
        answer = self.ask("POST", f"/login/{key}")
        assert answer.status == 204
        self.cookie = (answer.headers["Set-Cookie"] or "").partition(";")[0]

    def ask(self, method: str, path: str, **headers: str) -> Any:
        """Make a request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            connection.request(method, path, headers={"Cookie": self.cookie, **headers})
            answer = connection.getresponse()
            answer.body = answer.read()  # type: ignore[attr-defined]
            return answer
        finally:
            connection.close()

    def poll(self) -> Any:
        """Poll with the ticket, and keep a new one."""
        answer = self.ask("GET", f"/notifications?since={self.since!r}", **{"If-None-Match": self.ticket or '""'})
        self.ticket = answer.headers["ETag"] or ""
        return answer


class Sites:
    """gunicorn with two processes, by each of which a page's polls are answered without a statement."""

    def __init__(self, process: Process, port: int, key: Any) -> None:
        self.process = process
        self.key = key
        self.page = Browser(port, key)
        # The state begins with the count of unseen messages, at the cursor.
        (item, *_) = json.loads(self.page.poll().body) or [{"timestamp": 0.0}]
        self.page.since = item["timestamp"]
        self.page.poll()

    def poll_until_all(self, found: Callable[[Any], bool]) -> None:
        """Poll until the newest answers of both processes are so."""
        newest: dict[str, bool] = {}
        end = time.monotonic() + PATIENCE
        while len(newest) < 2 or not all(newest.values()):
            assert time.monotonic() < end, (newest, self.process.lines)
            answer = self.page.poll()
            newest[answer.headers["X-Process"]] = found(answer)

    def warm_up(self) -> None:
        """Poll until both processes answer without a statement."""
        taken: dict[str, str] = {}

        def is_idle_for_nothing(answer: Any) -> bool:
            process, checkouts = answer.headers["X-Process"], answer.headers["X-Checkouts"]
            before, taken[process] = taken.get(process), checkouts
            return bool(answer.status == 304 and checkouts == before)

        self.poll_until_all(is_idle_for_nothing)

    def emit(self, value: int) -> str:
        """Commit something in one of the processes, and return which."""
        answer = self.page.ask("POST", f"/emit/{self.key}/{value}")
        assert answer.status == 200
        return str(answer.headers["X-Process"])

    def poll_at_another(self, process: str) -> Any:
        """Return what a process other than that one answers next."""
        ticket = self.page.ticket
        end = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < end
            answer = self.page.poll()
            self.page.ticket = ticket
            if answer.headers["X-Process"] != process:
                return answer


@pytest.fixture
def serve_two(build: Callable[..., Site], database: Database) -> Iterator[Callable[..., Sites]]:
    """Serve a site with two processes."""
    site = build()
    with ExitStack() as stack:

        def serve_one(broker: str, *options: str, warm: bool = False) -> Sites:
            key = site.add_user("susan")
            port = free_port()
            command = (sys.executable, "-m", "gunicorn", "--no-control-socket", "--workers=2", *options)
            settings = {**SITE, "NOTIFY_BROKER_URL": broker, **({"WARM": key} if warm else {})}
            process = Process(
                [*command, f"--bind=127.0.0.1:{port}", "tests.hints.served:create_app()"],
                database.url,
                settings,
                forked=True,
            )
            stack.callback(process.end)
            process.wait_for("Booting worker", 2)
            return Sites(process, port, key)

        yield serve_one


@pytest.mark.slow
@pytest.mark.databases("sqlite")
@pytest.mark.brokers("redis", "rabbitmq")
def test_what_one_process_commits_the_other_sees_by_the_hint(serve_two: Callable[..., Sites], broker_url: str) -> None:
    sites = serve_two(broker_url)
    sites.warm_up()

    for value in range(1, 4):
        began = time.monotonic()
        by = sites.emit(value)
        while (answer := sites.poll_at_another(by)).status == 304:
            assert time.monotonic() < began + PATIENCE
        assert answer.status == 200
        assert f'"data":{value},' in answer.body.decode().replace(" ", "")
        sites.page.since = max(item["timestamp"] for item in json.loads(answer.body))
        sites.warm_up()

    sites.process.terminate()
    assert sites.process.wait() == 0
    assert not [line for line in sites.process.lines if "Traceback" in line]


@pytest.mark.slow
@pytest.mark.databases("postgresql")
def test_the_database_itself_carries_the_hints(serve_two: Callable[..., Sites]) -> None:
    sites = serve_two("database")
    sites.warm_up()

    by = sites.emit(1)
    end = time.monotonic() + PATIENCE
    while (answer := sites.poll_at_another(by)).status == 304:
        assert time.monotonic() < end

    assert answer.status == 200


@pytest.mark.slow
@pytest.mark.databases("sqlite")
def test_an_application_that_was_at_work_before_it_was_forked_hears_and_tells_in_each_child(
    serve_two: Callable[..., Sites], redis: Redis
) -> None:
    sites = serve_two(redis.url, "--preload", warm=True)
    sites.warm_up()

    by = sites.emit(1)
    end = time.monotonic() + PATIENCE
    while (answer := sites.poll_at_another(by)).status == 304:
        assert time.monotonic() < end
    assert answer.status == 200

    sites.process.terminate()
    assert sites.process.wait() == 0
    # Nor has a child closed the connections of its parent.
    trouble = ("Traceback", "No hints are heard", "Other processes are not told")
    assert not [line for line in sites.process.lines if any(words in line for words in trouble)]


@pytest.mark.slow
@pytest.mark.databases("sqlite")
def test_while_the_broker_is_silent_the_database_is_read_and_then_no_more(
    serve_two: Callable[..., Sites], redis: Redis
) -> None:
    sites = serve_two(redis.url)
    sites.warm_up()
    taken: dict[str, str] = {}

    def reads(answer: Any) -> bool:
        process, checkouts = answer.headers["X-Process"], answer.headers["X-Checkouts"]
        before, taken[process] = taken.get(process), checkouts
        return before is not None and checkouts != before

    redis.pause()
    sites.poll_until_all(reads)  # long before hints and rechecks would say so
    # Without hints, and at once, as ever.
    sites.emit(1)
    assert sites.page.poll().status == 200
    redis.resume()

    sites.page.since = 0.0
    sites.page.since = max(item["timestamp"] for item in json.loads(sites.page.poll().body))
    sites.page.poll()
    sites.warm_up()
