"""A page with a doorbell asks when it rings, and seldom else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from .bell import PATH, Bell
from .conftest import Stage, Visitor, hide, show, wait_until

pytestmark = pytest.mark.databases("sqlite")

#: Seconds that no test waits for: what comes sooner did not come by a plain poll.
FOREVER = 3600


@pytest.fixture
def set_bell(set_stage: Callable[..., Stage]) -> Callable[..., tuple[Stage, Bell]]:
    """Build stages with a doorbell; options are the application's configuration."""

    def set_one(**config: object) -> tuple[Stage, Bell]:
        stage = set_stage(**{"NOTIFY_STREAM_URL": PATH, "NOTIFY_POLL_INTERVAL": FOREVER} | config)
        bell = Bell(stage.site.app.wsgi_app)
        stage.site.app.wsgi_app = bell  # type: ignore[method-assign]
        return stage, bell

    return set_one

@pytest.fixture
def stage(set_bell):
    return set_bell()

def test_a_page_shows_what_it_is_rung_for(set_bell) -> None:
    stage, bell = set_bell()
    visitor = stage.visit()
    page = visitor.open()
    bell.wait_for_lines(1)
    stage.front.wait_for(2)
    stage.emit(visitor, "follows", 7)
    bell.ring()
    expect(page.locator("#message_count")).to_have_text("7")
    print(stage.front.polls)
