"""Actions: what is asked before they run, what they do, and whom they tell; from code, a shell and the pages."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from examples.microblog.extensions import db, notify
from examples.microblog.models import Comment, Thread, User
from examples.microblog.threads.actions import CloseThread, DeleteComment, ReopenThread
from flask_notify.errors import ActionRefused, AnswerNeeded, RowNotFound
from tests.example.visitor import Visitor


@pytest.fixture
def admin(app: Flask) -> Visitor:
    """An administrator."""
    visitor = Visitor(app, "admin").register()
    with app.app_context():
        db.session.execute(sa.update(User).filter_by(username="admin").values(is_admin=True))
        db.session.commit()
    return visitor


@pytest.fixture
def talk(alice: Visitor, bob: Visitor) -> str:
    """The address of a thread that alice has opened, and in which bob has said something."""
    address = alice.open_thread("Who has seen my umbrella?")
    bob.send(address, body="It is on the ferry.")
    return address


def user(visitor: Visitor) -> User:
    found = User.named(visitor.username)
    assert found
    return found


def the_thread() -> Thread:
    return db.session.scalars(sa.select(Thread)).one()


def run(action: Any, target: Any, visitor: Visitor, **options: Any) -> Any:
    response = action.run_for(target, user=user(visitor), **options)
    db.session.commit()
    return response


def told(visitor: Visitor) -> list[str]:
    return [message["subject"] for message in visitor.messages(type="action")]


@pytest.mark.usefixtures("talk")
def test_closing_a_thread_asks_first_and_tells_those_who_took_part(app: Flask, alice: Visitor, bob: Visitor) -> None:
    with app.app_context():
        with pytest.raises(AnswerNeeded, match="Nothing more can be said"):
            run(CloseThread, the_thread(), alice)
        assert not the_thread().closed

        response = run(CloseThread, the_thread(), alice, answers={"close": True})

        assert the_thread().closed
        assert (response.success, response.message, response.refresh) == (True, "Closed.", True)
    [message] = bob.messages(type="action")
    assert message["subject"] == "alice has closed “Who has seen my umbrella?”"
    assert message["url"] == "/threads/1"
    assert message["sender"] == "alice"
    assert told(alice) == []


@pytest.mark.usefixtures("talk")
def test_who_says_no_changes_nothing_and_tells_nobody(app: Flask, alice: Visitor, bob: Visitor) -> None:
    with app.app_context():
        response = run(CloseThread, the_thread(), alice, answers={"close": False})

        assert not the_thread().closed
        assert not response.success
    assert told(bob) == []


@pytest.mark.usefixtures("talk")
def test_who_closes_a_thread_chooses_the_words_or_to_be_silent(app: Flask, alice: Visitor, bob: Visitor) -> None:
    said = {"subject": "Found it", "body": "On the ferry.\nThank you, bob."}
    with app.app_context():
        run(CloseThread, the_thread(), alice, answers=True, params=said)
        run(ReopenThread, the_thread(), alice)
        run(CloseThread, the_thread(), alice, answers=True, params={"silent": True})

        assert the_thread().closed
    assert told(bob) == ["Found it"]
    assert [message["body"] for message in bob.messages(type="action")] == ["On the ferry.\nThank you, bob."]


@pytest.mark.usefixtures("talk")
def test_only_its_author_or_an_administrator_closes_and_reopens(
    app: Flask, alice: Visitor, bob: Visitor, admin: Visitor
) -> None:
    with app.app_context():
        with pytest.raises(ActionRefused):
            run(CloseThread, the_thread(), bob, answers=True)
        run(CloseThread, the_thread(), admin, answers=True)
        with pytest.raises(ActionRefused):
            run(CloseThread, the_thread(), alice, answers=True)
        with pytest.raises(ActionRefused):
            run(ReopenThread, the_thread(), bob)
        run(ReopenThread, the_thread(), alice)
        with pytest.raises(ActionRefused):
            CloseThread.run_for(the_thread(), user=None, answers=True)

        assert not the_thread().closed


def test_a_thread_that_one_may_not_see_is_not_there(app: Flask, alice: Visitor, bob: Visitor) -> None:
    alice.open_thread("For followers", visibility="followers")

    with app.app_context(), pytest.raises(RowNotFound):
        run(CloseThread, the_thread(), bob, answers=True)


@pytest.mark.usefixtures("talk")
def test_people_take_back_what_they_said_and_not_what_others_did(
    app: Flask, alice: Visitor, bob: Visitor, admin: Visitor
) -> None:
    with app.app_context():
        comment = db.session.scalars(sa.select(Comment)).one()
        with pytest.raises(ActionRefused):
            run(DeleteComment, comment, alice, answers=True)

        response = run(DeleteComment, comment, bob, answers=True)

        assert response.record_deleted
        assert db.session.scalar(sa.select(Comment.id)) is None
        assert admin.username


@pytest.mark.usefixtures("talk")
def test_a_thread_is_closed_from_a_shell(app: Flask, bob: Visitor) -> None:
    shell = app.test_cli_runner()

    refused = shell.invoke(args=["threads", "close", "1", "--as", "bob", "--yes"])
    unknown = shell.invoke(args=["threads", "close", "2", "--as", "alice", "--yes"])
    nobody = shell.invoke(args=["threads", "close", "1", "--as", "nobody", "--yes"])
    declined = shell.invoke(args=["threads", "close", "1", "--as", "alice"], input="n\n")
    closed = shell.invoke(args=["threads", "close", "1", "--as", "alice", "--say", "Found it"], input="y\n")

    assert refused.output == "Error: bob may not close thread 1, or it is closed already.\n"
    assert unknown.output == "Error: There is no thread 2 that alice can see.\n"
    assert nobody.output == "Error: Nobody is called 'nobody'.\n"
    assert [result.exit_code for result in (refused, unknown, nobody, declined, closed)] == [1, 1, 1, 0, 0]
    assert "Close “Who has seen my umbrella?”? Nothing more can be said in it. [y/N]" in declined.output
    assert "Nothing was changed." in declined.output
    assert closed.output.endswith("Closed.\n")
    with app.app_context():
        assert the_thread().closed
    assert told(bob) == ["Found it"]


def test_the_actions_of_the_example_are_known_by_name() -> None:
    assert {"close_thread", "reopen_thread", "delete_comment"} <= set(notify.actions)
