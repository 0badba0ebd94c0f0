"""A real SMTP server for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

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
