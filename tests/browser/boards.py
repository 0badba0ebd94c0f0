"""What the tests of actions in a browser share: a stage with a board of threads, and what they do on its page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.web.board import Board, make_board

from .conftest import Stage, Visitor

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


@dataclass
class BoardStage:
    """A stage whose page ``/board`` has buttons, and a visitor who is the author of its threads."""

    stage: Stage
    board: Board
    visitor: Visitor

    def add(self, *titles: str, **values: Any) -> list[int]:
        """Store threads of the visitor's."""
        return [self.board.add_thread(self.visitor.key, title, **values) for title in titles]

    def open(self, path: str = "/board") -> Page:
        """Open the page; its script has begun."""
        page = self.visitor.open(path)
        if page.evaluate("1 + 1") == 2:
            page.wait_for_selector(".notify-toasts", state="attached")
        return page

    def posts(self) -> list[tuple[str, int]]:
        """Return the actions that were posted, with the status of the answers."""
        requests = list(self.stage.server.requests)
        return [(request.path, request.status) for request in requests if request.method == "POST"][1:]  # the login


def set_board(set_stage: Callable[..., Stage], *, options: dict[str, Any] | None = None, **config: Any) -> BoardStage:
    """Build a stage with a board; ``options`` are those of the visitor's browser."""
    stage = set_stage(**config)
    board = make_board(stage.site)
    return BoardStage(stage, board, stage.visit(key=stage.site.add_user("ann"), **(options or {})))


def thread(page: Page, title: str) -> Locator:
    """Return the part of the page that shows a thread."""
    return page.locator("[data-notify-record]").filter(has_text=title)


def button(page: Page, title: str, name: str) -> Locator:
    """Return a button of a thread."""
    return thread(page, title).get_by_role("button", name=name)


def toast(page: Page, text: str) -> Locator:
    """Return a toast."""
    return page.locator(".notify-toast").filter(has_text=text)


def dialog(page: Page, name: str) -> Locator:
    """Return an open dialog by its title."""
    return page.get_by_role("dialog", name=name)


def question(page: Page, name: str) -> Locator:
    """Return an open question by its title."""
    return page.get_by_role("alertdialog", name=name)
