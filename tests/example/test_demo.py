"""`flask --app examples.microblog demo`, run as a person runs it: in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from examples.microblog.demo.community import GUIDES, NEW_FOLLOWERS, NEW_POSTS, PASSWORD

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "flask", "--app", "examples.microblog", "demo"]

pytestmark = pytest.mark.slow


class Demo:
    """A running demo."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            COMMAND, cwd=ROOT, env=environment(folder, port="0"), stdout=subprocess.PIPE, text=True
        )
        self.greeting = ""
        assert self.process.stdout
        for line in self.process.stdout:
            self.greeting += line
            if "Ctrl+C" in line:
                break
        found = re.search(r"http://\S+", self.greeting)
        assert found, self.greeting
        self.url = found[0]

    def stop(self) -> int:
        """Press Ctrl+C; return how the process ended."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(10)
        assert self.process.stdout
        self.process.stdout.close()
        return status


class Guest:
    """Somebody who tries the demo over the network."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def open(self, path: str, **fields: str) -> str:
        """Open a page, or send *fields* to it."""
        data = urlencode(fields).encode() if fields else None
        with self.opener.open(self.url + path.lstrip("/"), data, timeout=10) as answer:
            return str(answer.read().decode())

    def send(self, path: str, **fields: str) -> str:
        """Send a page's form with its token."""
        found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', self.open(path))
        assert found
        return self.open(path, csrf_token=found[1], **fields)


def environment(folder: Path, port: str) -> dict[str, str]:
    return {**os.environ, "PORT": port, "MICROBLOG_INSTANCE_PATH": str(folder)}


@pytest.fixture
def run_demo(tmp_path: Path) -> Iterator[Callable[[], Demo]]:
    """Start demos on the same folder; those still running are stopped."""
    demos: list[Demo] = []

    def run() -> Demo:
        demos.append(Demo(tmp_path))
        return demos[-1]

    yield run
    for demo in demos:
        if demo.process.poll() is None:
            demo.stop()


def refusal(folder: Path, port: str) -> str:
    """Run a demo that cannot start; return what it says, having left nothing behind."""
    result = subprocess.run(
        COMMAND, cwd=ROOT, env=environment(folder, port), capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert not (folder / "microblog.sqlite").exists()
    return result.stderr


def test_the_first_run_shows_a_community_with_news_for_those_who_log_in(run_demo: Callable[[], Demo]) -> None:
    demo = run_demo()
    guest = Guest(demo.url)

    for name in (*GUIDES, PASSWORD):
        assert name in demo.greeting
    page = guest.send("/login?next=/explore", username=GUIDES[0], password=PASSWORD)
    assert re.search(rf'data-notify-badge="new_posts"[^>]*>\s*{NEW_POSTS}\s*<', page)
    assert re.search(rf'data-notify-badge="new_followers"[^>]*>\s*{NEW_FOLLOWERS}\s*<', page)
    assert page.count('<article class="post">') == 12
    assert demo.stop() == 0


def test_the_second_run_keeps_what_people_did(run_demo: Callable[[], Demo]) -> None:
    first = run_demo()
    guest = Guest(first.url)
    guest.send("/login", username=GUIDES[0], password=PASSWORD)
    guest.send("/", body="Still here tomorrow?")
    assert first.stop() == 0

    second = run_demo()
    guest.url = second.url

    assert guest.open("/").count("Still here tomorrow?") == 1


def test_the_database_is_made_by_the_migrations_in_wal_mode(run_demo: Callable[[], Demo], tmp_path: Path) -> None:
    run_demo()

    with closing(sqlite3.connect(tmp_path / "microblog.sqlite")) as connection:
        [mode] = connection.execute("PRAGMA journal_mode").fetchone()
        [revision] = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        [people] = connection.execute("SELECT count(*) FROM user").fetchone()
    assert mode == "wal"
    assert revision
    assert people >= 12


def test_a_port_that_is_taken_is_named_with_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        complaint = refusal(tmp_path, str(port))

    assert complaint == f"Error: Port {port} is taken; choose another, as in PORT={port + 1} make demo.\n"


@pytest.mark.parametrize("port", ["http", "-1", "65536", "5.5"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    assert refusal(tmp_path, port) == f"Error: PORT must be a number up to 65535, got {port!r}.\n"
