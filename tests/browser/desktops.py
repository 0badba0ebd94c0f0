"""What the tests of desktop notifications share: a stage, pages that nobody looks at, and what is shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask import render_template

from .conftest import PATIENCE, Stage, Visitor, wait_until
from .inboxes import set_inbox

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

# Headless pages always have the focus, so the tests say it for them.
FOCUS = """focused => {
  document.hasFocus = () => focused;
  window.dispatchEvent(new Event(focused ? "focus" : "blur"));
}"""
SHOWN = """async scope => {
  const found = await navigator.serviceWorker.getRegistration(scope);
  const notes = (await found?.getNotifications()) ?? [];
  return notes.map(({ title, body, tag, data }) => ({ title, body, tag, url: data.url }));
}"""

# What tells why something is not shown, where a test fails.
STATE = """async () => {
  const { held, pending } = await navigator.locks.query();
  return [{ ...localStorage }, held.map(({ name }) => name), pending.map(({ name }) => name)];
}"""


def set_desk(set_stage: Callable[..., Stage], **config: Any) -> Stage:
    """Build a stage whose page /desk has the button and the script."""
    stage = set_inbox(set_stage, **config)
    stage.site.app.add_url_rule("/desk", "desk", lambda: render_template("desktop.html"))
    return stage


def visit(stage: Stage, *, permitted: bool = True, **options: Any) -> Visitor:
    """Let a user come whose browser asks them nothing: it permits notifications, or refuses them."""
    return stage.visit(permissions=["notifications"] if permitted else [], **options)


def ask(page: Page) -> Locator:
    """Return the button that switches notifications on."""
    return page.get_by_role("button", name="Notify me on my desktop")


def switch_on(visitor: Visitor) -> Page:
    """Open a page, and switch notifications on by its button."""
    page = visitor.open("/desk")
    ask(page).click()
    wait_until(page, "navigator.serviceWorker.getRegistration('/notify-worker.js').then(found => found?.active)")
    return page


def look_away(*pages: Page) -> None:
    """Let nobody look at pages that are open."""
    for page in pages:
        page.evaluate(FOCUS, False)


def look_at(page: Page) -> None:
    """Let somebody look at a page again."""
    page.evaluate(FOCUS, True)


def shown(page: Page) -> list[dict[str, Any]]:
    """Return the notifications that are shown now."""
    notes: list[dict[str, Any]] = page.evaluate(SHOWN, "/notify-worker.js")
    return notes


def wait_for_titles(page: Page, *titles: str) -> list[dict[str, Any]]:
    """Wait until these notifications are shown, and no others, and return them."""
    deadline = time.monotonic() + PATIENCE
    while sorted(note["title"] for note in shown(page)) != sorted(titles):
        assert time.monotonic() < deadline, (shown(page), page.evaluate(STATE))
        page.wait_for_timeout(20)
    return shown(page)


def click(page: Page, title: str) -> None:
    """Click on a notification: in the worker, as the browser does, which itself shows none here."""
    (worker,) = page.context.service_workers
    worker.evaluate(
        """async title => {
            const notes = await registration.getNotifications();
            const notification = notes.find(note => note.title === title);
            self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
        }""",
        title,
    )
