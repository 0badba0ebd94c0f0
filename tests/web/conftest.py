"""Fixtures of the tests of actions on the web: a board with a thread, and its author's browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.apps import Site

from .board import Board, make_board

if TYPE_CHECKING:
    from flask.testing import FlaskClient


@pytest.fixture
def board(site: Site) -> Board:
    return make_board(site)


@pytest.fixture
def ann(site: Site) -> Any:
    return site.add_user("ann")


@pytest.fixture
def lunch(board: Board, ann: Any) -> int:
    """A thread of ann's."""
    return board.add_thread(ann, "Lunch")


@pytest.fixture
def client(site: Site, ann: Any, lunch: int) -> FlaskClient:  # noqa: ARG001  # it is there
    """Ann's browser."""
    return site.client(ann)
