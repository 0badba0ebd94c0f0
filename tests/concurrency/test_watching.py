"""Several who change watched objects at the same time, in sessions of their own."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from tests.apps import Site
from tests.concurrency.messages import MANY_CONNECTIONS, PATIENT, Together, check_counts, slow_down_commits
from tests.concurrency.test_many_writers import STRICT
from tests.concurrency.writers import is_retryable
from tests.servers import Database
from tests.watching.board import Board, make_board

EDITORS = 3
ROUNDS = 5
POSTS = 6

pytestmark = pytest.mark.databases("sqlite", "postgresql", "mariadb")


def busy_board(build: Callable[..., Site], database: Database, **options: Any) -> Board:
    """Build an application for many threads, with posts that all but ann watch."""
    defaults = PATIENT if database.name.startswith("sqlite") else MANY_CONNECTIONS
    board = make_board(build, SQLALCHEMY_ENGINE_OPTIONS={**defaults, **options})
    with board.site.app.app_context():
        posts = [board.Post(title="0", body="0", views=0) for _ in range(POSTS)]
        board.session.add_all(posts)
        board.session.commit()
        for post in posts:
            post.watch(board.bob)
            post.watch(board.cem)
        board.session.commit()
    return board


def unseen(board: Board, name: str) -> list[tuple[str, int]]:
    with board.site.app.app_context():
        return sorted((m.target_id, m.count) for m in board.messages(name) if not m.seen)


def test_two_editors_at_once_leave_each_watcher_one_message_that_counts_both(
    build: Callable[..., Site], database: Database
) -> None:
    board = busy_board(build, database)

    def edit(number: int, meet: Callable[[], None]) -> None:
        post = board.session.get_one(board.Post, 1)
        # Both have read, and changed other fields, before either commits.
        setattr(post, ("title", "body")[number], f"by {number}")
        meet()
        board.session.commit()

    Together(board.site, 2).run(edit)

    for name in ("bob", "cem"):
        assert unseen(board, name) == [("1", 2)]
    check_counts(board.site)


def test_editors_of_many_objects_in_any_order_neither_deadlock_nor_lose_a_change(
    build: Callable[..., Site], database: Database
) -> None:
    board = busy_board(build, database)
    slow_down_commits(board.site, 0.02)

    def edit(number: int, meet: Callable[[], None]) -> None:
        dice = random.Random(number)
        for turn in range(ROUNDS):
            # Each a post of its own, and comments on all: the messages are about the same objects.
            posts = list(board.session.scalars(board.site.db.select(board.Post)))
            dice.shuffle(posts)
            meet()
            board.session.add_all(board.Comment(text=f"{number} {turn}", post_id=post.id) for post in posts)
            board.session.commit()

    Together(board.site, EDITORS).run(edit)

    for name in ("bob", "cem"):
        assert unseen(board, name) == [(str(key + 1), EDITORS * ROUNDS) for key in range(POSTS)]
    check_counts(board.site)


def test_who_starts_and_stops_watching_meanwhile_is_told_or_not_but_nothing_breaks(
    build: Callable[..., Site], database: Database
) -> None:
    board = busy_board(build, database)

    def work(number: int, meet: Callable[[], None]) -> None:
        for turn in range(ROUNDS):
            post = board.session.get_one(board.Post, 1)
            meet()
            if number == 0:
                post.views += 1
            elif turn % 2:
                post.watch(board.person(("bob", "cem")[number - 1]))
            else:
                post.unwatch(board.person(("bob", "cem")[number - 1]))
            board.session.commit()

    Together(board.site, EDITORS).run(work)

    check_counts(board.site)
    assert all(count <= ROUNDS for name in ("bob", "cem") for _, count in unseen(board, name))


def test_one_deletes_what_others_comment_on(build: Callable[..., Site], database: Database) -> None:
    board = busy_board(build, database)

    def work(number: int, meet: Callable[[], None]) -> None:
        post = board.session.get_one(board.Post, number + 1)
        meet()
        if number == 0:
            board.session.delete(post)
        else:
            post.title = "B"
            post.unwatch(board.bob)
        board.session.commit()

    Together(board.site, EDITORS).run(work)

    assert unseen(board, "cem") == [("1", 1), ("2", 1), ("3", 1)]
    check_counts(board.site)


@pytest.mark.databases("postgresql", "mariadb")
def test_under_strict_isolation_a_conflict_is_retried_and_every_change_is_told(
    build: Callable[..., Site], database: Database
) -> None:
    board = busy_board(build, database, **STRICT[database.name])

    def edit(number: int, meet: Callable[[], None]) -> int:
        retries = 0
        for turn in range(ROUNDS):
            meet()
            while True:
                try:
                    board.session.add(board.Comment(text=f"{number} {turn}", post_id=1))
                    board.session.commit()
                    break
                except OperationalError as error:
                    if not is_retryable(error):
                        raise
                    board.session.rollback()
                    retries += 1
        return retries

    Together(board.site, EDITORS).run(edit)

    for name in ("bob", "cem"):
        assert unseen(board, name) == [("1", EDITORS * ROUNDS)]
    check_counts(board.site)
