"""Workers of one site, a broker between them, and a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.apps import Site
from tests.hints.loopback import Exchange, Monotonic
from tests.hints.workers import Worker


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def clock() -> Monotonic:
    return Monotonic()


@pytest.fixture
def work(build: Callable[..., Site], exchange: Exchange, clock: Monotonic) -> Iterator[Callable[..., Worker]]:
    """Build workers on the test's database."""
    with ExitStack() as stack:

        def work_one(**options: Any) -> Worker:
            worker = Worker(build(**options), exchange, clock)
            stack.callback(worker.close)
            worker.begin()
            return worker

        yield work_one
