"""Discussions: opening, saying something, changing it, and who may do and see what."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from examples.microblog.extensions import db
from examples.microblog.models import Comment, Post, Thread, Topic, User
from tests.example.visitor import Visitor


@pytest.fixture
def admin(app: Flask) -> Visitor:
    """An administrator."""
    visitor = Visitor(app, "admin").register()
    with app.app_context():
        db.session.execute(sa.update(User).filter_by(username="admin").values(is_admin=True))
        db.session.commit()
    return visitor


def close(app: Flask, address: str) -> None:
    with app.app_context():
        db.session.get_one(Thread, int(address.rsplit("/", 1)[1])).closed = True
        db.session.commit()


def test_somebody_opens_a_thread_and_others_join(alice: Visitor, bob: Visitor) -> None:
    address = alice.open_thread("Who has seen my umbrella?", topic=Topic.HELP.name)

    answer = bob.send(address, body="It is on the ferry.")

    assert answer.location == f"{address}#comment-1"
    page = alice.open(address)
    assert "Who has seen my umbrella?" in page
    assert "Help wanted" in page
    assert "It is on the ferry." in page
    assert 'id="comment-1"' in page


def test_the_list_begins_with_what_is_talked_about(alice: Visitor, bob: Visitor) -> None:
    first = alice.open_thread("The first")
    alice.open_thread("The second")
    bob.send(first, body="Still here.")

    page = bob.open("/threads/")

    assert page.index("The first") < page.index("The second")
    assert "1 comment<" in page
    assert "0 comments" in page


def test_a_long_discussion_has_pages_and_each_is_read_downwards(app: Flask, alice: Visitor) -> None:
    app.config["COMMENTS_PER_PAGE"] = 2
    address = alice.open_thread("Counting")
    for word in ("one", "two", "three"):
        alice.send(address, body=f"Number {word}.")

    newest, older = alice.open(address), alice.open(f"{address}?page=2")

    assert newest.index("Number two.") < newest.index("Number three.")
    assert "Number one." not in newest
    assert "Number one." in older
    alice.open(f"{address}?page=3", 404)


@pytest.mark.parametrize(
    "fields, complaint",
    [
        ({"title": " "}, "A thread needs a title."),
        ({"body": ""}, "Please say a little more."),
        ({"title": "x" * 101}, "longer than 100"),
        ({"body": "x" * 2001}, "longer than 2000"),
        ({"topic": "WAR"}, "Invalid Choice"),
        ({"visibility": "nobody"}, "Not a valid choice"),
    ],
)
def test_a_thread_that_does_not_fit_is_explained(
    app: Flask, alice: Visitor, fields: dict[str, str], complaint: str
) -> None:
    right = {"title": "Title", "body": "Body", "topic": "TALK", "visibility": "everybody"}

    answer = alice.send("/threads/new", **{**right, **fields})

    assert answer.status_code == 422
    assert complaint in answer.text
    with app.app_context():
        assert db.session.scalar(sa.select(Thread.id)) is None


@pytest.mark.parametrize("body", ["", " \r\n", "x" * 1001])
def test_a_comment_that_does_not_fit_is_explained(app: Flask, alice: Visitor, body: str) -> None:
    address = alice.open_thread("Title")

    answer = alice.send(address, body=body)

    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    with app.app_context():
        assert db.session.scalar(sa.select(Comment.id)) is None


def test_what_people_say_is_shown_as_text(alice: Visitor) -> None:
    address = alice.open_thread("<b>Title</b>", body="<i>Opening</i>")
    alice.send(address, body="<u>Comment</u>")

    page = alice.open(address)

    for text in ("&lt;b&gt;Title", "&lt;i&gt;Opening", "&lt;u&gt;Comment"):
        assert text in page
    assert "&lt;b&gt;Title" in alice.open("/threads/")


def test_nothing_can_be_said_in_a_closed_thread_and_no_word_is_lost(app: Flask, alice: Visitor, bob: Visitor) -> None:
    address = alice.open_thread("Title")
    close(app, address)

    answer = bob.client.post(address, data={"csrf_token": bob.token("/threads/"), "body": "Too late?"})

    assert answer.status_code == 409
    assert "has just been closed" in answer.text
    assert "Too late?" in answer.text
    page = bob.open(address)
    assert "This thread is closed" in page
    assert "<textarea" not in page
    with app.app_context():
        assert db.session.scalar(sa.select(Comment.id)) is None


def test_only_its_author_or_an_administrator_changes_a_thread(alice: Visitor, bob: Visitor, admin: Visitor) -> None:
    address = alice.open_thread("Before")

    assert f"{address}/edit" not in bob.open(address)
    bob.open(f"{address}/edit", 403)
    for editor, title in ((alice, "Between"), (admin, "After")):
        assert f"{address}/edit" in editor.open(address)
        answer = editor.send(f"{address}/edit", title=title, body="Body", topic=Topic.EVENTS.name, visibility="members")
        assert answer.location == address
        assert title in alice.open(address)
    assert "Things to do" in alice.open(address)


def test_the_form_of_a_thread_shows_what_stands_in_it(alice: Visitor) -> None:
    address = alice.open_thread("Before", topic=Topic.PLACES.name, visibility="followers")

    page = alice.open(f"{address}/edit")

    assert 'value="Before"' in page
    assert '<option selected value="PLACES">' in page
    assert '<option selected value="followers">' in page


def test_who_may_read_a_thread_is_its_authors_choice(app: Flask, alice: Visitor, bob: Visitor, admin: Visitor) -> None:
    visitor, fan = Visitor(app), Visitor(app, "fan").register()
    fan.follow("alice")
    for visibility, readers, others in (
        ("everybody", (alice, bob, fan, admin, visitor), ()),
        ("members", (alice, bob, fan, admin), (visitor,)),
        ("followers", (alice, fan, admin), (bob, visitor)),
    ):
        address = alice.open_thread(f"For {visibility}", visibility=visibility)
        for reader in readers:
            assert f"For {visibility}" in reader.open(address)
            assert f"For {visibility}" in reader.open("/threads/")
        for other in others:
            other.open(address, 404)
            assert f"For {visibility}" not in other.open("/threads/")
        with app.app_context():
            threads = db.session.scalars(sa.select(Thread.id)).all()
            for reader in (alice, bob, fan, admin):
                user = User.named(reader.username)
                assert user
                assert (max(threads) in Thread.visible_to(user, threads)) is (reader in readers)


def test_visitors_without_an_account_can_read_and_are_asked_to_log_in_to_speak(app: Flask, alice: Visitor) -> None:
    address = alice.open_thread("Come in")
    visitor = Visitor(app)

    assert f"/login?next={address}" in visitor.open(address)
    assert visitor.client.get("/threads/new").location.startswith("/login")
    token = visitor.token("/login")
    assert visitor.client.post(address, data={"csrf_token": token, "body": "Me too"}).location.startswith("/login")


@pytest.mark.parametrize("path", ["/threads/new", "/threads/1", "/threads/1/edit", "/post/1/edit"])
def test_a_change_without_a_csrf_token_is_refused(alice: Visitor, path: str) -> None:
    alice.post("Mine.")
    alice.open_thread("Mine")

    answer = alice.client.post(path, data={"title": "forged", "body": "forged"})

    assert answer.status_code == 400
    assert "forged" not in alice.open("/threads/1") + alice.open("/post/1")


def test_only_its_author_or_an_administrator_changes_a_post(alice: Visitor, bob: Visitor, admin: Visitor) -> None:
    alice.post("The tide is in.")

    bob.open("/post/1/edit", 403)
    assert "/post/1/edit" not in bob.open("/post/1")
    assert "The tide is in." in alice.open("/post/1/edit")
    assert alice.send("/post/1/edit", body="The tide is out.").location == "/post/1"
    assert "The tide is out." in bob.open("/post/1")
    assert admin.send("/post/1/edit", body="The tide is neither.").status_code == 302
    assert alice.send("/post/1/edit", body="x" * 281).status_code == 422
    assert "The tide is neither." in bob.open("/post/1")


def test_a_post_that_mentions_somebody_only_now_tells_them_and_nobody_twice(app: Flask) -> None:
    author, first, second = (Visitor(app, name).register() for name in ("author", "first", "second"))
    author.post("Ask @first.")

    author.send("/post/1/edit", body="Ask @first, or @second.")

    assert [message["subject"] for message in first.messages()] == ["author mentioned you"]
    assert [message["subject"] for message in second.messages()] == ["author mentioned you"]


def test_a_long_post_is_named_by_its_first_words(app: Flask) -> None:
    with app.app_context():
        assert str(Post(body="The tide is out, and it has taken the umbrella with it.")) == (
            "“The tide is out, and it has taken the…”"
        )


def test_an_empty_list_invites_to_begin(alice: Visitor) -> None:
    assert "Nobody has anything to discuss." in alice.open("/threads/")
