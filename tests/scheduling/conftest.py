"""Processes that run the jobs, each ended with its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.apps import Site
from tests.scheduling.application import make_site
from tests.scheduling.process import Held, Process, flask
from tests.servers import Database
from tests.servers.smtp import SMTPServer


@pytest.fixture
def site(database: Database) -> Iterator[Site]:
    """The application, in this process."""
    site = make_site(database.url)
    site.create_tables()
    yield site
    site.close()


@pytest.fixture
def start(database: Database) -> Iterator[Callable[..., Process]]:
    """Start processes on the test's database: a command line, and settings of the application."""
    with ExitStack() as stack:

        def start_one(*command: str, **settings: Any) -> Process:
            process = Process(command, database.url, settings, forked=True)
            stack.callback(process.end)
            return process

        yield start_one


@pytest.fixture
def run(start: Callable[..., Process]) -> Callable[..., Process]:
    """Start ``flask notify run``."""
    return lambda **settings: start(*flask("notify", "run"), **settings)


@pytest.fixture
def smtp() -> Iterator[SMTPServer]:
    """A mail server that takes every mail."""
    server = SMTPServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def held(tmp_path: Path) -> Held:
    """The means to hold a process up."""
    directory = tmp_path / "pipes"
    directory.mkdir()
    return Held(directory)
