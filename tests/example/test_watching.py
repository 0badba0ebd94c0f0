"""Watching posts and threads: who is told of what, and by which words."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from examples.microblog.extensions import db
from examples.microblog.models import Comment, Post, Thread, Topic, User
from examples.microblog.threads import talk
from tests.example.visitor import Visitor


@pytest.fixture
def thread(alice: Visitor) -> str:
    """The address of a thread that alice has opened."""
    return alice.open_thread("Who has seen my umbrella?", body="It is red.\nIt was on the ferry.")


def edit(editor: Visitor, thread: str, **values: str) -> None:
    body = "It is red.\nIt was on the ferry."
    right = {"title": "Who has seen my umbrella?", "body": body, "topic": "TALK", "visibility": "everybody"}
    assert editor.send(f"{thread}/edit", **{**right, **values}).status_code == 302


def changes(reader: Visitor) -> list[dict[str, Any]]:
    return reader.messages(type="change")


def watch(reader: Visitor, page: str, how: str = "watch") -> None:
    """Do as the button does."""
    model: Any = Post if page.startswith("/post/") else Thread
    with reader.client.application.app_context():
        getattr(db.session.get_one(model, int(page.rsplit("/", 1)[1])), how)(User.named(reader.username))
        db.session.commit()


def test_who_watches_a_post_is_told_what_it_said_before_and_what_it_says_now(alice: Visitor, bob: Visitor) -> None:
    alice.post("The tide is in.")
    watch(bob, "/post/1")

    alice.send("/post/1/edit", body="The tide is out.")

    [message] = changes(bob)
    assert message["subject"] == "alice modified “The tide is out.”"
    assert "The tide is in. → The tide is out." in message["body"]
    assert message["url"] == "/post/1"
    assert changes(alice) == []


def test_a_summary_has_labels_for_topics_and_choices_and_counts_lines_of_long_texts(
    alice: Visitor, bob: Visitor, thread: str
) -> None:
    watch(bob, thread)

    edit(alice, thread, topic=Topic.HELP.name, visibility="members", body="It is red.\nIt was on the bus.\nPlease ask.")

    [message] = changes(bob)
    assert "Topic: Small talk → Help wanted" in message["body"]
    assert "Who may read it: Everybody → People with an account" in message["body"]
    assert re.search(r"Opening: .*line", message["body"])
    assert "on the bus" not in message["body"]


def test_what_changed_and_was_changed_back_is_not_told(app: Flask, alice: Visitor, bob: Visitor, thread: str) -> None:
    watch(bob, thread)

    with app.app_context():
        found = db.session.scalars(sa.select(Thread)).one()
        found.title = "Something else"
        db.session.flush()
        found.title = "Who has seen my umbrella?"
        db.session.commit()
    edit(alice, thread)

    assert changes(bob) == []


def test_several_changes_are_one_message_until_it_is_seen(alice: Visitor, bob: Visitor, thread: str) -> None:
    watch(bob, thread)
    unread = bob.unread

    for title in ("One", "Two", "Three"):
        edit(alice, thread, title=title)

    [message] = changes(bob)
    assert message["count"] == 3
    assert bob.unread == unread + 1
    bob.visit(thread)
    edit(alice, thread, title="Four")
    assert len(changes(bob)) == 2


def test_who_opens_a_thread_and_who_comments_hears_of_further_comments(
    app: Flask, alice: Visitor, bob: Visitor, thread: str
) -> None:
    carol = Visitor(app, "carol").register()

    bob.send(thread, body="It is on the ferry.")
    carol.send(thread, body="<b>No.</b>")

    [message] = changes(alice)
    assert message["count"] == 2
    assert "carol in “Who has seen my umbrella?”:" in message["body"]
    assert "<b>No.</b>" in message["body"]
    assert message["url"] == "/threads/1#comment-2"
    assert [message["subject"] for message in changes(bob)] == ["carol commented on “Who has seen my umbrella?”"]
    assert changes(carol) == []


def test_a_comment_that_is_taken_back_is_not_told_of(app: Flask, alice: Visitor, bob: Visitor, thread: str) -> None:
    bob.send(thread, body="It is on the ferry.")
    before = changes(alice)

    with app.app_context():
        db.session.delete(db.session.scalars(sa.select(Comment)).one())
        db.session.commit()

    assert changes(alice) == before


def test_who_has_had_enough_stops_watching_by_a_button(alice: Visitor, bob: Visitor, thread: str) -> None:
    bob.send(thread, body="It is on the ferry.")

    watch(bob, thread, "unwatch")
    alice.send(thread, body="Which ferry?")

    assert changes(bob) == []


def test_who_has_muted_a_thread_can_comment_and_still_hears_nothing_of_it(
    alice: Visitor, bob: Visitor, thread: str
) -> None:
    watch(bob, thread, "mute")

    bob.send(thread, body="My last word.")
    alice.send(thread, body="Which is?")

    assert changes(bob) == []


def test_closing_is_told_in_the_words_of_who_closes_it_and_reopening_as_a_change(
    alice: Visitor, bob: Visitor, thread: str
) -> None:
    bob.send(thread, body="It is on the ferry.")

    alice.do("close_thread", thread, row="1", subject="Found it", **{"answer-close": "yes"})
    closed = changes(bob)
    alice.do("reopen_thread", thread, row="1")

    assert closed == []
    assert [message["subject"] for message in bob.messages(type="action")] == ["Found it"]
    [message] = changes(bob)
    assert "Closed: yes → no" in message["body"]


def test_who_may_no_longer_read_a_thread_is_told_nothing_of_it(alice: Visitor, bob: Visitor, thread: str) -> None:
    watch(bob, thread)

    edit(alice, thread, title="For my followers", visibility="followers")

    assert all("followers" not in str(message) for message in changes(bob))
    assert "For my followers" not in bob.open("/messages")


def test_the_deletion_of_a_post_is_told_and_the_message_survives_it(alice: Visitor, bob: Visitor) -> None:
    alice.post("The tide is in.")
    watch(bob, "/post/1")

    alice.send("/", "/post/1/delete")

    [message] = changes(bob)
    assert message["subject"] == "alice deleted “The tide is in.”"
    assert message["url"] is None
    bob.open(f"/messages/{message['id']}")


def test_a_change_from_a_shell_is_told_as_one_from_a_page(app: Flask, alice: Visitor, bob: Visitor) -> None:
    alice.post("The tide is in.")
    watch(bob, "/post/1")

    with app.app_context():
        db.session.get_one(Post, 1).body = "The tide is out."
        db.session.commit()

    [message] = changes(bob)
    assert message["sender"] is None
    assert "The tide is in. → The tide is out." in message["body"]


def test_the_button_says_how_it_is_and_changes_it(app: Flask, alice: Visitor, bob: Visitor, thread: str) -> None:
    alice.post("Mine.")
    for page, kind in (("/post/1", "Post"), (thread, "Thread")):
        about = {"target_type": kind, "target_id": "1", "next": page}
        assert 'aria-pressed="true"' in alice.open(page)
        assert 'aria-pressed="false"' in bob.open(page)
        assert "/watches" not in Visitor(app).open(page)

        assert bob.send(page, "/watches", **about).location == page
        watching = bob.open(page)
        assert bob.send(page, "/watches/remove", **about).location == page

        assert 'aria-pressed="true"' in watching
        assert 'aria-pressed="false"' in bob.open(page)


def test_nobody_watches_what_they_may_not_read(alice: Visitor, bob: Visitor) -> None:
    alice.open_thread("For followers", visibility="followers")

    answer = bob.send("/threads/new", "/watches", target_type="Thread", target_id="1")

    assert answer.status_code == 404


@pytest.mark.usefixtures("thread", "bob")
def test_who_writes_watches(app: Flask, alice: Visitor) -> None:
    alice.post("Mine.")

    with app.app_context():
        author, other = User.named("alice"), User.named("bob")
        for watched in (db.session.get_one(Post, 1), db.session.get_one(Thread, 1)):
            assert watched.is_watched_by(author)
            assert not watched.is_watched_by(other)


@pytest.mark.usefixtures("thread")
def test_a_discussion_of_many_costs_few_messages_each(app: Flask, alice: Visitor) -> None:
    with app.app_context():
        people = [User(username=f"p{i}", email=f"p{i}@example.org", password_hash="") for i in range(20)]
        db.session.add_all(people)
        db.session.flush()
        found = db.session.scalars(sa.select(Thread)).one()
        for person in people:
            talk.comment(person, found, f"I am {person.username}.")
        db.session.commit()

    [message] = changes(alice)
    assert message["count"] >= 1
    assert alice.unread == 2
