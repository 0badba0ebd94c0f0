"""The benchmarks run: each at a size at which its figures mean nothing."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.servers import Redis

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

PROGRAMS = {
    # More users than are told within the caller's transaction.
    "fanout": (["--rows", "11000"], ["Flask-Notify, a text", "django-notifications-hq", "Mega-Tutorial", "Peak"]),
    "digest": (["--rows", "600", "--mails", "8"], ["smtplib", "two workers"]),
    "expiry": (["--rows", "3000"], ["one plain DELETE", "Writer's longest wait"]),
}


@pytest.mark.slow
def test_the_benchmark_of_the_logging_handler_needs_no_database(tmp_path: Path) -> None:
    page = tmp_path / "page.rst"

    run = subprocess.run(
        [sys.executable, str(BENCHMARKS / "logging_handler.py"), "--rounds=1", "--rows=2000", "--output", page],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert "(target " in run.stdout
    text = page.read_text()
    told = ["NotifyHandler", "bare Handler", "with extra values", "What was to be reached"]
    assert [words for words in told if words not in text] == []


@pytest.mark.slow
def test_the_benchmark_of_the_doorbell_opens_pages_and_rings_them(redis_server: Redis, tmp_path: Path) -> None:
    assert redis_server.daemon  # or the test is skipped
    page = tmp_path / "page.rst"

    run = subprocess.run(
        [
            sys.executable,
            str(BENCHMARKS / "doorbell.py"),
            *("--pages=50,200", "--rounds=1", "--seconds=1", "--idle=0", "--output", page),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert "(target " in run.stdout
    text = page.read_text()
    told = ["flask notify stream", "a bare asyncio fan-out", "with a stream", "200", "What was to be reached"]
    assert [words for words in told if words not in text] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_benchmark_measures_every_contender_and_writes_its_page(name: str, tmp_path: Path) -> None:
    if name == "fanout" and find_spec("notifications") is None:
        pytest.skip("django-notifications-hq is no part of flask-notify[test], but of flask-notify[bench]")
    options, told = PROGRAMS[name]
    page = tmp_path / "page.rst"

    run = subprocess.run(
        [
            sys.executable,
            str(BENCHMARKS / f"{name}.py"),
            "--databases=sqlite",
            "--rounds=1",
            *options,
            "--output",
            page,
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert "(target " in run.stdout
    text = page.read_text()
    assert [words for words in [*told, "What was to be reached", "SQLite"] if words not in text] == []
