"""Actions that several run at once: of two who decide on one row, the second decides on what the first has left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from flask_notify import Action, ActionRequest
from flask_notify.errors import ActionRefused
from tests.actions.forum import Forum, make_forum
from tests.apps import Site
from tests.concurrency.messages import Together, check_counts, messages_of, prepare
from tests.servers import Database

WORKERS = 4
ROUNDS = 5

pytestmark = pytest.mark.databases("sqlite", "sqlite-wal", "postgresql", "mariadb")


@pytest.fixture
def busy(database: Database, build: Callable[..., Site]) -> Forum:
    """A forum for many threads."""
    return make_forum(prepare(build, database.name))


def store(forum: Forum, count: int) -> tuple[Any, Any, list[int]]:
    """Store two users, and threads of the first; return their keys."""
    with forum.site.app.app_context():
        ann, bob = forum.user("ann"), forum.user("bob")
        threads = [forum.thread(ann, f"thread {number}") for number in range(count)]
        return ann.id, bob.id, [thread.id for thread in threads]


def test_of_those_who_close_a_thread_at_once_one_succeeds_and_the_others_are_refused(busy: Forum) -> None:
    ann, bob, threads = store(busy, ROUNDS)

    def close(_: int, meet: Callable[[], None]) -> list[str]:
        answers = []
        for key in threads:
            user = busy.site.user(ann)
            busy.session.rollback()
            meet()
            try:
                answers.append(busy.CloseThread.run_for([key], user=user, answers=True).message)
                busy.session.commit()
            except ActionRefused:
                answers.append("refused")
                busy.session.rollback()
        return answers

    answers = Together(busy.site, WORKERS).run(close)

    for turn in range(ROUNDS):
        assert sorted(mine[turn] for mine in answers) == ["Closed.", *["refused"] * (WORKERS - 1)]
    with busy.site.app.app_context():
        closed = busy.session.execute(select(busy.Thread.closed, busy.Thread.times_closed)).all()
    assert closed == [(True, 1)] * ROUNDS
    assert len(messages_of(busy.site, bob)) == ROUNDS, "others are told once of each"
    check_counts(busy.site)


def test_rows_that_are_selected_in_any_order_are_locked_without_a_deadlock(busy: Forum) -> None:
    class Count(Action):
        target = busy.Thread
        select = "many"
        lock_rows = True

        def permitted(self, ar: ActionRequest, thread: Any) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest, threads: Any) -> None:  # noqa: ARG002
            for thread in threads:
                thread.times_closed += 1

    busy.site.notify.action(Count)
    _, _, threads = store(busy, 6)

    def count(number: int, meet: Callable[[], None]) -> None:
        mine = threads[number:] + threads[:number]
        for _ in range(ROUNDS):
            meet()
            assert Count.run_for(reversed(mine) if number % 2 else mine, user=None).success is True
            busy.session.commit()

    Together(busy.site, WORKERS).run(count)

    with busy.site.app.app_context():
        assert set(busy.session.scalars(select(busy.Thread.times_closed))) == {WORKERS * ROUNDS}


@pytest.mark.databases("postgresql", "mariadb")
def test_who_is_taken_out_of_a_deadlock_has_changed_nothing_and_can_go_on(busy: Forum) -> None:
    meeting: list[Callable[[], None]] = []

    class Cross(Action):
        target = busy.Thread
        select = "many"

        def permitted(self, ar: ActionRequest, thread: Any) -> bool:  # noqa: ARG002
            return True

        def run(self, ar: ActionRequest, threads: Any) -> None:  # noqa: ARG002
            threads[0].times_closed += 1
            busy.session.flush()
            meeting[0]()  # each has one of the two rows now
            threads[1].times_closed += 1
            busy.session.flush()

    busy.site.notify.action(Cross)
    _, _, threads = store(busy, 2)

    def cross(number: int, meet: Callable[[], None]) -> str:
        meeting.append(meet)
        meet()
        try:
            Cross.run_for(threads if number else reversed(threads), user=None)
            busy.session.commit()
        except OperationalError:
            assert busy.session.scalar(select(busy.Thread.title).where(busy.Thread.id == threads[0])) == "thread 0"
            busy.session.commit()
            return "deadlock"
        return "done"

    outcome = Together(busy.site, 2).run(cross)

    assert sorted(outcome) == ["deadlock", "done"]
    with busy.site.app.app_context():
        assert list(busy.session.scalars(select(busy.Thread.times_closed))) == [1, 1]
