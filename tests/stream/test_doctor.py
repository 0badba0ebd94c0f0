"""What ``flask notify doctor`` says of the stream."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from flask_notify.config import Settings
from flask_notify.running.stream_doctor import examine_stream
from tests.live import LiveServer
from tests.scheduling.process import Process
from tests.servers import Redis, free_port
from tests.stream.conftest import Start
from tests.stream.listening import Listener, port_of, token_for

pytestmark = pytest.mark.slow


def findings(**config: Any) -> list[tuple[str, str]]:
    found = list(examine_stream(Settings(config)))
    assert all(finding.remedy for finding in found if finding.level != "ok")
    return [(finding.level, finding.what) for finding in found]


def test_a_stream_that_rings_is_well(shared: Process) -> None:
    site = f"http://127.0.0.1:{port_of(shared)}"
    page = Listener(shared, token_for(7))
    page.wait_for("hello")
    page.close()

    assert findings(NOTIFY_BASE_URL=f"{site}/forum", NOTIFY_STREAM_URL="/stream") == [
        ("ok", f"{site}/stream/health says: ringing")
    ]


def test_nothing_is_said_where_there_is_no_stream_or_its_address_is_not_known() -> None:
    assert findings(NOTIFY_BASE_URL="https://example.org") == []
    assert findings(NOTIFY_STREAM_URL="/stream") == []


def test_a_stream_that_hears_nothing_is_found(start: Start, redis: Redis) -> None:
    process = start(redis.url)
    redis.stop()
    url = f"http://127.0.0.1:{port_of(process)}/stream"
    page = Listener(process, token_for(7))
    page.wait_for("away")
    page.close()

    assert findings(NOTIFY_STREAM_URL=url, NOTIFY_STREAM_ORIGINS=("https://example.org",)) == [
        ("error", f"{url}/health says: away: no news are heard, so the pages poll by themselves")
    ]


def test_a_stream_that_is_not_there_is_found(live: LiveServer) -> None:
    nobody = f"http://127.0.0.1:{free_port()}/stream"

    first, second = findings(NOTIFY_STREAM_URL=nobody)
    other = findings(NOTIFY_BASE_URL=live.url, NOTIFY_STREAM_URL="/nothing")
    another = findings(NOTIFY_BASE_URL=live.url, NOTIFY_STREAM_URL="/page")

    assert first == ("warning", f"only pages of {nobody[7:-7]} itself may listen at {nobody}")
    assert second[0] == "error"
    assert second[1].startswith(f"{nobody}/health does not answer: ")
    assert other == [("error", f"{live.url}/nothing/health answers 404, which is not the stream")]
    assert another == [("error", f"{live.url}/page/health is answered by something else than the stream")]


@pytest.fixture
def live(serve: Any) -> LiveServer:
    """A site that answers, and is no stream."""
    app = Flask("other")
    app.add_url_rule("/page/health", view_func=lambda: "Welcome")
    server: LiveServer = serve(app)
    return server
