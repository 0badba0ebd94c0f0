"""Actions: what is asked before they run, what they do, and whom they tell; from code, a shell and the pages."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from examples.microblog.extensions import db, notify
from examples.microblog.models import Comment, Post, Thread, User
from examples.microblog.threads.actions import CloseThread, DeleteComment, ReopenThread
from flask_notify.actions.renderers import TextRenderer
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


def test_a_shell_shows_the_threads_as_a_table(app: Flask, alice: Visitor, bob: Visitor) -> None:
    alice.open_thread("For followers", visibility="followers")
    bob.open_thread("Tea", topic="PLACES")

    public = app.test_cli_runner().invoke(args=["threads", "list"])
    hers = app.test_cli_runner().invoke(args=["threads", "list", "--as", "alice"])

    assert public.output == dedent("""\
        ==== ======= ======== ============= ========
         ID   Title   Author   Topic         Closed
        ---- ------- -------- ------------- --------
          2   Tea     bob      Around town   No
        ==== ======= ======== ============= ========
        """)
    assert "For followers" in hers.output


@pytest.mark.usefixtures("talk")
def test_one_request_in_a_test_runs_actions_and_shows_what_became_of_it(
    app: Flask, alice: Visitor, bob: Visitor
) -> None:
    with app.app_context():
        ar = notify.action_request(user=user(alice), renderer=TextRenderer())
        ar.set_confirm_answer(True)
        thread = the_thread()
        before = str(ar.action_button(CloseThread, thread)), str(ar.action_button(ReopenThread, thread))

        said = ar.run(CloseThread, thread, {"subject": "Found it"}).message

        assert said == "Closed."
        assert before == ("[Close thread]", "(Reopen thread)")
        assert str(ar.action_button(CloseThread, thread)) == "(Close thread)"
        assert ar.show(sa.select(Thread), "title closed") == dedent("""\
            =========================== ========
             Title                       Closed
            --------------------------- --------
             Who has seen my umbrella?   Yes
            =========================== ========
            """)
        db.session.commit()
    assert told(bob) == ["Found it"]


def test_looking_at_what_is_unseen_marks_nothing(alice: Visitor, bob: Visitor) -> None:
    bob.write_to("alice", "Is the kettle on?")
    before = alice.unread

    page = alice.visit("/unseen").text

    assert "Is the kettle on?" in page
    assert alice.unread == before == 2


def test_those_that_are_ticked_are_marked_as_seen_at_once(alice: Visitor, bob: Visitor) -> None:
    for number in range(4):
        bob.write_to("alice", f"Number {number}")
    keys = {message["body"]: message["id"] for message in alice.messages()}

    answer = alice.do("mark_seen", "/unseen", row=[keys["Number 1"], keys["Number 3"]])

    assert answer.location == "/unseen"
    page = alice.open("/unseen")
    assert "2 marked as seen." in page
    assert [f"Number {number}" in page for number in range(4)] == [True, False, True, False]
    assert alice.unread == 3


def test_nobody_marks_the_messages_of_others(alice: Visitor, bob: Visitor) -> None:
    bob.write_to("alice", "Is the kettle on?")
    alice.write_to("bob", "It is.")
    [mine], [yours] = bob.messages(), alice.messages()

    answer = bob.do("mark_seen", "/unseen", row=[mine["id"], yours["id"]])

    assert answer.status_code == 404
    assert [message["seen"] for message in bob.messages() + alice.messages()] == [False, False]


def test_who_ticks_nothing_is_told_to(alice: Visitor) -> None:
    answer = alice.do("mark_seen", "/unseen")

    assert answer.location == "/unseen"
    assert "Select at least one." in alice.open("/unseen")


def test_the_page_of_what_is_unseen_says_when_there_is_nothing(alice: Visitor) -> None:
    alice.visit("/messages/1", 302)

    assert "You have seen everything." in alice.open("/unseen")


@pytest.mark.usefixtures("app")
def test_what_one_may_no_longer_read_is_not_told_by_the_page_of_what_is_unseen(alice: Visitor, bob: Visitor) -> None:
    alice.post("Secret, @bob.")
    with bob.client.application.app_context():
        db.session.execute(sa.update(Post).values(is_hidden=True))
        db.session.commit()

    page = bob.open("/unseen")

    assert "no longer available" in page
    assert "Secret" not in page


def test_a_thread_is_closed_and_reopened_from_its_page(talk: str, alice: Visitor, bob: Visitor) -> None:
    assert "/actions/close_thread" in alice.open(talk)
    assert "/actions/close_thread" not in bob.open(talk)
    dialog = alice.open(f"/actions/close_thread?row=1&next={talk}")
    said = {"row": "1", "subject": "Found it", "body": "On the ferry.", "next": talk}
    assert 'value="alice has closed “Who has seen my umbrella?”"' in dialog

    question = alice.send(talk, "/actions/close_thread", **said)
    closed = alice.send(talk, "/actions/close_thread", **said, **{"answer-close": "yes"})

    assert "Nothing more can be said in it." in question.text
    assert 'value="On the ferry."' in question.text or ">On the ferry.<" in question.text
    assert closed.location == talk
    page = alice.open(talk)
    assert "Closed." in page
    assert "/actions/reopen_thread" in page
    assert told(bob) == ["Found it"]
    assert alice.do("reopen_thread", talk, row="1").location == talk
    assert "/actions/close_thread" in alice.open(talk)


def test_a_comment_is_taken_back_from_the_page(talk: str, alice: Visitor, bob: Visitor) -> None:
    assert "/actions/delete_comment" in bob.open(talk)
    assert "/actions/delete_comment" not in alice.open(talk)

    assert bob.do("delete_comment", talk, row="1", **{"answer-delete": "yes"}).location == talk

    assert "It is on the ferry." not in bob.open(talk)


def test_an_action_that_breaks_says_by_which_reference_and_nothing_else(
    talk: str, alice: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("the secret of the thread")

    monkeypatch.setattr(DeleteComment, "permitted", broken)

    answer = alice.do("delete_comment", talk, row="1")

    assert answer.status_code == 500
    assert "Reference" in answer.text
    assert "secret" not in answer.text


def test_the_actions_of_the_example_are_known_by_name() -> None:
    names = {"announce", "close_thread", "delete_comment", "mark_seen", "reopen_thread"}
    assert names <= set(notify.actions)
