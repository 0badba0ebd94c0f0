"""Questions: the action ends, what it did is taken back, and it runs anew with the answer (row F3)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from markupsafe import Markup

from flask_notify import Action, ActionRequest
from flask_notify.actions.responses import ActionResponse
from flask_notify.errors import AnswerNeeded, InvalidQuestion
from tests.actions.forum import Forum

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def asking(forum: Forum) -> Callable[..., Any]:
    """Declare an action without rows that does what a function says."""

    def declare(do: Callable[[ActionRequest], Any]) -> Any:
        class Ask(Action):
            def permitted(self, ar: ActionRequest) -> bool:  # noqa: ARG002
                return True

            def run(self, ar: ActionRequest) -> None:
                do(ar)

        return forum.site.notify.action(Ask)

    return declare


def on_page(forum: Forum, action: Any, thread: Any, user: Any, **answers: str) -> ActionResponse:
    """Run an action as a page does."""
    runner = forum.site.notify.action_runner
    request = runner.request(user=user, answers=answers)
    response: ActionResponse = runner.run(runner.spawn(request, (action, thread)))
    return response


@pytest.mark.databases("sqlite", "postgresql", "mariadb")
def test_a_question_without_an_answer_takes_all_back(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    with pytest.raises(AnswerNeeded, match=r"Give answers=\{'close': True\}") as needed:
        forum.CloseThread.run_for(thread, user=ann)
    forum.session.commit()

    assert (needed.value.uid, needed.value.text) == ("close", "Close “Lunch”?")
    assert thread.times_closed == 0


def test_a_page_gets_the_question_and_nothing_else(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    response = on_page(forum, "close_thread", [str(thread.id)], ann)

    assert response.to_json() == {
        "xcallback": {
            "id": "close",
            "title": "Close thread",
            "text": "Close “Lunch”?",
            "buttons": {"yes": "Yes", "no": "No"},
        }
    }


@pytest.mark.databases("sqlite", "postgresql", "mariadb")
def test_the_action_runs_anew_with_the_answer(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    on_page(forum, "close_thread", thread, ann)
    response = on_page(forum, "close_thread", thread, ann, close="yes")
    forum.session.commit()

    assert response.message == "Closed."
    assert (thread.times_closed, thread.closed) == (1, True)


@pytest.mark.databases("sqlite", "postgresql", "mariadb")
def test_a_no_changes_nothing(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    response = forum.CloseThread.run_for(thread, user=ann, answers={"close": False})
    forum.session.commit()

    assert response.to_json() == {"success": False, "info_message": "Nothing was changed."}
    assert (thread.times_closed, thread.closed) == (0, False)


def test_several_questions_are_asked_one_after_the_other(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    first = on_page(forum, forum.DeleteThread, thread, ann)
    second = on_page(forum, forum.DeleteThread, thread, ann, delete="yes")
    last = on_page(forum, forum.DeleteThread, thread, ann, delete="yes", really="yes")

    assert (first.xcallback.uid, second.xcallback.uid) == ("delete", "really")
    assert second.xcallback.text == "Really?\nIt is gone then."
    assert last.record_deleted is True


def test_a_later_no_takes_back_what_an_earlier_yes_allowed(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    response = on_page(forum, forum.DeleteThread, thread, ann, delete="yes", really="no")

    assert response.to_json() == {"success": False, "info_message": "Nothing was changed."}
    assert forum.session.get(forum.Thread, thread.id) is thread


def test_one_answer_may_stand_for_all_questions(forum: Forum) -> None:
    ann = forum.user("ann")

    assert forum.DeleteThread.run_for(forum.thread(ann), user=ann, answers=True).record_deleted is True
    assert forum.DeleteThread.run_for(forum.thread(ann), user=ann, answers=False).failed


def test_a_shell_gives_its_answer_up_front(forum: Forum) -> None:
    ann = forum.user("ann")
    ar = forum.site.notify.action_request(user=ann)

    ar.set_confirm_answer(True)

    assert ar.run(forum.DeleteThread, forum.thread(ann)).record_deleted is True
    assert ar.run(forum.CloseThread, forum.thread(ann)).message == "Closed."


def test_an_answer_by_name_comes_before_the_one_for_all(forum: Forum) -> None:
    ann = forum.user("ann")
    ar = forum.site.notify.action_request(user=ann, answers={"really": False})

    ar.set_confirm_answer(True)

    assert ar.run(forum.DeleteThread, forum.thread(ann)).failed


def test_an_answer_to_what_is_not_asked_changes_nothing_and_is_logged(
    forum: Forum, caplog: pytest.LogCaptureFixture
) -> None:
    root = forum.user("root")
    runner = forum.site.notify.action_runner
    request = runner.request(user=root, answers={"sure": "yes"})
    with caplog.at_level(logging.INFO, "flask_notify.actions"):
        response = runner.run(runner.spawn(request, "announce", params={"topic": "Hello"}))

    assert response.success is True
    assert "announce did not ask ['sure'], which was answered" in caplog.text


def test_the_same_question_is_asked_once(asking: Callable[..., Any]) -> None:
    def ask_twice(ar: ActionRequest) -> None:
        ar.confirm("Sure?", uid="sure")
        ar.confirm("Sure?", uid="sure")
        ar.success("Done.")

    assert asking(ask_twice).run_for(user=None, answers={"sure": True}).message == "Done."


def test_two_questions_may_not_have_one_uid(asking: Callable[..., Any]) -> None:
    def ask_of_each(ar: ActionRequest) -> None:
        for thing in ("cat", "dog"):
            ar.confirm(f"Sell the {thing}?", uid="sell")

    with pytest.raises(InvalidQuestion, match="'sell' for 'Sell the cat\\?' and for 'Sell the dog\\?'"):
        asking(ask_of_each).run_for(user=None, answers={"sell": True})


def test_questions_about_several_things_have_what_they_are_about_in_the_uid(asking: Callable[..., Any]) -> None:
    def ask_of_each(ar: ActionRequest) -> None:
        for thing in ("cat", "dog"):
            ar.confirm(f"Sell the {thing}?", uid=f"sell-{thing}")

    action = asking(ask_of_each)

    with pytest.raises(AnswerNeeded) as needed:
        action.run_for(user=None, answers={"sell-cat": True})
    assert needed.value.uid == "sell-dog"


@pytest.mark.parametrize("uid", ["", "a b", "x" * 65, None, "a.b", "a/b", "ü"])
def test_a_uid_must_be_one(asking: Callable[..., Any], uid: Any) -> None:
    with pytest.raises(InvalidQuestion, match="when the action runs anew, its answer is found by that"):
        asking(lambda ar: ar.confirm("Sure?", uid=uid)).run_for(user=None, answers=True)


def test_a_question_must_have_a_text(asking: Callable[..., Any]) -> None:
    with pytest.raises(InvalidQuestion, match="must have a text"):
        asking(lambda ar: ar.confirm(uid="sure")).run_for(user=None, answers=True)


def test_a_question_is_text(asking: Callable[..., Any]) -> None:
    with pytest.raises(AnswerNeeded) as needed:
        asking(lambda ar: ar.confirm(Markup("Close <b>a &amp; b</b>?"), "<i>", uid="sure")).run_for(user=None)

    assert needed.value.text == "Close a & b?\n<i>"


@pytest.mark.parametrize("caught", [Exception, BaseException])
def test_an_action_cannot_keep_a_question_from_being_asked(asking: Callable[..., Any], caught: Any) -> None:
    def catch(ar: ActionRequest) -> None:
        try:
            ar.confirm("Sure?", uid="sure")
        except caught:
            ar.success("Done without asking.")

    action = asking(catch)

    with pytest.raises(AnswerNeeded):
        action.run_for(user=None)
    assert action.run_for(user=None, answers=False).failed


def test_nothing_can_be_asked_where_nothing_runs(forum: Forum) -> None:
    class Nosy(Action):
        def permitted(self, ar: ActionRequest) -> bool:
            ar.confirm("May I?", uid="may")
            return True

        def run(self, ar: ActionRequest) -> None:
            """Do nothing."""

    forum.site.notify.action(Nosy)

    with pytest.raises(InvalidQuestion, match="before or after it"):
        Nosy.run_for(user=None, answers=True)
