"""Actions that are run from code: on which rows, by whom, with what, and all or nothing (rows F1 and F5)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from flask_notify.errors import ActionRefused, AnswerNeeded, RowNotFound
from tests.actions.forum import Forum


def messages_of(forum: Forum, user: Any) -> list[str]:
    Message = forum.site.notify.Message
    mine = select(Message.subject).where(Message.recipient_id == user.id).order_by(Message.id)
    return list(forum.session.scalars(mine))


def test_an_action_runs_on_an_object(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    response = forum.CloseThread.run_for(thread, user=ann, answers={"close": True})
    forum.session.commit()

    assert response.to_json() == {"success": True, "message": "Closed.", "refresh": True}
    assert forum.session.get(forum.Thread, thread.id).closed is True


def test_an_action_leaves_the_commit_to_its_caller(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    forum.CloseThread.run_for(thread, user=ann, answers=True)
    forum.session.rollback()

    assert thread.closed is False


@pytest.mark.parametrize("name", ["close_thread", "CloseThread"])
def test_an_action_is_found_by_its_name(forum: Forum, name: str) -> None:
    assert forum.site.notify.actions.find("close_thread") is forum.CloseThread


def test_one_who_is_not_permitted_is_refused(forum: Forum) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    thread = forum.thread(ann)

    with pytest.raises(ActionRefused):
        forum.CloseThread.run_for(thread, user=bob, answers=True)


def test_a_row_that_one_may_not_see_is_not_found(forum: Forum) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    thread = forum.thread(ann, hidden=True)

    with pytest.raises(RowNotFound):
        forum.MoveThread.run_for(thread, user=bob, params={"topic": "Food"})


def test_a_question_without_an_answer_takes_all_back(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    with pytest.raises(AnswerNeeded) as needed:
        forum.CloseThread.run_for(thread, user=ann)

    assert (needed.value.uid, needed.value.text) == ("close", "Close “Lunch”?")
    assert thread.times_closed == 0


def test_a_no_changes_nothing(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    response = forum.CloseThread.run_for(thread, user=ann, answers={"close": False})

    assert response.to_json() == {"success": False, "info_message": "Nothing was changed."}
    assert (thread.times_closed, thread.closed) == (0, False)


def test_parameters_are_what_the_form_makes_of_them(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    response = forum.MoveThread.run_for(thread, user=ann, params={"topic": " Food "})

    assert response.message == "Moved to Food, place 1."


def test_the_messages_of_a_notifying_action_arrive(forum: Forum) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    thread = forum.thread(ann)

    forum.CloseThread.run_for(thread, user=ann, answers=True)
    forum.session.commit()

    assert messages_of(forum, bob) == ["Close thread: Lunch"]
    assert messages_of(forum, ann) == []
