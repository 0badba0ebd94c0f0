"""Actions that tell others: what the dialog begins with, who is told, and by whom (row F6)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from markupsafe import Markup
from sqlalchemy import select
from werkzeug.datastructures import MultiDict
from wtforms import Form, StringField

from flask_notify import ActionRequest, MessageType, NotifyingAction
from flask_notify.actions.notifying import NotifyingForm
from flask_notify.errors import ConfigurationError, InvalidParameters
from tests.actions.forum import Forum

pytestmark = pytest.mark.databases("sqlite")
ALL = pytest.mark.databases("sqlite", "postgresql", "mariadb")


def messages_of(forum: Forum, user: Any) -> list[Any]:
    Message = forum.site.notify.Message
    return list(forum.session.scalars(select(Message).where(Message.recipient_id == user.id).order_by(Message.id)))


@pytest.fixture
def notifying(forum: Forum) -> Callable[..., Any]:
    """Declare a notifying action on a thread that everybody may run, and that tells everybody."""

    def declare(**attributes: Any) -> Any:
        class Tell(NotifyingAction):
            target = forum.Thread
            notes: list[Any] = []  # noqa: RUF012  # of the test alone

            def permitted(self, ar: ActionRequest, row: Any) -> bool:  # noqa: ARG002
                return True

            def run(self, ar: ActionRequest, row: Any) -> None:  # noqa: ARG002
                ar.success("Done.")

            def get_notify_recipients(self, ar: ActionRequest, row: Any) -> Any:  # noqa: ARG002
                return forum.session.scalars(select(forum.site.User))

            def emit_system_note(self, ar: ActionRequest, row: Any, subject: str, body: str) -> None:  # noqa: ARG002
                self.notes.append((row, subject, body))

        return forum.site.notify.action(type("Tell", (Tell,), attributes))

    return declare


@ALL
def test_others_are_told_when_it_has_succeeded(forum: Forum) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    thread = forum.thread(ann)

    forum.CloseThread.run_for(thread, user=ann, answers=True)
    forum.session.commit()

    (message,) = messages_of(forum, bob)
    assert (message.type, message.subject, message.body) == ("action", "Close thread: Lunch", None)
    assert (message.sender_id, message.target_type, message.target_id) == (ann.id, "Thread", str(thread.id))
    assert message.url == f"/threads/{thread.id}"


@ALL
def test_the_one_who_does_it_is_not_told(forum: Forum) -> None:
    ann = forum.user("ann")

    forum.CloseThread.run_for(forum.thread(ann), user=ann, answers=True)
    forum.session.commit()

    assert messages_of(forum, ann) == []


def test_the_one_who_does_it_is_told_if_they_want_to_be(forum: Forum) -> None:
    ann = forum.user("ann")
    ann.set_notify_preferences(notify_myself=True)
    forum.session.commit()

    forum.CloseThread.run_for(forum.thread(ann), user=ann, answers=True)
    forum.session.commit()

    assert [message.subject for message in messages_of(forum, ann)] == ["Close thread: Lunch"]


def test_nobody_is_told_twice(forum: Forum, notifying: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    action = notifying(get_notify_recipients=lambda *_: [bob, (bob, "never"), None, bob])

    action.run_for(forum.thread(ann), user=ann)
    forum.session.commit()

    assert len(messages_of(forum, bob)) == 1


def test_the_dialog_begins_with_what_would_be_told(forum: Forum, notifying: Callable[..., Any]) -> None:
    ann = forum.user("ann")
    action = notifying(
        get_notify_subject=lambda self, ar, row: f"{ar.user.name} has\n read {row}",  # noqa: ARG005
        get_notify_body=lambda self, ar, row: Markup("<p>One &amp; <b>two</b></p>"),  # noqa: ARG005
    )
    runner = forum.site.notify.action_runner

    dialog = runner.open(runner.spawn(runner.request(user=ann), (action, forum.thread(ann))))

    assert dialog.form is not None
    assert dialog.form.data == {"subject": "ann has read Lunch", "body": "One & two", "silent": False}
    assert [field.label.text for field in dialog.form] == ["Subject", "Description", "Don’t notify others"]


def test_others_are_told_what_the_dialog_says(forum: Forum) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    params = {"subject": "It is <b>over</b>", "body": "Go home.\r\nAll."}

    forum.CloseThread.run_for(forum.thread(ann), user=ann, answers=True, params=params)
    forum.session.commit()

    (message,) = messages_of(forum, bob)
    assert (message.subject, message.body, message.rich) == ("It is <b>over</b>", "Go home.\nAll.", False)


def test_nobody_is_told_if_the_user_wants_that(forum: Forum, notifying: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    action = notifying()
    thread = forum.thread(ann)

    action.run_for(thread, user=ann, params={"subject": "Psst", "silent": True})
    forum.session.commit()

    assert messages_of(forum, bob) == []
    assert action.notes == [(thread, "Psst", "")], "a note is kept all the same"


def test_a_page_s_form_says_by_a_missing_checkbox_that_others_are_told(forum: Forum) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    runner = forum.site.notify.action_runner
    params = MultiDict({"subject": "Over", "body": ""})
    request = runner.request(user=ann, answers={"close": "yes"})

    runner.run(runner.spawn(request, ("close_thread", [str(forum.thread(ann).id)]), params=params))
    forum.session.commit()

    assert [message.subject for message in messages_of(forum, bob)] == ["Over"]


def test_none_as_the_subject_suppresses(forum: Forum, notifying: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    action = notifying(get_notify_subject=lambda *_: None)

    action.run_for(forum.thread(ann), user=ann)
    forum.session.commit()

    assert messages_of(forum, bob) == []


@pytest.mark.parametrize("subject", ["", " ", "x" * 201])
def test_a_subject_has_1_to_200_characters(forum: Forum, subject: str) -> None:
    ann = forum.user("ann")
    thread = forum.thread(ann)

    with pytest.raises(InvalidParameters) as invalid:
        forum.CloseThread.run_for(thread, user=ann, answers=True, params={"subject": subject})

    assert list(invalid.value.errors) == ["subject"]
    assert thread.closed is False


def test_a_long_subject_is_shortened_before_it_is_offered(forum: Forum, notifying: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    action = notifying(get_notify_subject=lambda *_: "x" * 300)

    action.run_for(forum.thread(ann), user=ann)
    forum.session.commit()

    assert len(messages_of(forum, bob)[0].subject) == 200


def test_by_default_nobody_is_told(forum: Forum, notifying: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    action = notifying(get_notify_recipients=NotifyingAction.get_notify_recipients)

    action.run_for(forum.thread(ann), user=ann)
    forum.session.commit()

    assert messages_of(forum, bob) == []


@pytest.mark.parametrize("owner", ["none", "author"])
def test_the_message_is_about_its_owner(forum: Forum, notifying: Callable[..., Any], owner: str) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    action = notifying(get_notify_owner=lambda *_: ann if owner == "author" else None)

    action.run_for(forum.thread(ann), user=ann)
    forum.session.commit()

    (message,) = messages_of(forum, bob)
    assert (message.target_type, message.url) == (("User", None) if owner == "author" else (None, None))


@pytest.mark.parametrize("how", ["fails", "raises"])
def test_nobody_is_told_what_did_not_happen(forum: Forum, notifying: Callable[..., Any], how: str) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")

    def run(_self: Any, ar: ActionRequest, _row: Any) -> None:
        if how == "raises":
            raise LookupError
        ar.error("No.")

    action = notifying(run=run)
    with suppress(LookupError):
        action.run_for(forum.thread(ann), user=ann)
    forum.session.commit()

    assert messages_of(forum, bob) == []
    assert action.notes == []


@ALL
def test_an_action_on_several_rows_tells_of_each(forum: Forum, notifying: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    threads = [forum.thread(ann, title) for title in "ab"]
    action = notifying(select="many")

    action.run_for(threads, user=ann)
    forum.session.commit()

    told = [(message.subject, message.target_id) for message in messages_of(forum, bob)]
    assert told == [("Tell", str(thread.id)) for thread in threads]


def test_an_action_without_rows_tells_of_none(forum: Forum, notifying: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    action = notifying(target=None, select="none", permitted=lambda *_: True, run=lambda *_: None)

    action.run_for(user=ann, params={"subject": "Hello"})
    forum.session.commit()

    assert [(message.subject, message.target_type) for message in messages_of(forum, bob)] == [("Hello", None)]


@ALL
def test_many_are_told_by_the_fan_out(forum: Forum, notifying: Callable[..., Any]) -> None:
    forum.site.app.extensions["notify"].settings.inline_recipients = 1
    ann, bob = forum.user("ann"), forum.user("bob")
    forum.user("cem")
    action = notifying(get_notify_recipients=lambda *_: select(forum.site.User.id))
    thread = forum.thread(ann)

    action.run_for(thread, user=ann)
    forum.session.commit()

    (message,) = messages_of(forum, bob)
    assert (message.subject, message.url) == ("Tell: Lunch", f"/threads/{thread.id}")
    assert messages_of(forum, ann) == []


def test_it_may_have_a_type_and_a_form_of_its_own(forum: Forum, notifying: Callable[..., Any]) -> None:
    class Closed(MessageType):
        label = "Closed threads"
        headline: str
        text: str | None = None

        def subject(self, recipient: Any) -> str:
            return f"{recipient.name}: {self.headline}"

    class Form(NotifyingForm):
        reason = StringField("Reason")

    forum.site.notify.message_type(Closed)
    ann, bob = forum.user("ann"), forum.user("bob")
    action = notifying(notify_type=Closed, form=Form)

    action.run_for(forum.thread(ann), user=ann, params={"reason": "late"})
    forum.session.commit()

    assert [(message.type, message.subject) for message in messages_of(forum, bob)] == [("closed", "bob: Tell: Lunch")]


def test_recipients_can_mask_the_type(forum: Forum) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    bob.set_mail_mode("silent", type="action")
    forum.session.commit()

    forum.CloseThread.run_for(forum.thread(ann), user=ann, answers=True)
    forum.session.commit()

    assert messages_of(forum, bob) == []


def test_a_note_that_cannot_be_kept_takes_all_back(forum: Forum, notifying: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    action = notifying(emit_system_note=lambda self, ar, *_: ar.error("No room for a note."))  # noqa: ARG005

    response = action.run_for(forum.thread(ann), user=ann)
    forum.session.commit()

    assert (response.failed, response.message) == (True, "No room for a note.")
    assert messages_of(forum, bob) == []


# Working as another user (row B3)


@pytest.fixture(params=["argument", "block"])
def acting(request: pytest.FixtureRequest, forum: Forum) -> Callable[..., Any]:
    """Run an action as another user, in either of the two ways."""

    def run(action: Any, row: Any, user: Any, other: Any) -> Any:
        if request.param == "argument":
            return action.run_for(row, user=user, acting_as=other, answers=True)
        with forum.site.notify.acting_as(other):
            return action.run_for(row, user=user, answers=True)

    return run


def test_the_permission_of_the_one_acted_as_counts(forum: Forum, acting: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")

    assert acting(forum.CloseThread, forum.thread(ann), bob, ann).success is True


def test_who_acts_as_another_is_told_and_the_other_is_not(forum: Forum, acting: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")

    acting(forum.CloseThread, forum.thread(ann), bob, ann)
    forum.session.commit()

    assert messages_of(forum, ann) == []
    (message,) = messages_of(forum, bob)
    assert message.sender_id == ann.id


def test_the_request_knows_both(forum: Forum, notifying: Callable[..., Any], acting: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    seen: list[Any] = []
    action = notifying(run=lambda self, ar, row: seen.append((ar.user, ar.real_user, ar.acting_as)))  # noqa: ARG005

    acting(action, forum.thread(ann), bob, ann)

    assert seen == [(ann, bob, ann)]


def test_what_an_action_sends_by_itself_has_its_user_as_the_doer(forum: Forum, notifying: Callable[..., Any]) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")

    def run(_self: Any, ar: ActionRequest, _row: Any) -> None:
        ar.runner.notify.send("By itself", to=[ann, bob])

    action = notifying(run=run, get_notify_recipients=lambda *_: ())
    action.run_for(forum.thread(ann), user=ann)
    forum.session.commit()

    assert [len(messages_of(forum, user)) for user in (ann, bob)] == [0, 1]


@ALL
def test_what_cannot_be_seen_is_left_out_of_what_others_are_told(forum: Forum) -> None:
    ann, bob = forum.user("ann"), forum.user("bob")
    params = {"subject": "O\0ver\x07 ", "body": "a\0\n\tb"}

    forum.CloseThread.run_for(forum.thread(ann), user=ann, answers=True, params=params)
    forum.session.commit()

    assert [(message.subject, message.body) for message in messages_of(forum, bob)] == [("Over", "a\n\tb")]


def test_a_form_that_does_not_ask_what_is_told_is_refused(notifying: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"form must be a subclass of NotifyingForm"):
        notifying(form=type("Other", (Form,), {}))
