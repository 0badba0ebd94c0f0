"""A real SMTP server for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.mail.office import Office, make_office
from tests.servers import Database
from tests.servers.smtp import SMTPServer


@pytest.fixture
def smtp() -> Iterator[SMTPServer]:
    """A server that takes every mail, until it is told otherwise."""
    server = SMTPServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def start_smtp() -> Iterator[Callable[..., SMTPServer]]:
    """Start servers with options, for the time of the test."""
    with ExitStack() as stack:

        def start(**options: Any) -> SMTPServer:
            server = SMTPServer(**options)
            server.start()
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
def open_office(database: Database, smtp: SMTPServer, tmp_path: Path) -> Iterator[Callable[..., Office]]:
    """Build applications with users who have addresses; options as for `make_office`."""
    with ExitStack() as stack:

        def open_one(**options: Any) -> Office:
            office = make_office(database.url, smtp.port, tmp_path, **options)
            stack.callback(office.site.close)
            office.site.create_tables()
            return office

        yield open_one


@pytest.fixture
def office(open_office: Callable[..., Office]) -> Office:
    """An application with users who have addresses."""
    return open_office()
