"""Fixtures for the tests of actions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.actions.forum import Forum, make_forum
from tests.apps import Site


@pytest.fixture
def forum(site: Site) -> Iterator[Forum]:
    """A forum, in the application context of the test."""
    forum = make_forum(site)
    with site.app.app_context():
        yield forum
