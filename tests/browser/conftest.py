"""Fixtures of the browser tests: an application on a real port, its users and their browsers."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.apps import Site
from tests.browser.stage import MODULES, Front, add_pages
from tests.conftest import CHROMIUM_ARGUMENTS, _chromium, missing
from tests.servers import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

    from tests.live import LiveServer

#: Seconds; no test tells how quick the machine is.
PATIENCE = 30

# Headless pages are never really hidden, so the tests say it for them.
HIDE = """hidden => {
  Object.defineProperty(document, "visibilityState", {configurable: true, get: () => hidden ? "hidden" : "visible"});
  document.dispatchEvent(new Event("visibilitychange"));
}"""

# Keeps what a page has asked for and not heard yet in ``pending``: polls that have no answer, and streams that neither
# have begun to speak nor have failed.
FOLLOW = """
window.pending = 0;
const ask = window.fetch;
window.fetch = (url, ...rest) => {
  const asked = ask.call(window, url, ...rest);
  if (!String(url).includes("since=")) return asked;
  const done = () => { pending -= 1; };
  pending += 1;
  return asked.then(
    (answer) => {
      const read = answer.json;
      answer.json = () => read.call(answer).finally(done);
      return answer;
    },
    (reason) => {
      done();
      throw reason;
    },
  );
};
window.EventSource = class extends EventSource {
  constructor(...rest) {
    super(...rest);
    let waiting = true;
    this.done = () => {
      pending -= Number(waiting);
      waiting = false;
    };
    pending += 1;
    for (const name of ["hello", "away", "error"]) this.addEventListener(name, this.done);
  }
  close() {
    this.done();
    super.close();
  }
};
"""


@dataclass
class Visitor:
    """A user with a browser of their own."""

    key: Any
    context: BrowserContext
    url: str
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def open(self, path: str = "/") -> Page:
        """Open a tab."""
        page = self.context.new_page()
        page.set_default_timeout(30_000)
        page.goto(self.url + path)
        return page

    def follow(self) -> None:
        """Let the pages that are opened from now on know what they wait for: see :func:`wait_for_answers`."""
        self.context.add_init_script(FOLLOW)

    def log_in(self, key: Any) -> None:
        """Log in as that user."""
        assert self.context.request.post(f"{self.url}/login/{key}").status == 204

    def log_out(self) -> None:
        """Log out."""
        assert self.context.request.post(f"{self.url}/logout").status == 204

    def expect_complaint(self, pattern: str) -> None:
        """Allow lines in the console: the browser itself writes one for each failed request."""
        self.expected.append(pattern)

    def listen(self) -> None:
        """Collect what the pages write to the console, and what they throw."""
        self.context.on("console", self._on_console)
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def unexpected(self) -> list[str]:
        """Return the complaints that no test asked for."""
        return [line for line in self.complaints if not any(re.search(known, line) for known in self.expected)]

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.complaints.append(message.text)


@dataclass
class Stage:
    """The application under test, with what the tests do to it."""

    site: Site
    front: Front
    server: LiveServer
    visit: Callable[..., Visitor]

    def emit(self, visitor: Visitor, name: str, data: Any, expires_in: float | None = None) -> float:
        """Give a visitor a value."""
        return self.site.emit(visitor.key, name, data, expires_in)

    def remove(self, visitor: Visitor, name: str) -> None:
        """Take a value from a visitor."""
        self.site.remove(visitor.key, name)


@pytest.fixture
def set_stage(
    build: Callable[..., Site], serve: Callable[..., LiveServer], browser: Browser
) -> Iterator[Callable[..., Stage]]:
    """Build stages; options are the application's configuration."""
    with ExitStack() as stack:

        def set_one(**config: Any) -> Stage:
            config = {"NOTIFY_POLL_INTERVAL": 0.25} | config
            site = build(**config)
            add_pages(site)
            front = Front(site.app, time.monotonic)
            server = serve(front)

            def visit(*, key: Any = None, using: Browser = browser, **options: Any) -> Visitor:
                context = stack.enter_context(using.new_context(**options))
                visitor = Visitor(site.add_user() if key is None else key, context, server.url)
                visitor.listen()
                stack.callback(_assert_quiet, visitor)
                visitor.log_in(visitor.key)
                return visitor

            return Stage(site, front, server, visit)

        yield set_one


def _assert_quiet(visitor: Visitor) -> None:
    assert visitor.unexpected() == []


@pytest.fixture
def stage(set_stage: Callable[..., Stage]) -> Stage:
    """An application whose pages poll four times a second."""
    return set_stage()


@pytest.fixture
def visitor(stage: Stage) -> Visitor:
    """A user with a browser."""
    return stage.visit()


@pytest.fixture(scope="session")
def caching_browser(browser: Browser) -> Iterator[Browser]:
    """A browser with its back-forward cache, which Playwright switches off otherwise."""
    with browser.browser_type.launch(
        executable_path=_chromium(),
        args=CHROMIUM_ARGUMENTS,
        ignore_default_args=["--disable-back-forward-cache"],
    ) as own:
        yield own


@pytest.fixture(scope="session")
def module_file() -> Callable[[str], Path]:
    """Find a file of an npm package that the tests use."""

    def find(name: str) -> Path:
        path = MODULES / name
        if not path.exists():
            missing(Unavailable(name.split("/", maxsplit=1)[0], "npm ci"))
        return path

    return find


def hide(page: Page) -> None:
    """Make a page believe that it is hidden."""
    page.evaluate(HIDE, True)


def show(page: Page) -> None:
    """Make a page believe that it is visible."""
    page.evaluate(HIDE, False)


def wait_for_answers(page: Page) -> None:
    """Wait until a page has heard the answers to all that it has asked for. (It is one of :meth:`Visitor.follow`.)

    One whose poll is under way does not poll, whatever happens to it: it might hear of nothing then.
    """
    wait_until(page, "pending === 0")


def wait_until(page: Page, condition: str) -> None:
    """Wait until a JavaScript expression holds. (Playwright's own wait evaluates a string, which the CSP forbids.)"""
    deadline = time.monotonic() + PATIENCE
    while not page.evaluate(f"async () => Boolean(await ({condition}))"):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(20)


def wait_for_complaint(page: Page, visitor: Visitor, text: str) -> None:
    """Wait until the console of a page has a line with that text."""
    deadline = time.monotonic() + PATIENCE
    while not any(text in line for line in visitor.complaints):
        assert time.monotonic() < deadline, text
        page.wait_for_timeout(20)
