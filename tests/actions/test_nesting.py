"""Actions that run others: who asks, what is asked, and whose response is whose (row F8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flask_notify import Action, ActionRequest
from flask_notify.actions.renderers import TextRenderer
from flask_notify.actions.request import Declined
from flask_notify.actions.responses import ActionResponse
from flask_notify.errors import (
    ActionRefused,
    AnswerNeeded,
    InvalidParameters,
    NestedTooDeep,
    NotifyError,
    RowNotFound,
    UnknownAction,
)
from tests.actions.forum import Forum

pytestmark = pytest.mark.databases("sqlite")
ALL = pytest.mark.databases("sqlite", "postgresql", "mariadb")


@pytest.fixture
def doing(forum: Forum) -> Callable[..., Any]:
    """Declare an action without rows that does what a function says."""

    def declare(do: Callable[[ActionRequest], Any], name: str = "do") -> Any:
        def permitted(_self: Any, _ar: ActionRequest) -> bool:
            return True

        def run(_self: Any, ar: ActionRequest) -> None:
            do(ar)

        return forum.site.notify.action(type(name, (Action,), {"name": name, "permitted": permitted, "run": run}))

    return declare


@ALL
def test_a_child_s_response_comes_back_and_the_parent_s_stays(forum: Forum, doing: Callable[..., Any]) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)
    seen: list[ActionResponse] = []

    def run_another(ar: ActionRequest) -> None:
        ar.success("All done.")
        seen.append(ar.run(forum.CloseThread, thread))

    response = doing(run_another).run_for(user=ann, answers=True)

    assert response.to_json() == {"success": True, "message": "All done."}
    assert seen[0].to_json() == {"success": True, "message": "Closed.", "refresh": True}
    assert thread.closed is True


def test_a_child_inherits_user_acting_as_renderer_and_answers(forum: Forum, doing: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    renderer = TextRenderer()
    seen: list[ActionRequest] = []
    inner = doing(seen.append, "inner")
    outer = doing(lambda ar: ar.run(inner), "outer")

    outer.run_for(user=ann, acting_as=bob, answers={"a": True}, renderer=renderer)

    (child,) = seen
    assert (child.user, child.real_user, child.acting_as) == (bob, ann, bob)
    assert child.renderer is renderer
    assert child.answers == {"a": True}
    assert child.parent is not None
    assert child.parent.action.name == "outer"


@ALL
def test_permission_is_asked_of_a_child(forum: Forum, doing: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    thread, hidden = forum.thread(ann), forum.thread(ann, hidden=True)

    with pytest.raises(ActionRefused):
        doing(lambda ar: ar.run(forum.CloseThread, thread)).run_for(user=bob, answers=True)
    with pytest.raises(RowNotFound):
        doing(lambda ar: ar.run(forum.CloseThread, hidden)).run_for(user=bob, answers=True)


@ALL
def test_a_child_that_fails_has_changed_nothing_and_the_parent_goes_on(forum: Forum, doing: Callable[..., Any]) -> None:
    ann = forum.user("ann")
    one, stuck = forum.thread(ann, "one"), forum.thread(ann, "stuck")

    def go_on(ar: ActionRequest) -> None:
        one.title = "first"
        if ar.run(forum.CloseSeveral, [one, stuck]).failed:
            ar.success("Not closed.")

    response = doing(go_on).run_for(user=ann)
    forum.session.commit()

    assert response.to_json() == {"success": True, "message": "Not closed."}
    assert (one.title, one.closed) == ("first", False)


@ALL
def test_a_child_that_raises_may_be_caught(forum: Forum, doing: Callable[..., Any]) -> None:
    ann = forum.user("ann")
    one, broken = forum.thread(ann, "one"), forum.thread(ann, "broken")

    def go_on(ar: ActionRequest) -> None:
        one.title = "first"
        with pytest.raises(ZeroDivisionError):
            ar.run(forum.CloseSeveral, [one, broken])

    doing(go_on).run_for(user=ann)
    forum.session.commit()

    assert (one.title, one.closed) == ("first", False)


@ALL
def test_a_parent_that_fails_takes_its_child_back(forum: Forum, doing: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    thread = forum.thread(ann)

    def fail_late(ar: ActionRequest) -> None:
        ar.run(forum.CloseThread, thread)
        ar.error("Too late.")

    doing(fail_late).run_for(user=ann, answers=True)
    forum.session.commit()

    assert thread.closed is False
    assert bob.unread_message_count == 0


@ALL
def test_what_a_child_asks_is_asked_on_the_parent_s_page(forum: Forum, doing: Callable[..., Any]) -> None:
    ann = forum.user("ann")
    first, second = forum.thread(ann, "first"), forum.thread(ann, "second")

    def close_both(ar: ActionRequest) -> None:
        for thread in (first, second):
            ar.run(forum.CloseThread, thread)
        ar.success("Both closed.")

    doing(close_both)
    runner = forum.site.notify.action_runner
    answers: dict[str, str] = {}
    asked: list[str] = []
    while True:
        response = runner.run(runner.spawn(runner.request(user=ann, answers=answers), "do"))
        if response.xcallback is None:
            break
        assert (first.closed, second.closed) == (False, False), "all of it is taken back"
        asked.append(response.xcallback.text)
        answers[response.xcallback.uid] = "yes"

    assert asked == ["Close “first”?", "Close “second”?"]
    assert list(answers) == [f"close_thread:{first.id}/close", f"close_thread:{second.id}/close"]
    assert response.message == "Both closed."
    assert (first.times_closed, second.times_closed) == (1, 1)


def test_a_yes_to_the_parent_is_none_to_its_child(forum: Forum, doing: Callable[..., Any]) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    def ask_likewise(ar: ActionRequest) -> None:
        ar.confirm("Begin?", uid="close")
        ar.run(forum.CloseThread, thread)

    with pytest.raises(AnswerNeeded) as needed:
        doing(ask_likewise).run_for(user=ann, answers={"close": True})

    assert needed.value.uid == f"close_thread:{thread.id}/close"


def test_texts_as_keys_cannot_make_two_questions_one(forum: Forum, doing: Callable[..., Any]) -> None:
    db = forum.site.db
    Note: Any = type("Note", (db.Model,), {"id": db.Column(db.String(40), primary_key=True)})
    db.create_all()
    asked: list[str] = []

    def run(_self: Any, ar: ActionRequest, rows: Any) -> None:  # noqa: ARG001
        ar.confirm(f"{len(asked)}?", uid="sure")

    ask = forum.site.notify.action(
        type("Ask", (Action,), {"target": Note, "select": "many", "run": run, "permitted": lambda *_: True})
    )
    forum.session.add_all(Note(id=key) for key in ("a,b", "a", "b", "a/ask:b"))
    forum.session.commit()
    for keys in (["a,b"], ["a", "b"], ["a/ask:b"]):
        with pytest.raises(AnswerNeeded) as needed:
            doing(lambda ar, keys=keys: ar.run(ask, keys)).run_for(user=None)
        asked.append(needed.value.uid)

    assert asked == ["ask:a%2Cb/sure", "ask:a,b/sure", "ask:a%2Fask%3Ab/sure"]


@ALL
def test_a_no_to_a_child_changes_nothing_at_all(forum: Forum, doing: Callable[..., Any]) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    def rename_and_close(ar: ActionRequest) -> None:
        thread.title = "Dinner"
        ar.run(forum.CloseThread, thread)

    response = doing(rename_and_close).run_for(user=ann, answers=False)
    forum.session.commit()

    assert response.info_message == "Nothing was changed."
    assert (thread.title, thread.closed) == ("Lunch", False)


@ALL
def test_a_parent_may_go_on_after_a_no_to_its_child(forum: Forum, doing: Callable[..., Any]) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    def rename_and_close(ar: ActionRequest) -> None:
        thread.title = "Dinner"
        try:
            ar.run(forum.CloseThread, thread)
        except Declined:
            ar.success("Renamed, not closed.")

    response = doing(rename_and_close).run_for(user=ann, answers=False)
    forum.session.commit()

    assert response.message == "Renamed, not closed."
    assert (thread.title, thread.closed, thread.times_closed) == ("Dinner", False, 0)


def test_what_a_child_does_not_take_is_no_form_of_the_parent_s_page(forum: Forum, doing: Callable[..., Any]) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    with pytest.raises(InvalidParameters) as invalid:
        doing(lambda ar: ar.run(forum.MoveThread, thread, {"topic": "x" * 30})).run_for(user=ann)

    assert invalid.value.form is None


def test_a_child_is_spawned_first_and_run_later(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)
    ar = forum.site.notify.action_request(user=ann)

    child = ar.spawn(("move_thread", thread), params={"topic": "Food"}, known_values={"a": 1}, permalink_uris=True)

    assert (child.action.name, child.known_values, child.permalink_uris) == ("move_thread", {"a": 1}, True)
    assert thread.topic is None
    assert child.run().message == "Moved to Food, place 1."
    assert child.selected == [thread]


def test_a_request_runs_once(forum: Forum) -> None:
    ann = forum.user("ann")
    child = forum.site.notify.action_request(user=ann).spawn((forum.MoveThread, forum.thread(ann, topic="a")))
    child.run()

    with pytest.raises(NotifyError, match="runs one action once"):
        child.run()
    with pytest.raises(NotifyError, match="runs one action once"):
        forum.site.notify.action_request().spawn().run()


def test_what_a_request_does_not_take_is_refused(forum: Forum) -> None:
    ar = forum.site.notify.action_request()

    with pytest.raises(NotifyError, match="takes known_values, master_instance, permalink_uris, renderer; got user"):
        ar.spawn("close_thread", user=forum.user("root"))
    with pytest.raises(UnknownAction):
        ar.spawn("nonsense")


def test_actions_that_run_one_another_without_an_end_are_stopped(doing: Callable[..., Any]) -> None:
    action = doing(lambda ar: ar.run("do"))

    with pytest.raises(NestedTooDeep, match="At most 10"):
        action.run_for(user=None)
