"""However a transaction goes, what is told of an object is the difference that its commit makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.apps import Site
from tests.watching.board import Board, make_board

FIELDS = ("title", "rank", "views")
VALUES: dict[str, Any] = {"title": ["A", "B"], "rank": ["a", "b"], "views": [0, 1, 2]}
TEXTS = {"a": "first", "b": "second"}


class Changes(RuleBasedStateMachine):
    """One post and its comments, changed in one session with flushes and savepoints."""

    def __init__(self, board: Board) -> None:
        super().__init__()
        self.board = board
        self.session = board.session

    @initialize()
    def begin(self) -> None:
        self.session.rollback()
        self.post = self.board.Post(title="A", rank="a", views=0)
        self.session.add(self.post)
        self.session.commit()
        self.key = self.post.id
        self.post.watch(self.board.bob)
        self.board.bob.mark_all_seen()
        self.session.commit()
        self.committed = dict(zip(FIELDS, ("A", "a", 0), strict=True))
        self.present = dict(self.committed)
        self.comments = 0
        self.savepoints: list[tuple[Any, dict[str, Any], int]] = []
        self.seen_before = len(self.board.messages("bob"))

    @rule(name=st.sampled_from(FIELDS), data=st.data())
    def change(self, name: str, data: st.DataObject) -> None:
        value = data.draw(st.sampled_from(VALUES[name]))
        setattr(self.post, name, value)
        self.present[name] = value

    @rule()
    def comment(self) -> None:
        self.session.add(self.board.Comment(text="x", post_id=self.key))
        self.comments += 1

    @rule()
    def comment_and_think_better_of_it(self) -> None:
        comment = self.board.Comment(text="x", post_id=self.key)
        self.session.add(comment)
        self.session.flush()
        self.session.delete(comment)

    @rule()
    def flush(self) -> None:
        self.session.flush()

    @rule()
    def forget_what_was_loaded(self) -> None:
        self.session.flush()
        self.session.expire_all()

    @precondition(lambda self: len(self.savepoints) < 3)
    @rule()
    def begin_savepoint(self) -> None:
        self.savepoints.append((self.session.begin_nested(), dict(self.present), self.comments))

    @precondition(lambda self: self.savepoints)
    @rule(released=st.booleans())
    def end_savepoint(self, released: bool) -> None:
        savepoint, present, comments = self.savepoints.pop()
        if released:
            savepoint.commit()
        else:
            savepoint.rollback()
            self.present, self.comments = present, comments

    @rule()
    def roll_back(self) -> None:
        self.session.rollback()
        self.present, self.comments = dict(self.committed), 0
        self.savepoints.clear()

    @rule()
    def commit(self) -> None:
        while self.savepoints:
            self.end_savepoint(True)
        self.session.commit()
        expected = [
            f"{name}: {self.say(self.committed[name])} → {self.say(self.present[name])}"
            for name in FIELDS
            if self.committed[name] != self.present[name]
        ]
        messages = self.board.messages("bob")[self.seen_before :]
        assert [message.count for message in messages] == [self.comments + bool(expected)] * bool(messages)
        assert bool(messages) == bool(expected or self.comments)
        told = [line for lines in self.board.bodies("bob")[self.seen_before :] for line in lines]
        # One message tells of all; it says what was noticed last, of the post or of a comment.
        assert told == ([] if self.comments and not told else expected)
        self.board.bob.mark_all_seen()
        self.session.commit()
        self.committed, self.comments = dict(self.present), 0
        self.seen_before += len(messages)

    def say(self, value: Any) -> str:
        return TEXTS.get(value, str(value))


@pytest.mark.slow
@pytest.mark.databases("postgresql", "mariadb")
def test_what_is_told_is_what_the_commit_has_changed(build: Callable[..., Site]) -> None:
    board = make_board(build, watch=FIELDS)
    with board.site.app.app_context():
        checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
        make: Any = lambda: Changes(board)  # noqa: E731  # it is called like the class it stands for
        run_state_machine_as_test(
            make,
            settings=settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=checks),
        )
