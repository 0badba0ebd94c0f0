"""Actions that are run from code: on which rows, by whom, and with what (rows F1 and F5)."""

from __future__ import annotations

import uuid
from typing import Any

import flask_babel
import pytest
from sqlalchemy import String, Uuid, select
from wtforms import FieldList, Form, FormField, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired

from flask_notify import Action, ActionRequest
from flask_notify.actions.rows import MAX_ROWS
from flask_notify.errors import (
    ActionRefused,
    ConfigurationError,
    InvalidParameters,
    InvalidResponse,
    RowNotFound,
    UnknownParameter,
)
from tests.actions.forum import Forum
from tests.recording import recorded
from tests.servers import Database

SQLITE = pytest.mark.databases("sqlite")


class Free(Action):
    """One that everybody may run."""

    def permitted(self, ar: ActionRequest, *rows: Any) -> bool:  # noqa: ARG002
        return True

    def run(self, ar: ActionRequest, *rows: Any) -> None:
        ar.set_response(count=len(rows))


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


def test_an_action_runs_on_several_in_the_order_given_each_once(forum: Forum) -> None:
    ann = forum.user("ann")
    first, second, third = [forum.thread(ann, title) for title in "abc"]

    response = forum.CloseSeveral.run_for([third, first.id, str(third.id), second], user=ann)

    assert response.message == "3 closed: c, a, b"


@SQLITE
def test_an_action_runs_on_a_query_s_objects(forum: Forum) -> None:
    ann = forum.user("ann")
    forum.thread(ann, "a")

    response = forum.CloseSeveral.run_for(forum.session.scalars(select(forum.Thread)), user=ann)

    assert response.message == "1 closed: a"


@SQLITE
def test_an_action_without_rows_runs_on_none(forum: Forum) -> None:
    root = forum.user("root")

    assert forum.Announce.run_for(user=root, params={"topic": "Hello"}).success is True


@SQLITE
def test_an_object_that_was_only_added_is_stored_first(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.Thread(author_id=ann.id, title="New")
    forum.session.add(thread)

    forum.CloseThread.run_for(thread, user=ann, answers=True)

    assert thread.closed is True


@SQLITE
def test_an_action_that_says_nothing_has_succeeded(forum: Forum) -> None:
    forum.site.notify.action(Free)

    assert Free.run_for(user=None).to_json() == {"success": True, "count": 0}


@SQLITE
def test_an_action_that_returns_something_is_told_how_to_answer(forum: Forum) -> None:
    class Returning(Free):
        def run(self, ar: ActionRequest, *rows: Any) -> Any:  # noqa: ARG002
            return "/threads"

    forum.site.notify.action(Returning)

    with pytest.raises(InvalidResponse, match=r"Returning\.run\(\) must return nothing, got '/threads'"):
        Returning.run_for(user=None)


# Who may

PERMISSIONS = [
    # who asks, the author, closed, hidden: what comes of it
    ("ann", "ann", False, False, True),
    ("ann", "ann", False, True, True),
    ("ann", "ann", True, False, ActionRefused),
    ("bob", "ann", False, False, ActionRefused),
    ("bob", "ann", False, True, RowNotFound),
    (None, "ann", False, False, ActionRefused),
    (None, "ann", False, True, RowNotFound),
]


@SQLITE
@pytest.mark.parametrize("name,author,closed,hidden,expected", PERMISSIONS)
def test_who_may_run_it_is_asked_of_each_row(
    forum: Forum, name: str | None, author: str, closed: bool, hidden: bool, expected: Any
) -> None:
    user = None if name is None else forum.user(name)
    thread = forum.thread(forum.user(author), closed=closed, hidden=hidden)

    if expected is True:
        assert forum.CloseThread.run_for(thread, user=user, answers=True).success is True
    else:
        with pytest.raises(expected):
            forum.CloseThread.run_for(thread, user=user, answers=True)
        assert thread.times_closed == 0


def test_permission_is_asked_for_every_row_before_any_runs(forum: Forum) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    hers, his = forum.thread(ann, "hers"), forum.thread(bob, "his")

    with pytest.raises(ActionRefused):
        forum.CloseSeveral.run_for([hers, his], user=ann)

    assert hers.closed is False


@pytest.mark.parametrize("key", [-1, 0, 10**6, 2**70, "x", "", "1.5", "1\0", "\ud800", "9" * 40, None, 1.5j])
def test_a_key_that_is_none_is_not_found(forum: Forum, key: Any) -> None:
    ann = forum.user("ann")

    with pytest.raises(RowNotFound):
        forum.CloseThread.run_for([key], user=ann, answers=True)


def test_one_row_that_may_not_be_seen_is_enough_to_refuse_all(forum: Forum) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    hers, hidden = forum.thread(ann, "hers"), forum.thread(bob, "hidden", hidden=True)

    with pytest.raises(RowNotFound, match=f"did not get {hidden.id}"):
        forum.CloseSeveral.run_for([hers, hidden], user=ann)

    assert hers.closed is False


def test_rows_are_loaded_through_the_action_s_own_query(forum: Forum) -> None:
    class Reopen(Free):
        target = forum.Thread

        def get_query(self, ar: ActionRequest) -> Any:  # noqa: ARG002
            return select(forum.Thread).where(forum.Thread.closed).order_by(forum.Thread.title)

    forum.site.notify.action(Reopen)
    ann = forum.user("ann")
    open_one, closed = forum.thread(ann), forum.thread(ann, closed=True)

    assert Reopen.run_for(closed, user=ann).success is True
    with pytest.raises(RowNotFound):
        Reopen.run_for(open_one, user=ann)


@SQLITE
def test_a_query_of_its_own_does_not_show_what_the_model_hides(forum: Forum) -> None:
    class Peek(Free):
        target = forum.Thread

        def get_query(self, ar: ActionRequest) -> Any:  # noqa: ARG002
            return select(forum.Thread)

    forum.site.notify.action(Peek)
    hidden = forum.thread(forum.user("ann"), hidden=True)

    with pytest.raises(RowNotFound):
        Peek.run_for(hidden, user=forum.user("bob"))


@SQLITE
@pytest.mark.parametrize("action,rows", [("CloseThread", 0), ("CloseThread", 2), ("Announce", 1)])
def test_a_number_of_rows_that_does_not_fit_is_not_found(forum: Forum, action: str, rows: int) -> None:
    root = forum.user("root")
    threads = [forum.thread(root) for _ in range(rows)]

    with pytest.raises(RowNotFound):
        forum.actions[action].run_for(threads or None, user=root, answers=True)


@SQLITE
def test_selecting_nothing_is_told_to_the_user(forum: Forum) -> None:
    with pytest.raises(InvalidParameters) as invalid:
        forum.CloseSeveral.run_for([], user=forum.user("ann"))

    assert invalid.value.errors == {"row": ["Select at least one."]}


@SQLITE
def test_there_is_a_limit_of_rows(forum: Forum) -> None:
    with pytest.raises(RowNotFound, match=f"1 to {MAX_ROWS}"):
        forum.CloseSeveral.run_for(range(MAX_ROWS + 1), user=forum.user("ann"))


@SQLITE
def test_an_object_of_another_model_is_not_found(forum: Forum) -> None:
    ann = forum.user("ann")

    with pytest.raises(RowNotFound, match="must be a Thread"):
        forum.CloseThread.run_for(ann, user=ann)


@SQLITE
def test_an_object_that_was_not_added_is_not_found(forum: Forum) -> None:
    with pytest.raises(RowNotFound, match="Add it before"):
        forum.CloseThread.run_for(forum.Thread(title="x"), user=forum.user("ann"))


@pytest.mark.parametrize("kind,key,wrong", [(Uuid(), uuid.uuid4(), "no-uuid"), (String(40), "a b", "\0")])
def test_keys_may_be_uuids_and_texts(forum: Forum, kind: Any, key: Any, wrong: str) -> None:
    db = forum.site.db
    Note: Any = type("Note", (db.Model,), {"id": db.Column(kind, primary_key=True)})
    db.create_all()
    OnNote: Any = forum.site.notify.action(type("OnNote", (Free,), {"target": Note}))
    forum.session.add(Note(id=key))
    forum.session.commit()

    assert OnNote.run_for([str(key)], user=None).success is True
    for nobody in (wrong, str(uuid.uuid4())):
        with pytest.raises(RowNotFound):
            OnNote.run_for([nobody], user=None)


def test_selecting_many_takes_few_statements(forum: Forum, database: Database) -> None:
    ann = forum.user("ann")
    threads = [forum.Thread(author_id=ann.id, title="x") for _ in range(400)]
    forum.session.add_all(threads)
    forum.session.commit()
    action: Any = forum.site.notify.action(type("Look", (Free,), {"target": forum.Thread, "select": "many"}))
    ids = list(forum.session.scalars(select(forum.Thread.id)))
    forum.session.rollback()

    with recorded(database, forum.site) as statements:
        action.run_for(ids, user=None)
        forum.session.rollback()

    assert len([one for one in statements if one.lstrip().upper().startswith("SELECT")]) <= 3


# With what


@SQLITE
def test_parameters_are_what_the_form_makes_of_them(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    response = forum.MoveThread.run_for(thread, user=ann, params={"topic": " Food ", "place": 3})

    assert response.message == "Moved to Food, place 3."


@SQLITE
def test_parameters_that_are_not_given_are_as_the_dialog_begins(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann, topic="Drinks")

    class Move(forum.MoveThread):  # type: ignore[misc,name-defined]  # made by the fixture
        form = type("Optional", (Form,), {"topic": StringField(), "place": IntegerField(default=7)})

    forum.site.notify.action(Move)

    assert Move.run_for(thread, user=ann).message == "Moved to Drinks, place 7."


@SQLITE
def test_parameters_that_the_form_does_not_take_are_told(forum: Forum) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann, topic="Drinks")

    with pytest.raises(InvalidParameters, match="move_thread") as invalid:
        forum.MoveThread.run_for(thread, user=ann, params={"topic": "x" * 21, "place": "far"})

    assert set(invalid.value.errors) == {"topic", "place"}
    assert invalid.value.errors["topic"] == ["Field cannot be longer than 20 characters."]
    assert invalid.value.form is not None
    assert thread.topic == "Drinks"


@SQLITE
@pytest.mark.parametrize("topic", ["", None])
def test_a_parameter_that_is_required_must_be_given(forum: Forum, topic: Any) -> None:
    ann = forum.user("ann")

    with pytest.raises(InvalidParameters) as invalid:
        forum.MoveThread.run_for(forum.thread(ann), user=ann, params={"topic": topic})

    assert invalid.value.errors == {"topic": ["Name a topic."]}


@SQLITE
def test_unknown_parameters_are_refused_with_the_list_of_known_ones(forum: Forum) -> None:
    ann = forum.user("ann")

    with pytest.raises(UnknownParameter, match="takes place, topic; got author, closed"):
        forum.MoveThread.run_for(forum.thread(ann), user=ann, params={"topic": "x", "author": 1, "closed": True})


@SQLITE
def test_an_action_without_a_form_takes_no_parameters(forum: Forum) -> None:
    ann = forum.user("ann")

    with pytest.raises(UnknownParameter, match="takes no parameters; got force"):
        forum.DeleteThread.run_for(forum.thread(ann), user=ann, params={"force": True})


class Part(Form):  # type: ignore[misc]  # untyped
    """A form within a form."""

    street = StringField("Street", [InputRequired("Which street?")])


class Whole(Form):  # type: ignore[misc]  # untyped
    """A form with choices and parts."""

    size = SelectField(choices=["s", "l"])
    home = FormField(Part)
    tags = FieldList(StringField())


@SQLITE
def test_choices_and_parts_are_values_of_their_fields(forum: Forum) -> None:
    class Shape(Free):
        form = Whole

        def run(self, ar: ActionRequest, *rows: Any) -> None:  # noqa: ARG002
            ar.set_response(data_record=ar.params)

    forum.site.notify.action(Shape)
    given = {"size": "l", "tags": ["a", "b"], "home": {"street": "Long"}}

    assert Shape.run_for(user=None, params=given).data_record == given
    with pytest.raises(InvalidParameters, match="size"):
        Shape.run_for(user=None, params={**given, "size": "xl"})
    with pytest.raises(UnknownParameter, match="home-street"):
        Shape.run_for(user=None, params={**given, "home-street": "Short"})


@SQLITE
@pytest.mark.parametrize("answer", ["maybe", 1, None, "YES"])
def test_an_answer_is_yes_or_no(forum: Forum, answer: Any) -> None:
    ann = forum.user("ann")

    with pytest.raises(UnknownParameter, match="True, False, 'yes' or 'no'"):
        forum.CloseThread.run_for(forum.thread(ann), user=ann, answers={"close": answer})


@SQLITE
def test_errors_of_a_form_are_told_in_the_user_s_language(forum: Forum) -> None:
    flask_babel.Babel(forum.site.app, locale_selector=lambda: "de")
    ann = forum.user("ann")
    thread = forum.thread(ann)

    with pytest.raises(InvalidParameters) as invalid:
        forum.MoveThread.run_for(thread, user=ann, params={"topic": "x" * 21})

    assert invalid.value.errors == {"topic": ["Feld kann nicht länger als 20 Zeichen sein."]}


@SQLITE
def test_a_query_for_something_else_is_told_so(forum: Forum) -> None:
    class Wrong(Free):
        target = forum.Thread

        def get_query(self, ar: ActionRequest) -> Any:  # noqa: ARG002
            return select(forum.Thread.title)

    forum.site.notify.action(Wrong)
    thread = forum.thread(forum.user("ann"))

    with pytest.raises(ConfigurationError, match=r"Wrong\.get_query\(\) must return a select\(\) of Thread"):
        Wrong.run_for(thread, user=None)


@SQLITE
def test_an_action_that_fails_without_a_word_is_told_to_the_user_all_the_same(forum: Forum) -> None:
    class Silent(Free):
        def run(self, ar: ActionRequest, *rows: Any) -> None:  # noqa: ARG002
            ar.error()

    forum.site.notify.action(Silent)

    assert Silent.run_for(user=None).message == "This did not work. Nothing was changed."
