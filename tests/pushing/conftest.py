"""Real push services for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.pushing.post_office import PostOffice, make_post_office
from tests.servers import Database
from tests.servers.push import PushService, push_services


@pytest.fixture
def services(tmp_path: Path) -> Iterator[list[PushService]]:
    """Two push services, each a host of its own."""
    with push_services(tmp_path, 2) as running:
        yield running


@pytest.fixture
def open_office(database: Database, services: list[PushService]) -> Iterator[Callable[..., PostOffice]]:
    """Build applications whose users are pushed to; options as for `make_post_office`."""
    with ExitStack() as stack:

        def open_one(**options: Any) -> PostOffice:
            office = make_post_office(database.url, services, **options)
            stack.callback(office.close)
            office.site.create_tables()
            return office

        yield open_one


@pytest.fixture
def office(open_office: Callable[..., PostOffice]) -> PostOffice:
    """An application whose users are pushed to."""
    return open_office()
