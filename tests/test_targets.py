"""A target that was deleted or hidden neither breaks what is shown nor leaks (row B11)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from markupsafe import Markup
from sqlalchemy import Integer, event, select
from sqlalchemy.orm import joinedload

from flask_notify.messages.targets import Shown, show
from tests.apps import Site
from tests.notes import add_message, add_models, messages_of

SECRET = {"subject": "Secret plan", "body": "Secret words", "url": "/secret", "data": {"secret": 1}}
GONE = "This is no longer available."


@contextmanager
def statements(site: Site) -> Iterator[list[str]]:
    """Collect the statements that the application's engine executes."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(site.db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(site.db.engine, "before_cursor_execute", note)


def shown(site: Site, recipient: Any) -> list[Shown]:
    """Return what a user sees."""
    with site.app.app_context():
        return show(site.notify.models, site.user(recipient), messages_of(site, recipient))


def only(site: Site, recipient: Any) -> Shown:
    """Return the one message that a user sees."""
    (message,) = shown(site, recipient)
    return message


@pytest.fixture
def blog(build: Callable[..., Site]) -> tuple[Site, dict[str, Any]]:
    """An application with three models to tell of."""
    site = build()
    return site, add_models(site)


def add(site: Site, thing: Any) -> str:
    """Store an object, and return its key as a message has it."""
    with site.app.app_context():
        site.db.session.add(thing)
        site.db.session.commit()
        return str(thing.id)


def test_a_message_is_shown_with_its_sender_and_its_target(blog: tuple[Site, dict[str, Any]]) -> None:
    site, models = blog
    ann, bob = site.add_user("ann"), site.add_user("bob")
    key = add(site, models["Post"](title="Tea"))
    add_message(site, ann, sender_id=bob, target_type="Post", target_id=key, **SECRET)

    message = only(site, ann)

    assert (message.subject, message.body_text, message.url) == ("Secret plan", "Secret words", "/secret")
    assert (message.sender.name, message.target.title, message.data) == ("bob", "Tea", {"secret": 1})
    assert message.author is message.sender
    assert message.available


def test_a_target_is_found_by_every_kind_of_key(blog: tuple[Site, dict[str, Any]]) -> None:
    site, models = blog
    ann = site.add_user("ann")
    for name, key in (("Post", 7), ("Room", uuid.UUID(int=7)), ("Page", "seven")):
        add_message(site, ann, target_type=name, target_id=add(site, models[name](id=key, title=f"A {name}")))

    assert [message.target.title for message in shown(site, ann)] == ["A Post", "A Room", "A Page"]


@pytest.mark.databases("sqlite")
def test_what_the_recipient_may_no_longer_see_does_not_leak(blog: tuple[Site, dict[str, Any]]) -> None:
    site, models = blog
    ann, bob = site.add_user("ann"), site.add_user("bob")
    models["Post"].visible_to = classmethod(lambda _cls, _recipient, _ids: set())
    key = add(site, models["Post"](title="Secret title"))
    add_message(site, ann, sender_id=bob, target_type="Post", target_id=key, **SECRET)

    message = only(site, ann)

    assert (message.subject, message.summary, message.available) == (GONE, GONE, False)
    assert (message.body_text, message.body_html, message.url, message.data) == (None,) * 4
    assert (message.sender, message.target) == (None, None)
    assert "ecret" not in repr(message)


def test_each_sees_what_is_theirs_and_the_model_is_asked_once_for_all(blog: tuple[Site, dict[str, Any]]) -> None:
    site, models = blog
    ann, bob = site.add_user("ann"), site.add_user("bob")
    asked = []

    def visible_to(cls: Any, recipient: Any, ids: set[int]) -> list[int]:
        asked.append((recipient.name, ids))
        return site.db.session.scalars(select(cls.id).where(cls.id.in_(ids), cls.owner == recipient.name)).all()  # type: ignore[return-value]

    models["Post"].visible_to = classmethod(visible_to)
    keys = [add(site, models["Post"](owner=owner)) for owner in ("ann", "bob")]
    for recipient in (ann, bob):
        for key in keys:
            add_message(site, recipient, target_type="Post", target_id=key, subject=f"Post {key}")

    assert [message.subject for message in shown(site, ann)] == [f"Post {keys[0]}", GONE]
    assert [message.subject for message in shown(site, bob)] == [GONE, f"Post {keys[1]}"]
    assert asked == [("ann", {1, 2}), ("bob", {1, 2})]


@pytest.mark.databases("sqlite")
def test_a_page_of_ones_own_shows_ones_own_messages_and_tells_nothing_that_is_hidden(
    blog: tuple[Site, dict[str, Any]],
) -> None:
    site, models = blog
    ann, bob = site.add_user("ann"), site.add_user("bob")
    models["Post"].visible_to = classmethod(lambda _cls, _recipient, _ids: set())
    add_message(site, ann, target_type="Post", target_id=add(site, models["Post"](title="Secret title")), **SECRET)
    add_message(site, ann, subject="For Ann")
    add_message(site, bob, subject="For Bob")

    with site.app.app_context():
        user = site.user(ann)
        messages = [*messages_of(site, ann), *messages_of(site, bob)]
        assert [message.subject for message in user.show_messages(reversed(messages))] == ["For Ann", GONE]


def test_what_was_deleted_keeps_its_text_and_loses_its_link(blog: tuple[Site, dict[str, Any]]) -> None:
    site, models = blog
    ann = site.add_user("ann")
    models["Post"].visible_to = classmethod(lambda _cls, _recipient, _ids: set())
    add_message(site, ann, target_type="Post", target_id="1", **SECRET)

    message = only(site, ann)

    assert (message.subject, message.body_text, message.url) == ("Secret plan", "Secret words", None)
    assert message.available


def test_a_target_that_nothing_is_found_for_counts_as_deleted(blog: tuple[Site, dict[str, Any]]) -> None:
    site, _models = blog
    ann = site.add_user("ann")
    targets = [
        ("Gone", "1"),
        ("Object", "1"),
        ("NotifyInbox", "x"),
        ("Post", "one"),
        ("Post", ""),
        ("Post", None),
        ("Post", "9" * 30),
        ("Room", "7"),
        ("Page", "straße"),
    ]
    for name, key in targets:
        add_message(site, ann, target_type=name, target_id=key, url="/post/1")

    found = shown(site, ann)

    assert [(message.subject, message.url, message.target) for message in found] == [("News", None, None)] * len(
        targets
    )


@pytest.mark.databases("sqlite")
def test_a_model_whose_name_two_have_is_not_guessed(blog: tuple[Site, dict[str, Any]]) -> None:
    site, models = blog
    ann = site.add_user("ann")
    body = {"__tablename__": "other", "__module__": "elsewhere", "id": site.db.Column(Integer, primary_key=True)}
    other = type("Post", (site.db.Model,), body)
    add_message(site, ann, target_type="Post", target_id=add(site, models["Post"]()))

    assert other is not models["Post"]
    assert only(site, ann).target is None


def test_a_hundred_messages_of_three_kinds_of_target_are_four_statements(blog: tuple[Site, dict[str, Any]]) -> None:
    site, models = blog
    ann, others = site.add_user("ann"), [site.add_user() for _ in range(10)]
    kinds: dict[str, Callable[[int], Any]] = {"Post": int, "Room": lambda number: uuid.UUID(int=number), "Page": str}
    with site.app.app_context():
        for number in range(100):
            name, key = list(kinds.items())[number % 3]
            site.db.session.add(models[name](id=key(number + 1), title=f"Title {number}"))
        site.db.session.commit()
    for number in range(100):
        name, key = list(kinds.items())[number % 3]
        about = {"target_type": name, "target_id": str(key(number + 1))}
        add_message(site, ann, sender_id=others[number % 10], **about)
    Message: Any = site.notify.models.Message

    with site.app.app_context():
        recipient = site.user(ann)
        with statements(site) as seen:
            wanted = select(Message).where(Message.recipient_id == ann).options(joinedload(Message.sender))
            messages = show(site.notify.models, recipient, site.db.session.scalars(wanted).all())
            told = [(message.target.title, message.sender.id) for message in messages]

    assert len(seen) <= 4
    assert sorted(told) == sorted((f"Title {number}", others[number % 10]) for number in range(100))


def test_senders_are_read_in_one_statement_where_they_are_not_loaded(site: Site) -> None:
    ann, others = site.add_user("ann"), [site.add_user() for _ in range(10)]
    for other in [*others, None]:
        add_message(site, ann, sender_id=other)

    with site.app.app_context():
        recipient, messages = site.user(ann), messages_of(site, ann)
        with statements(site) as seen:
            found = [message.sender for message in show(site.notify.models, recipient, messages)]
            assert [message.sender for message in messages] == found

    assert len(seen) == 1
    assert [sender and sender.id for sender in found] == [*others, None]


@pytest.mark.databases("sqlite")
def test_senders_whom_the_session_has_are_not_read_again(site: Site) -> None:
    ann, bob = site.add_user("ann"), site.add_user("bob")
    for sender in (ann, bob):
        add_message(site, ann, sender_id=sender)

    with site.app.app_context():
        recipient, other, messages = site.user(ann), site.user(bob), messages_of(site, ann)
        with statements(site) as seen:
            assert [message.sender for message in show(site.notify.models, recipient, messages)] == [recipient, other]

    assert seen == []


def test_a_sender_who_was_deleted_reads_as_none(site: Site) -> None:
    ann, bob = site.add_user("ann"), site.add_user("bob")
    add_message(site, ann, sender_id=bob)
    with site.app.app_context():
        site.db.session.delete(site.user(bob))
        site.db.session.commit()

    assert only(site, ann).sender is None


@pytest.mark.databases("sqlite")
def test_where_there_is_a_body_the_summary_shows_the_body_and_not_the_subject(site: Site) -> None:
    ann = site.add_user("ann")
    add_message(site, ann, subject="Subject")
    add_message(site, ann, subject="Subject", body="Two\n lines")
    add_message(site, ann, subject="Subject", body="<p>Rich <b>text</b></p>", rich=True)

    assert [message.summary for message in shown(site, ann)] == ["Subject", "Two lines", "Rich text"]


@pytest.mark.databases("sqlite")
def test_plain_text_is_escaped_and_rich_text_is_sanitised_whatever_the_database_holds(site: Site) -> None:
    ann = site.add_user("ann")
    add_message(site, ann, body="<b>1 < 2</b>\nand")
    add_message(site, ann, body='<b onclick="x">bold</b><script>alert(1)</script>', rich=True)
    add_message(site, ann, body="<i>" * 5000, rich=True)

    plain, rich, broken = shown(site, ann)

    assert plain.body_html == Markup("&lt;b&gt;1 &lt; 2&lt;/b&gt;<br>\nand")
    assert plain.body_text == "<b>1 < 2</b>\nand"
    assert (rich.body_html, rich.body_text) == (Markup("<b>bold</b>"), "bold")
    assert broken.body_html == "&lt;i&gt;" * 5000


@pytest.mark.databases("sqlite")
def test_what_was_told_more_than_once_says_how_often(site: Site) -> None:
    ann = site.add_user("ann")
    for count in (1, 2, 4):
        add_message(site, ann, count=count)

    with site.app.app_context():
        assert [message.more for message in shown(site, ann)] == ["", "and 1 more", "and 3 more"]


@pytest.mark.databases("sqlite")
def test_a_type_that_has_gone_from_the_code_still_shows_its_text(site: Site) -> None:
    ann = site.add_user("ann")
    add_message(site, ann, type="long_gone", subject="Told before")

    message = only(site, ann)

    assert (message.subject, message.label, message.type) == ("Told before", "Long gone", "long_gone")
