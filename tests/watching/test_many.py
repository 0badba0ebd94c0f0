"""A bulk change emits in bounded statements, however many objects, watchers and messages there are (row E3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select

from tests.apps import Site
from tests.concurrency.messages import check_counts
from tests.watching.board import Board, make_board

BATCH = 1_000


@contextmanager
def counted(board: Board) -> Iterator[list[str]]:
    """Count the statements of a block; one for many rows is one."""
    statements: list[str] = []

    def note(*args: Any) -> None:
        statements.append(args[2])

    event.listen(board.site.db.engine, "before_cursor_execute", note)
    yield statements
    event.remove(board.site.db.engine, "before_cursor_execute", note)


def fill(board: Board, objects: int, watchers: int, people: int) -> list[Any]:
    """Make posts, each with watchers out of so many people, by plain inserts; return the posts."""
    users = [{"name": f"user {number}"} for number in range(people)]
    session, models = board.session, board.site.notify.models
    first = (session.scalar(select(func.max(board.site.User.id))) or 0) + 1
    session.execute(insert(board.site.User), [{"id": first + n, **user} for n, user in enumerate(users)])
    session.execute(insert(models.inbox), [{"recipient_id": first + number} for number in range(people)])
    session.execute(insert(board.Post), [{"id": n + 1, "title": f"post {n}", "views": 0} for n in range(objects)])
    rows = [
        {"recipient_id": first + (n + turn) % people, "target_type": "Post", "target_id": str(n + 1)}
        for n in range(objects)
        for turn in range(watchers)
    ]
    if rows:
        session.execute(insert(models.watch), rows)
    session.commit()
    return list(session.scalars(select(board.Post)))


def change_all(board: Board, posts: list[Any], turn: int) -> list[str]:
    """Change all posts in one transaction, and return the statements of what is told of it."""
    for post in posts:
        post.views = turn
    board.session.flush()
    with counted(board) as statements:
        board.session.commit()
    return statements


def rows_of(board: Board) -> tuple[int, int]:
    """Return how many messages there are, and how many times they were told."""
    message = board.site.notify.models.message.c
    count, told = board.session.execute(select(func.count(), func.sum(message["count"]))).one()
    return count, int(told or 0)


@pytest.mark.parametrize("objects, watchers, people", [(300, 20, 20), (300, 20, 300)])
def test_a_bulk_change_is_told_in_bounded_statements(
    build: Callable[..., Site], objects: int, watchers: int, people: int
) -> None:
    board = make_board(build)
    with board.site.app.app_context():
        posts = fill(board, objects, watchers, people)

        for turn in (1, 2, 3):
            statements = change_all(board, posts, turn)
            assert len(statements) <= 40 + 2 * objects * watchers // BATCH, statements
            assert rows_of(board) == (objects * watchers, turn * objects * watchers)
            posts = list(board.session.scalars(select(board.Post)))

        shown = board.session.scalars(select(board.site.notify.models.message.c.body)).all()
        assert {body.partition("<li>")[2] for body in shown} == {"views: 2 → 3</li></ul>"}
    check_counts(board.site)


def test_ten_times_as_many_objects_cost_as_many_statements_within_a_batch(build: Callable[..., Site]) -> None:
    board = make_board(build)
    with board.site.app.app_context():
        posts = fill(board, 100, 5, 5)

        few, many = (change_all(board, some, 1) for some in (posts[:10], posts[10:]))
        again = change_all(board, list(board.session.scalars(select(board.Post))), 2)

    assert len(many) == len(few), many
    assert len(again) <= len(few) + 2, again
    check_counts(board.site)


def test_observers_that_are_added_to_the_watchers_are_bounded_as_well(
    build: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    board = make_board(build)
    with board.site.app.app_context():
        posts = fill(board, 60, 5, 5)
        ann, default = board.ann, board.Post.get_change_observers
        monkeypatch.setattr(board.Post, "get_change_observers", lambda self: [*default(self), ann])

        few, many = (change_all(board, some, 1) for some in (posts[:6], posts[6:]))

        assert len(many) == len(few), many
        assert rows_of(board) == (60 * 6, 60 * 6)
    check_counts(board.site)


@pytest.mark.slow
def test_a_thousand_objects_with_fifty_watchers_each(build: Callable[..., Site]) -> None:
    board = make_board(build)
    with board.site.app.app_context():
        posts = fill(board, 1_000, 50, 200)

        for turn in (1, 2):
            statements = change_all(board, posts, turn)
            assert len(statements) <= 150, (len(statements), statements[:60])
            assert rows_of(board) == (50_000, turn * 50_000)
            posts = list(board.session.scalars(select(board.Post)))
    check_counts(board.site)


def test_those_who_got_different_numbers_of_messages_are_counted_in_bounded_statements(
    build: Callable[..., Site],
) -> None:
    board = make_board(build)
    with board.site.app.app_context():
        posts = fill(board, 60, 0, 60)
        models = board.site.notify.models
        keys = board.session.scalars(select(board.site.User.id).order_by(board.site.User.id)).all()[-60:]
        rows = [
            {"recipient_id": key, "target_type": "Post", "target_id": str(post.id)}
            for number, key in enumerate(keys)
            for post in posts[: number + 1]
        ]
        board.session.execute(insert(models.watch), rows)
        board.session.commit()
        posts = list(board.session.scalars(select(board.Post)))

        assert len(change_all(board, posts, 1)) <= 40
        counts = board.session.execute(select(models.inbox.c.recipient_id, models.inbox.c.unseen_count))
        assert {row[0]: row[1] for row in counts if row[1]} == {key: n + 1 for n, key in enumerate(keys)}
    check_counts(board.site)
