"""`/send_message/<recipient>`: one user writes to another, who may want nothing from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, abort
from flask_login import UserMixin
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import String
from sqlalchemy.orm import mapped_column

from flask_notify import Notify, RecipientMixin
from tests.apps import KEYS, Site, add_login, make_db
from tests.servers import Database

from .letterbox import NAVIGATION, hidden, listed, post, post_json, token, unseen

pytestmark = pytest.mark.databases("sqlite")
every_database = pytest.mark.databases("sqlite", "postgresql", "mariadb")


@pytest.fixture
def susan(site: Site) -> Any:
    return site.add_user("susan")


@pytest.fixture
def david(site: Site) -> Any:
    return site.add_user("david")


@every_database
def test_a_message_reaches_its_recipient_with_who_wrote_it(site: Site, susan: Any, david: Any) -> None:
    client = site.client(susan)

    sent = post(client, "/send_message/david", {"body": "Hello, David!\r\nHow are you?"})

    assert (sent.status_code, sent.location) == (303, "/messages")
    assert "Your message to david was sent." in client.get("/messages").text
    (message,) = listed(site.client(david))["messages"]
    assert message["body"] == "Hello, David!\nHow are you?"
    assert (message["type"], message["sender"]) == ("private", "susan")
    assert unseen(site, susan) == set()
    with site.app.app_context():
        (mine,) = site.user(susan).messages_sent
        assert mine.recipient.name == "david"
        assert mine.author.name == "susan"


def test_the_form_says_how_long_a_message_may_be(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_PRIVATE_MESSAGE_LENGTH=30)
    client = site.client(site.add_user("susan"))
    site.add_user("david")

    page = client.get("/send_message/david").text

    assert "Message to david" in page
    assert 'maxlength="30"' in page
    assert "Up to 30 characters" in page


def test_a_message_has_1_to_140_characters(site: Site, susan: Any, david: Any) -> None:
    client = site.client(susan)

    for text in ("x", "ä" * 140, "a\r\n" * 46 + "ab"):
        assert post(client, "/send_message/david", {"body": text}).status_code == 303, text
    for text in ("x" * 141, "", "  \r\n ", "\0"):
        assert post(client, "/send_message/david", {"body": text}).status_code == 400, text
    assert len(listed(site.client(david))["messages"]) == 3


def test_what_was_written_is_kept_where_it_is_refused(site: Site, susan: Any, david: Any) -> None:  # noqa: ARG001
    page = post(site.client(susan), "/send_message/david", {"body": "<b>" + "x" * 140})

    assert "&lt;b&gt;xxx" in page.text
    assert "A message has 1 to 140 characters." in page.text


@every_database
def test_an_unknown_recipient_is_not_found(site: Site, susan: Any) -> None:
    client = site.client(susan)

    for name in ("nobody", "0", "' OR 1=1 --", "a/b", "DAVID\x00", "x" * 1000):
        assert client.get(f"/send_message/{name}").status_code == 404, name
        assert post(client, f"/send_message/{name}", {"body": "Hello"}).status_code == 404, name


def test_nobody_writes_to_themselves(site: Site, susan: Any) -> None:
    client = site.client(susan)

    refused = post_json(client, "/send_message/susan", {"body": "Hello, me"})

    assert refused.status_code == 400
    assert "cannot write to yourself" in refused.json["error"]
    assert client.get("/send_message/susan").status_code == 400
    assert listed(client)["messages"] == []


def test_a_visitor_has_to_log_in(site: Site, david: Any) -> None:  # noqa: ARG001
    visitor = site.client()

    assert visitor.get("/send_message/david").status_code == 401
    assert visitor.post("/send_message/david", data={"body": "Hello"}).status_code == 303


@pytest.mark.parametrize("protected", [False, True])
def test_a_form_without_a_good_token_sends_nothing(site: Site, susan: Any, david: Any, protected: bool) -> None:
    if protected:
        CSRFProtect(site.app).exempt("tests.apps.login")
    client = site.client(susan)

    for data in ({"body": "Hello"}, {"body": "Hello", "csrf_token": "forged"}):
        assert client.post("/send_message/david", data=data).status_code == 400
    assert listed(site.client(david))["messages"] == []
    assert post(client, "/send_message/david", {"body": "Hello"}).status_code == 303


def test_a_form_that_was_open_for_too_long_keeps_its_text(site: Site, susan: Any, david: Any) -> None:  # noqa: ARG001
    client = site.client(susan)
    data = {"body": "Hello", "csrf_token": token(client)}
    site.app.config["WTF_CSRF_TIME_LIMIT"] = -1

    page = client.post("/send_message/david", data=data)

    assert page.status_code == 400
    assert "Your text is still there" in page.text
    assert ">\r\nHello</textarea>" in page.text


def test_a_program_is_answered_in_json(site: Site, susan: Any, david: Any) -> None:  # noqa: ARG001
    client = site.client(susan)

    sent, refused = (post_json(client, "/send_message/david", {"body": body}) for body in ("Hello", ""))

    assert (sent.status_code, sent.json) == (201, {"sent": True})
    assert (refused.status_code, refused.json["error"]) == (400, "Write something first.")


def test_nobody_writes_from_an_account_that_was_not_meant(site: Site, susan: Any, david: Any) -> None:
    ann = site.add_user("ann")
    client = site.client(susan)
    (hers,) = hidden(client.get("/send_message/david").text, "notify_user")
    client.post(f"/login/{ann}")

    refused = post(client, "/send_message/david", {"body": "Hello", "notify_user": hers})

    assert refused.status_code == 409
    assert listed(site.client(david))["messages"] == []


# Replying and blocking


def test_a_private_message_can_be_answered(site: Site, susan: Any, david: Any) -> None:
    post(site.client(susan), "/send_message/david", {"body": "Hello"})
    client = site.client(david)

    page = client.get("/messages").text
    assert 'href="/send_message/susan"' in page
    assert 'href="/messages/1"' in page  # where the sender can be blocked
    assert 'formaction="/senders/susan/block"' in client.get("/messages/1").text
    assert 'href="/send_message/susan"' in client.get("/messages/1", headers=NAVIGATION).text


@every_database
def test_who_is_blocked_is_told_that_nothing_was_sent(site: Site, susan: Any, david: Any) -> None:
    assert post_json(site.client(david), "/senders/susan/block").json == {"blocked": True}
    client = site.client(susan)

    refused = post_json(client, "/send_message/david", {"body": "Hello"})

    assert refused.status_code == 403
    assert "Nothing was sent" in refused.json["error"]
    assert client.get("/send_message/david").status_code == 403
    assert listed(site.client(david))["messages"] == []


@every_database
def test_who_is_unblocked_can_write_again(site: Site, susan: Any, david: Any) -> None:
    client = site.client(david)
    for _ in range(2):
        post(client, "/senders/susan/block")
    for _ in range(2):
        freed = post(client, "/senders/susan/unblock")

    assert (freed.status_code, freed.location) == (303, "/messages")
    assert post(site.client(susan), "/send_message/david", {"body": "Hello"}).status_code == 303


def test_who_wants_no_private_messages_gets_none(site: Site, susan: Any, david: Any) -> None:
    with site.app.app_context():
        site.user(david).set_mail_mode("silent", type="private")
        site.db.session.commit()

    refused = post_json(site.client(susan), "/send_message/david", {"body": "Hello"})

    assert refused.status_code == 403
    assert listed(site.client(david))["messages"] == []


def test_only_others_can_be_blocked(site: Site, susan: Any) -> None:
    client = site.client(susan)

    assert post(client, "/senders/susan/block").status_code == 400
    assert post(client, "/senders/nobody/block").status_code == 404


# What an application decides


def test_an_application_limits_the_rate(site: Site, susan: Any, david: Any) -> None:
    asked: list[tuple[str, str]] = []

    @site.notify.before_private_message
    def limit(sender: Any, recipient: Any) -> None:
        asked.append((sender.name, recipient.name))
        if len(asked) > 1:
            abort(429)

    client = site.client(susan)
    answers = [post(client, "/send_message/david", {"body": "Hello"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 429]
    assert asked == [("susan", "david")] * 2
    assert len(listed(site.client(david))["messages"]) == 1


def test_a_form_that_is_wrong_does_not_count_for_the_rate(site: Site, susan: Any, david: Any) -> None:  # noqa: ARG001
    asked: list[Any] = []
    site.notify.before_private_message(lambda *users: asked.append(users))

    post(site.client(susan), "/send_message/david", {"body": ""})

    assert asked == []


def test_an_application_says_who_is_meant_by_a_name(site: Site, susan: Any, david: Any) -> None:
    @site.notify.find_recipient
    def find(name: str) -> Any:
        return site.user(int(name.removeprefix("user-"))) if name.startswith("user-") else None

    @site.notify.address_recipient
    def address(user: Any) -> str:
        return f"user-{user.id}"

    post(site.client(susan), f"/send_message/user-{david}", {"body": "Hello"})

    assert f'href="/send_message/user-{susan}"' in site.client(david).get("/messages").text
    assert site.client(susan).get("/send_message/david").status_code == 404


@pytest.mark.parametrize("attribute", ["username", "name"])
def test_a_user_is_found_by_username_or_else_by_name(build: Callable[..., Site], attribute: str) -> None:
    site = build(attributes={"username": mapped_column(String(64))} if attribute == "username" else {})
    client = site.client(site.add_user("susan"))
    site.add_user(**{"name": "other", attribute: "a/b c"})

    assert client.get("/send_message/a/b c").status_code == 200


@pytest.mark.parametrize("key", ["integer", "uuid", "string"])
def test_where_nobody_has_a_name_the_key_is_one(database: Database, key: str) -> None:
    site = nameless(database.url, key)
    client = site.client(add(site))
    other = add(site)

    answers = [client.get(f"/send_message/{name}") for name in (other, "david", "9" * 400, "0")]

    assert [answer.status_code for answer in answers] == [200, 404, 404, 404]
    site.close()


def nameless(url: str, key: str) -> Site:
    """Build an application whose users have nothing but a key."""
    app, db = Flask("tests.apps"), make_db("legacy")
    app.config.update(SECRET_KEY="for the tests only", SQLALCHEMY_DATABASE_URI=url, TESTING=True)
    notify = Notify(db=db)
    columns = {"__tablename__": "user", "id": db.Column(primary_key=True, **KEYS[key]())}
    User = type("User", (RecipientMixin, UserMixin, db.Model), columns)
    db.init_app(app)
    add_login(app, db, User)
    notify.init_app(app)
    site = Site(app, db, notify, User)
    site.create_tables()
    return site


def add(site: Site) -> Any:
    with site.app.app_context():
        user = site.User()
        site.db.session.add(user)
        site.db.session.commit()
        return user.id


def test_where_two_have_one_name_nobody_is_meant(build: Callable[..., Site]) -> None:
    site = build(attributes={"username": mapped_column(String(64))})
    client = site.client(site.add_user("susan", username="susan"))
    for name in ("one", "two"):
        site.add_user(name, username="twin")

    assert client.get("/send_message/twin").status_code == 404
