"""The server behind the broker of a test."""

from __future__ import annotations

import pytest

from tests.servers import Server


@pytest.fixture
def server(request: pytest.FixtureRequest, broker_url: str) -> Server:
    """The server at ``broker_url``; it may be stopped, killed and paused."""
    assert broker_url
    kind = request.node.callspec.params["broker_url"]
    if kind == "postgresql":
        found: Server = request.getfixturevalue("postgresql_database").server
    else:
        found = request.getfixturevalue(kind)
    return found
