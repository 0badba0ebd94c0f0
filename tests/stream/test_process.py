"""``flask notify stream``: a process that needs a broker and no database."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.scheduling.process import Process
from tests.servers import Redis
from tests.stream.application import COMMAND
from tests.stream.conftest import Hints, Listen, Start
from tests.stream.listening import PATIENCE, SECRET, Event, Listener, port_of, token_for

pytestmark = pytest.mark.slow

SITE = "https://example.org"


def test_news_ring_the_recipients_page_at_once(shared: Process, listen: Listen, redis: Redis, hint: Hints) -> None:
    page, other = listen(shared, 7), listen(shared, 8)

    hint(redis.url, 7)

    assert page.next() == Event("ring", {"spread": 0})
    hint(redis.url, 8)
    assert other.next() == Event("ring", {"spread": 0})
    assert "event: ring" not in other.lines[: other.lines.index("event: ring")]


def test_a_stream_is_what_a_browser_expects(shared: Process, listen: Listen) -> None:
    page = listen(shared, 7)

    assert page.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert page.headers["Cache-Control"] == "no-store, no-transform"
    assert page.headers["X-Accel-Buffering"] == "no"
    assert page.headers["Access-Control-Allow-Origin"] is None
    assert "retry: 3000" in page.lines


def test_news_of_many_ring_them_so_that_they_spread_their_polls(
    shared: Process, listen: Listen, redis: Redis, hint: Hints
) -> None:
    page, other = listen(shared, 7), listen(shared, 8)

    hint(redis.url, 7, spread=True)
    assert page.next() == Event("ring", {"spread": 10})
    hint(redis.url, everyone=True, spread=True)

    assert page.next() == other.next() == Event("ring", {"spread": 10})


def test_two_processes_behind_one_broker_ring_the_same_recipients_pages(
    start: Start, listen: Listen, redis: Redis, hint: Hints
) -> None:
    processes = [start(redis.url), start(redis.url)]
    pages = [listen(process, 7) for process in processes]

    hint(redis.url, 7)

    assert [page.next() for page in pages] == [Event("ring", {"spread": 0})] * 2


def test_a_page_is_told_to_go_when_its_token_expires(shared: Process, listen: Listen) -> None:
    page = listen(shared, 7, seconds=2)

    assert page.next() == Event("bye", {})
    assert page.next() is None
    again = Listener(shared, token_for(7, seconds=-1))
    assert again.status == 401


def test_who_has_no_good_token_is_refused(shared: Process) -> None:
    good = token_for(7)

    for token in (None, "", "AAAA", "%00", "ä", good[:-1], good + "A", token_for(7, -1), token_for(7, 600)):
        answer = Listener(shared, token)

        assert answer.status == 401
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert "token" in answer.text()


def test_a_token_of_an_older_key_is_good(start: Start, redis: Redis, listen: Listen) -> None:
    process = start(redis.url, SECRET_KEY="new", SECRET_KEY_FALLBACKS=[SECRET])

    assert listen(process, 7).status == 200


def test_nothing_that_is_logged_shows_a_token(start: Start, redis: Redis, listen: Listen) -> None:
    process = start(redis.url)
    page = listen(process, 7, seconds=2)
    Listener(process, "wrong-token")
    while page.next() is not None:
        pass
    process.terminate()
    process.wait()

    assert not any("token" in line for line in process.lines)
    assert len(process.lines) == 2


def test_only_pages_of_the_site_may_listen(start: Start, redis: Redis) -> None:
    process = start(redis.url, NOTIFY_BASE_URL=f"{SITE}/forum", NOTIFY_STREAM_ORIGINS=["https://APP.example.org:8443"])
    good = [SITE, "https://app.example.org:8443"]
    bad = [f"{SITE}.evil.example", "http://example.org", "https://evil.example", "null", "https://["]

    answers = {origin: Listener(process, token_for(7), Origin=origin) for origin in good + bad}

    assert {origin for origin, answer in answers.items() if answer.status == 200} == set(good)
    assert {origin for origin, answer in answers.items() if answer.status == 403} == set(bad)
    allowed = {origin: answer.headers["Access-Control-Allow-Origin"] for origin, answer in answers.items()}
    assert allowed == {**{origin: origin for origin in good}, **dict.fromkeys(bad)}


def test_pages_of_the_streams_own_host_may_listen(shared: Process, listen: Listen) -> None:
    own = f"http://127.0.0.1:{port_of(shared)}"

    assert listen(shared, 7, Origin=own).headers["Access-Control-Allow-Origin"] == own
    assert listen(shared, 7, Host="forum.example", Origin="https://forum.example").status == 200


def test_there_is_nothing_else(shared: Process) -> None:
    assert Listener(shared, token_for(7), path="/").status == 404
    assert Listener(shared, token_for(7), path="/stream/").status == 404
    with socket.create_connection(("127.0.0.1", port_of(shared))) as connection:
        connection.sendall(b"POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 405")


def test_the_broker_goes_away_and_comes_back(start: Start, listen: Listen, redis: Redis, hint: Hints) -> None:
    process = start(redis.url)
    page = listen(process, 7)
    assert (health := Listener(process, None, "/stream/health")).status == 200
    assert health.text() == "ringing\n"

    redis.kill()
    assert page.next() == Event("away", {})
    assert Listener(process, None, "/stream/health").status == 503
    meanwhile = Listener(process, token_for(8))
    assert meanwhile.next() == Event("away", {})

    redis.start()
    assert page.next() == meanwhile.next() == Event("hello", {})
    hint(redis.url, 7)
    assert page.next() == Event("ring", {"spread": 0})
    assert Listener(process, None, "/stream/health").status == 200


def test_pages_are_told_when_the_broker_hangs(start: Start, listen: Listen, redis: Redis) -> None:
    process = start(redis.url)
    page = listen(process, 7)

    redis.pause()

    assert page.next() == Event("away", {})
    redis.resume()
    assert page.next() == Event("hello", {})


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_who_ends_it_ends_it_in_good_order(start: Start, redis: Redis, listen: Listen, how: signal.Signals) -> None:
    process = start(redis.url)
    pages = [listen(process, key) for key in range(20)]

    process.send(how)

    assert [page.next() for page in pages] == [Event("bye", {})] * 20
    assert [page.next() for page in pages] == [None] * 20
    assert process.wait() == 0
    assert process.lines[-1] == "Ended."


def test_so_many_pages_and_no_more_are_held_open(start: Start, listen: Listen, redis: Redis) -> None:
    process = start(redis.url, NOTIFY_STREAM_LIMIT=2)
    first, _ = listen(process, 7), listen(process, 8)

    refused = Listener(process, token_for(9))
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")

    first.close()
    ends = time.monotonic() + PATIENCE
    while (again := Listener(process, token_for(9))).status != 200 and time.monotonic() < ends:
        time.sleep(0.05)
    assert again.status == 200


def test_it_listens_at_a_unix_socket(start: Start, redis: Redis, tmp_path: Path) -> None:
    path = tmp_path / "stream.sock"
    for _ in range(2):
        process = start(redis.url, "--uds", str(path))
        process.wait_for(f"Pages can listen at unix:{path}/stream")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(b"GET /stream/health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 ")
        process.kill()  # and leaves its socket behind


def test_it_listens_at_a_socket_that_is_handed_over(redis: Redis) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [*COMMAND, "--fd", str(listening.fileno())]
        environment = {
            "DATABASE_URL": "sqlite://",
            "SETTINGS": f'{{"NOTIFY_BROKER_URL": "{redis.url}"}}',
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        with subprocess.Popen(command, pass_fds=[listening.fileno()], env=environment, stdout=subprocess.PIPE) as run:
            with socket.create_connection(listening.getsockname()) as connection:
                connection.sendall(b"GET /stream/health HTTP/1.1\r\nHost: x\r\n\r\n")
                assert connection.recv(100).startswith(b"HTTP/1.1 ")
            run.terminate()
            assert run.wait(60) == 0


@pytest.mark.parametrize(
    "settings,told",
    [
        ({"NOTIFY_STREAM_URL": None}, "NOTIFY_STREAM_URL must say where pages reach the stream, got None"),
        ({"NOTIFY_BROKER_URL": None}, "The stream is told of news by a broker, got none. Set NOTIFY_BROKER_URL"),
        ({"SECRET_KEY": None}, "signed with SECRET_KEY, got none"),
    ],
)
def test_what_is_missing_is_said(start: Start, settings: dict[str, object], told: str) -> None:
    process = start("redis://localhost", **settings)

    assert process.wait() == 1
    assert told in " ".join(process.lines)


def test_a_port_that_is_taken_is_told(start: Start, redis: Redis) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start(redis.url, "--port", str(taken.getsockname()[1]))

        assert process.wait() == 1
    assert "cannot listen at 127.0.0.1:" in process.lines[-1]


def test_it_runs_without_the_faster_parts_of_uvicorn(
    start: Start, redis: Redis, listen: Listen, hint: Hints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("httptools", "uvloop"):
        (tmp_path / f"{part}.py").write_text("raise ImportError('not installed')\n")
    monkeypatch.setenv("SHADOW", str(tmp_path))
    process = start(redis.url)
    page = listen(process, 7)

    hint(redis.url, 7)

    assert page.next() == Event("ring", {"spread": 0})
    process.terminate()
    assert page.next() == Event("bye", {})
    assert process.wait() == 0


def test_without_uvicorn_the_extra_is_named(redis: Redis, tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("raise ImportError('not installed')\n")
    run = subprocess.run(
        COMMAND,
        env={
            "DATABASE_URL": "sqlite://",
            "SETTINGS": f'{{"NOTIFY_BROKER_URL": "{redis.url}"}}',
            "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert "pip install 'flask-notify[stream]'" in run.stderr
    assert sys.executable in COMMAND
