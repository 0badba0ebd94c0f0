"""Declaring an action: what it is called, what it must say, and what is refused (row F1)."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask_wtf import FlaskForm
from markupsafe import Markup
from sqlalchemy import Column, Integer
from wtforms import Form, StringField

from flask_notify import Action, ActionRequest, Notify
from flask_notify.errors import ConfigurationError, UnknownAction
from tests.actions.forum import Forum
from tests.apps import add_login, make_db, make_user_model

pytestmark = pytest.mark.databases("sqlite")


class Anybody(Action):
    """One for everybody."""

    def permitted(self, ar: ActionRequest, *rows: Any) -> bool:  # noqa: ARG002
        return True

    def run(self, ar: ActionRequest, *rows: Any) -> None:  # noqa: ARG002
        ar.success("Done.")


class ReadFAQAgain(Anybody):
    """One that gives no name."""


class Renamed(Anybody):
    """One that does."""

    name = "faq.read"
    label = "Read the FAQ"


class Inherited(Renamed):
    """One that inherits."""


def test_a_name_and_a_label_are_made_of_the_class() -> None:
    assert (ReadFAQAgain.name, ReadFAQAgain.label) == ("read_faqagain", "Read faqagain")
    assert (Renamed.name, Renamed.label) == ("faq.read", "Read the FAQ")


def test_one_that_inherits_has_a_name_of_its_own_and_the_label_that_was_given() -> None:
    assert (Inherited.name, Inherited.label) == ("inherited", "Read the FAQ")


def test_an_action_with_a_target_is_for_one_row_and_one_without_is_for_none(forum: Forum) -> None:
    assert forum.CloseThread.select == "one"
    assert forum.CloseSeveral.select == "many"
    assert forum.Announce.select == "none"


def test_a_target_that_is_given_by_a_subclass_counts(forum: Forum) -> None:
    class OnThread(Anybody):
        target = forum.Thread

    assert (Anybody.select, OnThread.select) == ("none", "one")


def test_the_label_may_be_a_lazy_text() -> None:
    class Lazy:
        def __str__(self) -> str:
            return "Schließen"

    class LazyAction(Anybody):
        label = Lazy()

    assert str(LazyAction.label) == "Schließen"


def test_an_action_may_be_declared_before_there_is_an_application() -> None:
    db = make_db("legacy")
    notify = Notify(db=db)
    notify.action(Anybody)
    app = Flask("tests.actions")
    app.config.update(SECRET_KEY="x", SQLALCHEMY_DATABASE_URI="sqlite://")
    User = make_user_model(db, "integer", {})
    db.init_app(app)
    add_login(app, db, User)

    notify.init_app(app)

    with app.app_context():
        assert Anybody.run_for(user=None).message == "Done."


def test_declaring_again_replaces_it(forum: Forum) -> None:
    notify = forum.site.notify

    assert notify.action(Anybody) is Anybody
    assert notify.action(Anybody) is Anybody
    assert notify.actions.find("anybody") is Anybody


def test_two_actions_of_one_name_are_refused(forum: Forum) -> None:
    class Impostor(Anybody):
        name = "close_thread"

    with pytest.raises(ConfigurationError, match="CloseThread has"):
        forum.site.notify.action(Impostor)


def test_an_unknown_action_is_refused_with_the_list_of_known_ones(forum: Forum) -> None:
    with pytest.raises(UnknownAction, match="announce, close_several, close_thread"):
        forum.site.notify.actions.find("nonsense")


def test_an_action_that_was_not_declared_does_not_run(forum: Forum) -> None:
    class Undeclared(Anybody):
        pass

    with pytest.raises(UnknownAction, match=r"Undeclared.*@notify\.action"):
        Undeclared.run_for(user=forum.user("ann"))


def test_an_action_must_say_who_may_run_it(forum: Forum) -> None:
    class Unguarded(Action):
        def run(self, ar: ActionRequest) -> None:
            ar.success()

    with pytest.raises(ConfigurationError, match=r"must have a method permitted.*def permitted\(self, ar\)"):
        forum.site.notify.action(Unguarded)


def test_an_action_must_do_something(forum: Forum) -> None:
    class Idle(Action):
        target = forum.Thread

        def permitted(self, ar: ActionRequest, row: Any) -> bool:  # noqa: ARG002
            return True

    with pytest.raises(ConfigurationError, match=r"must have a method run.*def run\(self, ar, row\)"):
        forum.site.notify.action(Idle)


def test_a_method_that_does_not_take_the_row_is_told_so(forum: Forum) -> None:
    class Forgetful(Anybody):
        target = forum.Thread

        def permitted(self, ar: ActionRequest) -> bool:  # noqa: ARG002
            return True

    with pytest.raises(ConfigurationError, match=r"def permitted\(self, ar, row\)"):
        forum.site.notify.action(Forgetful)


class TwoColumns(Form):  # type: ignore[misc]  # untyped
    """A form that wants a name which is taken."""

    row = StringField()
    answer_me = StringField()


class WithToken(FlaskForm):  # type: ignore[misc]  # untyped
    """A form with a token of its own."""


@pytest.mark.parametrize(
    "attributes,reason",
    [
        ({"name": "Close Thread"}, "a-z, 0-9"),
        ({"name": "x" * 65}, "1 to 64"),
        ({"select": "some"}, "'one', 'many' or 'none'"),
        ({"select": "one"}, "model with a key of one column"),
        ({"select": "many", "target": str}, "model with a key of one column"),
        ({"form": TwoColumns}, "must not have the fields row"),
        ({"form": WithToken}, "no FlaskForm"),
        ({"form": "form"}, r"subclass of wtforms\.Form"),
    ],
)
def test_what_does_not_fit_is_refused(forum: Forum, attributes: dict[str, Any], reason: str) -> None:
    wrong = type("Wrong", (Anybody,), attributes)

    with pytest.raises(ConfigurationError, match=reason):
        forum.site.notify.action(wrong)


def test_a_model_with_a_key_of_two_columns_is_refused(forum: Forum) -> None:
    db = forum.site.db
    Membership: Any = type(
        "Membership",
        (db.Model,),
        {"user": Column(Integer, primary_key=True), "group": Column(Integer, primary_key=True)},
    )

    with pytest.raises(ConfigurationError, match="key of one column"):
        forum.site.notify.action(type("Leave", (Anybody,), {"target": Membership}))


@pytest.mark.parametrize("wrong", [object(), Form, Markup("close_thread")])
def test_what_is_no_action_is_refused(forum: Forum, wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="subclass of Action"):
        forum.site.notify.action(wrong)
