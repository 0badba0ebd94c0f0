"""What people are told: private messages, mentions, followers, and what everybody should know."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from flask import Flask

from examples.microblog import mentions
from examples.microblog.extensions import db
from examples.microblog.manners import PER_MINUTE
from examples.microblog.models import Post, User
from tests.example.visitor import Visitor


@pytest.fixture
def admin(app: Flask) -> Visitor:
    """An administrator."""
    visitor = Visitor(app, "admin").register()
    with app.app_context():
        db.session.execute(sa.update(User).filter_by(username="admin").values(is_admin=True))
        db.session.commit()
    return visitor


def newest_post(app: Flask) -> int:
    with app.app_context():
        return db.session.scalars(sa.select(sa.func.max(Post.id))).one()


def test_a_private_message_is_written_from_the_profile_and_answered_from_the_inbox(
    alice: Visitor, bob: Visitor
) -> None:
    before = alice.unread
    assert 'href="/send_message/alice"' in bob.open("/user/alice")

    bob.write_to("alice", "Is the kettle on?")

    assert alice.unread == before + 1
    assert alice.badge("unread_message_count") == str(before + 1)
    page = alice.open("/messages")
    assert "Is the kettle on?" in page
    assert 'href="/send_message/bob"' in page
    alice.write_to("bob", "It is.")
    assert "It is." in bob.open("/messages")


def test_a_new_message_stands_on_the_home_page_until_it_is_seen(alice: Visitor, bob: Visitor) -> None:
    bob.write_to("alice", "Is the kettle on?")

    assert "Is the kettle on?" in alice.open("/")
    [message] = alice.messages()
    alice.send("/messages", f"/messages/{message['id']}/seen")
    assert "Is the kettle on?" not in alice.open("/")


def test_the_inbox_stands_within_the_pages_of_the_microblog(alice: Visitor, admin: Visitor) -> None:
    page = alice.open("/messages")

    assert "· Microblog</title>" in page
    assert 'href="/preferences"' in page
    assert 'href="/announce"' not in page
    assert 'href="/announce"' in admin.open("/messages")


def test_nobody_writes_to_themselves(alice: Visitor) -> None:
    assert 'href="/send_message/alice"' not in alice.open("/user/alice")
    assert "you cannot write to yourself" in alice.open("/send_message/alice", 400)


def test_who_is_blocked_is_refused_and_the_page_says_so(alice: Visitor, bob: Visitor) -> None:
    alice.send("/messages", "/senders/bob/block")

    assert "does not take private messages from you" in bob.open("/send_message/alice", 403)


def test_who_writes_faster_than_people_do_is_asked_to_wait(alice: Visitor, bob: Visitor) -> None:
    for number in range(PER_MINUTE):
        assert bob.write_to("alice", f"Number {number}").status_code == 303

    answer = bob.write_to("alice", "One too many")

    assert answer.status_code == 429
    assert "wait for a minute" in answer.text
    assert len(alice.messages()) == PER_MINUTE


def test_a_newcomer_is_welcomed_in_rich_text(alice: Visitor) -> None:
    page = alice.open("/messages")

    assert re.search(r'<li><a href="/profile"[^>]*>who you are</a>|<li>Tell others <a href="/profile"', page)
    assert "<strong>alice</strong>" in page
    assert alice.unread == 1


@pytest.mark.parametrize(
    "text, found",
    [
        ("@bob", {"bob"}),
        ("Good morning, @Bob.", {"bob"}),
        ("(@bob, @carol-ann: @dan.)", {"bob", "carol-ann", "dan"}),
        ("@bob @bob @BOB", {"bob"}),
        ("write to me@example.org", set()),
        ("@@bob", set()),
        ("@bob@example.org", set()),
        ("@", set()),
        ("@é", set()),
    ],
)
def test_a_name_with_an_at_sign_is_a_mention(text: str, found: set[str]) -> None:
    assert mentions.names(text) == found


def test_who_is_mentioned_is_told_and_led_to_the_post(app: Flask, alice: Visitor, bob: Visitor) -> None:
    bob.post("Ask @alice, or @Alice, or @nobody <b>.")

    [message] = alice.messages()
    assert message["subject"] == "bob mentioned you"
    assert message["body"] == "Ask @alice, or @Alice, or @nobody <b>."
    assert message["url"] == f"/post/{newest_post(app)}"
    assert 'Ask <a href="/user/alice">@alice</a>' in alice.open(message["url"])
    assert "&lt;b&gt;" in alice.open(message["url"])


def test_who_mentions_themselves_is_not_told(alice: Visitor) -> None:
    alice.post("I, @alice, was here.")

    assert alice.messages() == []


def test_going_to_the_post_is_seeing_the_mention_but_fetching_it_is_not(
    app: Flask, alice: Visitor, bob: Visitor
) -> None:
    bob.post("Ask @alice.")
    unread = alice.unread

    alice.open(f"/post/{newest_post(app)}")
    fetched = alice.unread
    alice.visit(f"/post/{newest_post(app)}")

    assert fetched == unread
    assert alice.unread == unread - 1


def test_a_link_of_a_mail_leads_to_the_post_and_marks_the_message_seen(
    app: Flask, alice: Visitor, bob: Visitor
) -> None:
    bob.post("Ask @alice.")
    [message] = alice.messages()

    answer = alice.visit(f"/messages/{message['id']}", 302)

    assert answer.location == f"/post/{newest_post(app)}"
    assert [message["seen"] for message in alice.messages()] == [True]


def test_the_message_about_a_deleted_post_stays_and_leads_nowhere(app: Flask, alice: Visitor, bob: Visitor) -> None:
    bob.post("Ask @alice.")

    bob.send("/", f"/post/{newest_post(app)}/delete")

    [message] = alice.messages()
    assert message["body"] == "Ask @alice."
    assert message["url"] is None
    assert "Ask" not in alice.open("/explore")


def test_only_the_author_deletes_a_post(app: Flask, alice: Visitor, bob: Visitor, admin: Visitor) -> None:
    bob.post("Mine.")

    for other in (alice, admin):
        assert other.send("/", f"/post/{newest_post(app)}/delete").status_code == 403

    assert "Mine." in alice.open("/explore")


def test_a_post_that_is_taken_off_the_pages_leaks_through_no_message(
    app: Flask, alice: Visitor, bob: Visitor, admin: Visitor
) -> None:
    alice.follow("bob")
    bob.post("Ask @alice about the secret.")
    number = newest_post(app)

    admin.send("/", f"/post/{number}/hide")

    [message] = alice.messages()
    assert "secret" not in str(message)
    assert "bob" not in str(message)
    assert message["url"] is None
    for path in ("/", "/explore", "/user/bob", "/messages"):
        assert "secret" not in alice.open(path)
    alice.open(f"/post/{number}", 404)
    assert alice.live("new_posts") == 0


def test_the_author_of_a_post_that_is_taken_off_is_told_and_still_sees_it(
    app: Flask, alice: Visitor, bob: Visitor, admin: Visitor
) -> None:
    bob.post("Questionable.")
    number = newest_post(app)

    admin.send("/", f"/post/{number}/hide")

    [message] = bob.messages()
    assert message["subject"] == "One of your posts was taken off"
    assert "Taken off the pages" in bob.open(message["url"])
    admin.send("/", f"/post/{number}/show")
    assert "Questionable." in alice.open(f"/post/{number}")


def test_only_an_administrator_takes_posts_off(app: Flask, alice: Visitor, bob: Visitor) -> None:
    bob.post("Mine.")

    assert alice.send("/", f"/post/{newest_post(app)}/hide").status_code == 403


def test_many_new_followers_are_one_message(app: Flask, alice: Visitor) -> None:
    for name in ("bob", "carol", "dave"):
        Visitor(app, name).register().follow("alice")

    [message] = alice.messages()
    assert message["subject"] == "dave follows you"
    assert message["count"] == 3
    assert "and 2 more" in alice.open("/messages")


def test_going_to_ones_followers_is_seeing_the_message_about_them(alice: Visitor, bob: Visitor) -> None:
    bob.follow("alice")

    alice.visit("/user/alice/followers")

    assert [message["seen"] for message in alice.messages()] == [True]


def test_an_announcement_reaches_everybody_but_the_one_who_makes_it(
    alice: Visitor, bob: Visitor, admin: Visitor
) -> None:
    answer = admin.do("announce", "/announce", headline="New <colours>", text="We have\npainted & dried.")

    assert answer.location == "/announce"
    assert "On its way to 2 people." in admin.open("/announce")
    for person in (alice, bob):
        [message] = person.messages()
        assert (message["subject"], message["body"]) == ("New <colours>", "New <colours>\n\nWe have\npainted & dried.")
    assert admin.messages() == []
    assert alice.live("maintenance") is None


def test_maintenance_shows_on_every_page_and_cannot_be_switched_off(alice: Visitor, admin: Visitor) -> None:
    admin.do("announce", "/announce", headline="Back at ten.", text="The database moves.", is_maintenance="y")

    assert alice.live("maintenance") == "Back at ten."
    assert re.search(
        r'class="banner"[^>]*>\s*<span[^>]*data-notify-text="maintenance"[^>]*>Back at ten\.<', alice.open("/explore")
    )
    assert "Always mailed at once" in alice.open("/preferences")


@pytest.mark.parametrize("path", ["/announce", "/actions/announce", "/messages/all"])
def test_what_is_for_administrators_is_there_for_nobody_else(path: str, alice: Visitor, admin: Visitor) -> None:
    assert alice.client.get(path).status_code in (403, 404)
    admin.open(path)


def test_only_an_administrator_announces_something(alice: Visitor, bob: Visitor, admin: Visitor) -> None:
    answer = bob.do("announce", "/threads/new", headline="Free beer", text="At bob’s.")

    assert answer.status_code == 403
    assert alice.messages() == admin.messages() == []


def test_an_administrator_sees_who_was_told_what(alice: Visitor, bob: Visitor, admin: Visitor) -> None:
    bob.follow("alice")

    page = admin.open("/messages/all?recipient=alice")

    assert "bob follows you" in page
    assert alice.username in page


def test_an_announcement_without_words_is_handed_back(admin: Visitor) -> None:
    answer = admin.do("announce", "/announce", headline="", text="Something.")

    assert answer.status_code == 422
    assert "needs a headline" in answer.text
