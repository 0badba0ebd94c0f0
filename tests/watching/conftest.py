"""An application with things that people watch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.apps import Site
from tests.watching.board import Board, make_board


@pytest.fixture
def board(build: Callable[..., Site]) -> Iterator[Board]:
    """A board with three people, in its application's context."""
    made = make_board(build)
    with made.site.app.app_context():
        yield made


@pytest.fixture
def post(board: Board) -> Any:
    """A post that bob and cem watch; ann, whose it is, does not."""
    made = board.Post(title="Plan", body="One line", author=board.ann)
    board.session.add(made)
    board.session.commit()
    made.watch(board.bob)
    made.watch(board.cem)
    board.session.commit()
    return made
