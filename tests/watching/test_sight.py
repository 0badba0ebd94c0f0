"""Who may not see an object is told nothing of it, also when nobody can be asked any more (rows B11 and E1)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, or_, select
from sqlalchemy.orm import Session

from tests.watching.board import Board, State


@pytest.fixture
def asked(board: Board) -> list[tuple[str, set[Any]]]:
    """Let drafts be seen by their authors alone; what was asked is noted."""
    questions: list[tuple[str, set[Any]]] = []
    Post, db = board.Post, board.site.db

    def visible_to(recipient: Any, ids: set[Any]) -> set[Any]:
        questions.append((recipient.name, set(ids)))
        shown = or_(Post.state.is_(None), Post.state != State.DRAFT, Post.author_id == recipient.id)
        return set(db.session.scalars(select(Post.id).where(Post.id.in_(ids), shown)))

    Post.visible_to = staticmethod(visible_to)
    return questions


@pytest.mark.usefixtures("asked")
def test_what_becomes_of_an_object_that_a_watcher_may_not_see_is_not_told_to_them(board: Board, post: Any) -> None:
    post.watch(board.ann)
    post.state = State.DRAFT
    board.session.commit()
    post.title = "Secret plan"
    board.session.commit()

    assert board.told("bob") == board.told("cem") == []
    assert board.told("ann") == ["Secret plan was modified"]


@pytest.mark.usefixtures("asked")
def test_the_deletion_of_an_object_that_a_watcher_may_not_see_is_not_told_to_them(board: Board, post: Any) -> None:
    post.watch(board.ann)
    post.state = State.DRAFT
    board.session.commit()
    board.ann.mark_all_seen()
    board.session.commit()

    board.session.delete(post)
    board.session.commit()

    assert board.told("bob") == board.told("cem") == []
    assert board.told("ann")[-1] == "Plan was deleted"


@pytest.mark.usefixtures("asked")
def test_the_deletion_of_what_they_could_see_is_told(board: Board, post: Any) -> None:
    board.session.delete(post)
    board.session.commit()

    assert board.told("bob") == board.told("cem") == ["Plan was deleted"]


@pytest.mark.usefixtures("asked")
def test_what_is_shown_again_is_told_again(board: Board, post: Any) -> None:
    post.state = State.DRAFT
    board.session.commit()
    post.state = State.FINAL
    board.session.commit()

    assert board.lines("bob") == ["state: Draft → Final version"]


@pytest.mark.usefixtures("asked")
def test_parts_of_a_hidden_object_are_not_told_of_either(board: Board, post: Any) -> None:
    post.state = State.DRAFT
    comment = board.Comment(text="Psst", post=post)
    board.session.add(comment)
    board.session.commit()
    board.session.delete(comment)
    board.session.commit()

    assert board.told("bob") == board.told("cem") == []


def test_it_is_asked_once_for_each_watcher_however_many_objects_there_are(
    board: Board, asked: list[tuple[str, set[Any]]]
) -> None:
    posts = [board.Post(title=f"Post {number}") for number in range(20)]
    board.session.add_all(posts)
    board.session.flush()
    for one in posts:
        one.watch(board.bob)
        one.watch(board.cem)
    board.session.commit()
    asked.clear()

    for one in posts:
        one.title += "!"
    board.session.commit()
    for one in posts:
        board.session.delete(one)
    board.session.commit()

    assert sorted((name, len(ids)) for name, ids in asked) == [("bob", 20), ("bob", 20), ("cem", 20), ("cem", 20)]


@pytest.mark.usefixtures("asked")
def test_models_look_at_the_session_that_commits(board: Board) -> None:
    with Session(board.site.db.engine) as session:
        made = board.Post(title="New")
        session.add(made)
        session.flush()
        made.watch(session.get(board.site.User, board.keys["bob"]))
        own = board.site.db.session()
        session.commit()

    assert board.site.db.session() is own
    assert board.told("bob") == ["New was created"]


@pytest.mark.usefixtures("asked")
def test_what_was_answered_before_a_deletion_that_failed_is_asked_again(board: Board, post: Any) -> None:
    other = board.Post(title="Another")
    board.session.add(other)
    other.watch(board.bob)
    board.session.commit()
    board.bob.mark_all_seen()
    board.session.commit()
    before = board.told("bob")
    failing = [True]

    def fail(*_: Any) -> None:
        if failing:
            raise ZeroDivisionError

    event.listen(board.Post, "before_delete", fail)
    for one in (post, other):
        board.session.delete(one)
    with pytest.raises(ZeroDivisionError):
        board.session.commit()
    board.session.rollback()
    other.state = State.DRAFT
    board.session.commit()

    failing.clear()
    board.session.delete(other)
    board.session.commit()

    assert board.told("bob") == before
