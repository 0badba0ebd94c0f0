"""The numbers beside the navigation are right when many people act at once, on every database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from examples.microblog import following
from examples.microblog.extensions import db
from examples.microblog.models import Comment, Thread, User
from examples.microblog.threads.actions import CloseThread
from tests.example.visitor import Visitor
from tests.servers import Database

pytestmark = [pytest.mark.slow, pytest.mark.databases("sqlite-wal", "postgresql", "mariadb")]

CROWD = 6


@pytest.fixture
def app(make_app: Callable[..., Flask], database: Database) -> Flask:
    """The application on each kind of database in turn."""
    return make_app(SQLALCHEMY_DATABASE_URI=database.url)


@pytest.fixture
def crowd(app: Flask) -> list[Visitor]:
    """People who have an account each."""
    return [Visitor(app, f"person{number}").register() for number in range(CROWD)]


def let_follow(app: Flask, readers: list[Visitor], authors: list[Visitor]) -> None:
    """Let all of some people read all of others: what was there before everybody acts at once."""
    with app.test_request_context():
        for reader in readers:
            for author in authors:
                # Nobody follows themselves.
                following.follow(user_of(reader), user_of(author))
            db.session.commit()


def user_of(person: Visitor) -> User:
    """Return the account of somebody, in the current session."""
    user = User.named(person.username)
    assert user
    return user


def all_at_once(crowd: list[Visitor], act: Callable[[Visitor], TestResponse]) -> None:
    """Let everybody act in a thread of their own, none before all are ready; all must succeed."""
    together = Barrier(len(crowd))

    def wait_and_act(person: Visitor) -> int:
        together.wait()
        return act(person).status_code

    with ThreadPoolExecutor(len(crowd)) as pool:
        assert set(pool.map(wait_and_act, crowd)) <= {200, 302, 303}


def test_all_who_follow_are_counted(app: Flask, crowd: list[Visitor]) -> None:
    alice = Visitor(app, "alice").register()

    all_at_once(crowd, lambda fan: fan.follow("alice"))

    assert alice.live("new_followers") == CROWD


def test_all_who_post_are_counted(app: Flask, crowd: list[Visitor]) -> None:
    reader = Visitor(app, "reader").register()
    let_follow(app, [reader], crowd)

    all_at_once(crowd, lambda author: author.post("All at once."))

    assert reader.live("new_posts") == CROWD


def test_people_who_read_one_another_can_all_post(app: Flask, crowd: list[Visitor]) -> None:
    let_follow(app, crowd, crowd)
    before = [person.live("new_posts") for person in crowd]

    all_at_once(crowd, lambda author: author.post("All at once."))

    assert before == [0] * CROWD
    for person in crowd:
        # Whose feed was opened in between has seen some of them, and wrote one of them.
        assert 0 <= person.live("new_posts") <= CROWD - 1
        assert person.open("/").count("All at once.") == CROWD
        assert person.live("new_posts") == 0


def test_of_posting_and_looking_at_once_the_last_count_is_right(app: Flask, crowd: list[Visitor]) -> None:
    reader = Visitor(app, "reader").register()
    let_follow(app, [reader], crowd)

    all_at_once([*crowd, reader], lambda person: person.client.get("/") if person is reader else person.post("Now."))
    unseen = reader.live("new_posts")

    assert reader.badge("new_posts") == str(unseen)
    crowd[0].post("Later.")
    assert reader.live("new_posts") == unseen + 1


def test_all_who_follow_at_once_are_one_message_that_counts_them(app: Flask, crowd: list[Visitor]) -> None:
    alice = Visitor(app, "alice").register()

    all_at_once(crowd, lambda fan: fan.follow("alice"))

    [message] = alice.messages()
    assert message["count"] == CROWD
    assert alice.unread == 2  # it, and the welcome


def test_all_who_write_to_one_person_at_once_are_counted(app: Flask, crowd: list[Visitor]) -> None:
    alice = Visitor(app, "alice").register()

    all_at_once(crowd, lambda friend: friend.write_to("alice", "All at once."))

    assert len(alice.messages()) == CROWD
    assert alice.unread == CROWD + 1


def test_all_who_comment_are_heard(crowd: list[Visitor]) -> None:
    address = crowd[0].open_thread("All at once")

    all_at_once(crowd, lambda person: person.send(address, body=f"I am {person.username}."))

    page = crowd[0].open(address)
    assert all(f"I am {person.username}." in page for person in crowd)


def test_nothing_is_said_after_a_thread_was_closed(app: Flask, crowd: list[Visitor]) -> None:
    address = crowd[0].open_thread("About to be closed")
    together = Barrier(len(crowd) + 1)

    def comment(person: Visitor) -> int:
        fields = {"csrf_token": person.token(address), "body": "Just in time?"}
        together.wait()
        return person.client.post(address, data=fields).status_code

    def close() -> int:
        with app.app_context():
            author, thread = User.named(crowd[0].username), db.session.scalars(sa.select(Thread)).one()
            together.wait()
            CloseThread.run_for(thread, user=author, answers=True)
            db.session.commit()
            return db.session.scalar(sa.select(sa.func.count()).select_from(Comment)) or 0

    with ThreadPoolExecutor(len(crowd) + 1) as pool:
        closed = pool.submit(close)
        answers = list(pool.map(comment, crowd))

    with app.app_context():
        assert db.session.scalars(sa.select(Thread)).one().closed
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Comment)) == closed.result()
    assert answers.count(302) == closed.result()
    assert answers.count(409) == len(crowd) - closed.result()
