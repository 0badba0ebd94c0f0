"""What the tests of the inbox in a browser share: a stage with a dashboard, and messages for its visitors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import render_template

from tests.web.letterbox import send, unseen

from .conftest import Stage, Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


def set_inbox(set_stage: Callable[..., Stage], **config: Any) -> Stage:
    """Build a stage whose page /home has the bell and the widget."""
    stage = set_stage(**config)
    stage.site.app.add_url_rule("/home", "home", lambda: render_template("inbox.html"))
    stage.site.app.add_url_rule("/log-in", "log_in", lambda: "<!doctype html><title>Log in</title>")
    stage.site.app.add_url_rule("/post", "post", lambda: "<!doctype html><title>Post</title><p>A post.")
    return stage


def tell(stage: Stage, visitor: Visitor, *subjects: str, **options: Any) -> list[int]:
    """Send messages to a visitor."""
    return send(stage.site, visitor.key, *subjects, **options)


def left(stage: Stage, visitor: Visitor) -> set[str]:
    """Return what a visitor has not seen, as it is stored."""
    return unseen(stage.site, visitor.key)


def badge(page: Page) -> Locator:
    """Return the count on the bell."""
    return page.locator("[data-notify-badge]")


def bell(page: Page) -> Locator:
    """Return the bell, as a script has made it."""
    return page.locator("button.notify-inbox-bell")


def message(page: Page, text: str) -> Locator:
    """Return a message of a list."""
    return page.locator("[data-notify-message]").filter(has_text=text)


def lose_tokens(page: Page) -> None:
    """Make the tokens of an open page as worthless as those that have expired."""
    page.evaluate("document.getElementsByName('csrf_token').forEach(input => input.value = 'stale')")


def posts(stage: Stage) -> list[tuple[str, int]]:
    """Return what was posted to the pages of messages, with the answers' status."""
    requests = list(stage.server.requests)
    return [
        (request.path, request.status) for request in requests if request.method == "POST" and "/mess" in request.path
    ]
