"""Register, log in, log out; who is here, and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from flask import Flask

from examples.microblog.extensions import db
from examples.microblog.models import User
from tests.example.visitor import Visitor


def last_seen(app: Flask, username: str) -> datetime:
    with app.app_context():
        user = User.named(username)
        assert user
        return user.last_seen


def be_away(app: Flask, username: str) -> datetime:
    an_hour_ago = datetime.now(timezone.utc) - timedelta(hours=1)
    with app.app_context():
        db.session.execute(sa.update(User).filter_by(username=username).values(last_seen=an_hour_ago))
        db.session.commit()
    return an_hour_ago


def test_somebody_new_registers_and_is_in(app: Flask) -> None:
    visitor = Visitor(app, "alice").register()

    assert "Welcome, alice" in visitor.open("/explore")
    assert "Log out" in visitor.open("/")


def test_an_account_is_found_again_in_another_browser(app: Flask, alice: Visitor) -> None:
    elsewhere = Visitor(app, "Alice")

    answer = elsewhere.log_in()

    assert answer.location == "/"
    assert f"/user/{alice.username}" in elsewhere.open("/")


def test_a_wrong_password_and_an_unknown_name_are_refused_alike(app: Flask, alice: Visitor) -> None:
    wrong = Visitor(app, alice.username).log_in("guess")
    unknown = Visitor(app, "nobody").log_in("guess")

    assert wrong.status_code == unknown.status_code == 422
    assert "username or the password is wrong" in wrong.text
    assert "username or the password is wrong" in unknown.text


def test_remember_me_outlives_the_session(app: Flask, alice: Visitor) -> None:
    elsewhere = Visitor(app, alice.username)
    elsewhere.log_in(remember_me="y")

    elsewhere.client.delete_cookie("session")

    assert "Log out" in elsewhere.open("/")


@pytest.mark.parametrize(
    "fields, complaint",
    [
        ({"username": "alice"}, "This name is taken"),
        ({"username": "<script>"}, "Letters, digits"),
        ({"username": "al"}, "between 3 and 32"),
        ({"email": "alice@example.org"}, "an account with this address"),
        ({"email": "nowhere"}, "not an e-mail address"),
        ({"password": "short", "repeated": "short"}, "between 8 and 256"),
        ({"repeated": "something else"}, "two passwords differ"),
    ],
)
def test_a_registration_that_does_not_fit_is_explained(
    app: Flask, alice: Visitor, fields: dict[str, str], complaint: str
) -> None:
    right = {"username": "carol", "email": "carol@example.org", "password": "long enough", "repeated": "long enough"}

    answer = Visitor(app).send("/register", **{**right, **fields})

    assert alice.username
    assert answer.status_code == 422
    assert complaint in answer.text


def test_after_logging_in_one_gets_where_one_wanted_to_go(app: Flask, alice: Visitor) -> None:
    visitor = Visitor(app, alice.username)
    asked = visitor.client.get("/exports/")

    answer = visitor.log_in(page=asked.location)

    assert answer.location == "/exports/"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"])
def test_logging_in_never_leads_to_another_site(app: Flask, alice: Visitor, target: str) -> None:
    answer = Visitor(app, alice.username).log_in(page=f"/login?next={target}")

    assert answer.location == "/"


def test_logging_out_takes_a_button_not_a_link(alice: Visitor) -> None:
    assert alice.client.get("/logout").status_code == 405
    assert "Log out" in alice.open("/")

    alice.send("/", "/logout")

    assert alice.client.get("/").location.startswith("/login")


@pytest.mark.parametrize("path", ["/", "/logout", "/profile", "/user/bob/follow", "/user/bob/unfollow", "/exports/"])
def test_a_post_without_a_csrf_token_is_refused(alice: Visitor, bob: Visitor, path: str) -> None:
    answer = alice.client.post(path, data={"body": "forged", "about_me": "forged"})

    assert answer.status_code == 400
    assert "grown old" in answer.text
    assert "forged" not in bob.open("/user/alice")


def test_opening_a_page_is_being_here(app: Flask, alice: Visitor) -> None:
    away = be_away(app, "alice")

    alice.open("/explore")

    assert last_seen(app, "alice") - away > timedelta(minutes=59)


def test_polling_is_not_being_here(app: Flask, alice: Visitor) -> None:
    away = be_away(app, "alice")

    alice.poll()

    assert last_seen(app, "alice") == away


def test_what_one_says_about_oneself_is_shown_as_text(alice: Visitor, bob: Visitor) -> None:
    alice.send("/profile", about_me="I <b>count</b> sheep.")

    assert "I &lt;b&gt;count&lt;/b&gt; sheep." in bob.open("/user/alice")


def test_too_much_about_oneself_is_refused(alice: Visitor) -> None:
    answer = alice.send("/profile", about_me="x" * 161)

    assert answer.status_code == 422
    assert "longer than 160" in answer.text
