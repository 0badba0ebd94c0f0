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
# Whether this page holds the lock that says that somebody looks at it, and whether any page has yet to tell its news.
LOOKS = """navigator.locks.request(crypto.randomUUID(), async mine => {
  const { held } = await navigator.locks.query();
  const { clientId } = held.find(lock => lock.name === mine.name);
  return held.some(lock => lock.clientId === clientId && lock.name.includes(":looked:"));
})"""
QUIET = (
    "navigator.locks.query().then(({held, pending}) => ![...held, ...pending].some(({name}) => /:turn:/.test(name)))"
)
# Chromium forgets a notification if it is asked for all of them at the moment when that one is shown: the tests, which
# ask all the time, and what shows them take turns.
TAKE_TURNS = """(() => {
  const shows = self.ServiceWorkerRegistration?.prototype;  // the empty page of a new tab has none
  if (!shows) return;
  const show = shows.showNotification;
  shows.showNotification = function (...rest) {
    return navigator.locks.request("shows", () => show.apply(this, rest));
  };
})()"""
SHOWN = """scope => navigator.locks.request("shows", async () => {
  const found = await navigator.serviceWorker.getRegistration(scope);
  const notes = (await found?.getNotifications()) ?? [];
  return notes.map(({ title, body, tag, data }) => ({ title, body, tag, url: data.url }));
})"""

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
    visitor = stage.visit(permissions=["notifications"] if permitted else [], **options)
    visitor.context.add_init_script(TAKE_TURNS)
    return visitor


def ask(page: Page) -> Locator:
    """Return the button that switches notifications on."""
    return page.get_by_role("button", name="Notify me on my desktop")


def switch_on(visitor: Visitor) -> Page:
    """Open a page, and switch notifications on by its button."""
    page = visitor.open("/desk")
    ask(page).click()
    wait_until(page, "navigator.serviceWorker.getRegistration('/notify-worker.js').then(found => found?.active)")
    return page


def open_desk(visitor: Visitor) -> Page:
    """Open a page whose notifications are on, and look at it: it knows so."""
    page = visitor.open("/desk")
    wait_until(page, LOOKS)
    return page


def wait_for_turns(*pages: Page) -> None:
    """Wait until all that pages have heard of is shown, or found to be none of a desktop's business."""
    for page in pages:
        wait_until(page, QUIET)


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
