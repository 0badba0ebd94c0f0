"""A message that is stored leaves an envelope to be relayed, in the same transaction (row G4)."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from markupsafe import Markup
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from flask_notify import MailMode, MessageType
from flask_notify.errors import ConfigurationError
from flask_notify.running import expiry
from tests.apps import Site, make_app
from tests.recording import recorded
from tests.relaying.conftest import SETTINGS, envelopes, said
from tests.servers import Database
from tests.test_fanout_cost import add_users, asked


class Counted(MessageType):
    """One of which the newest is kept."""

    collapse = "latest"
    word: str

    def subject(self, recipient: Any) -> str:
        return f"{self.word}, {recipient.name}"


class FirstOnly(MessageType):
    """One of which the first is kept."""

    collapse = "first"
    word: str

    def subject(self, recipient: Any) -> str:
        return f"{self.word}, {recipient.name}"


@pytest.mark.databases("sqlite")
def test_a_notification_of_the_log_is_sent_as_oioiois_server_expects_it(
    site: Site, session: Session, susan: Any
) -> None:
    site.notify.on_log("submission_judged")(lambda record: None)  # noqa: ARG005
    before = time.time()

    site.notify.send_notification(
        site.user(susan),
        "submission_judged",
        "%(task)s was judged: %(points)s points",
        {"task": "Sums", "points": 40, "address": "/submissions/7", "details": "All in time", "popup": True},
    )
    session.commit()

    (envelope,) = envelopes(site)
    assert list(envelope) == ["id", "date", "message", "type", "details", "address", "popup", "arguments"]
    assert uuid.UUID(envelope.pop("id")).version == 4
    assert before * 1000 - 1 <= envelope.pop("date") <= time.time() * 1000
    assert envelope == {
        "message": "%(task)s was judged: %(points)s points",
        "type": "submission_judged",
        "details": "All in time",
        "address": "https://example.org/submissions/7",
        "popup": True,
        "arguments": {"task": "Sums", "points": "40"},
    }


@pytest.mark.databases("sqlite")
def test_any_other_message_is_sent_as_its_recipient_reads_it(site: Site, session: Session, susan: Any) -> None:
    rich = Markup('<p>See <a href="/posts/3">the <b>post</b></a></p>')
    site.notify.send("100% done", to=site.user(susan), body=rich, url="http://elsewhere.org/?a=1")
    site.notify.message_type(Counted)
    site.notify.send(Counted(word="Hello"), to=site.user(susan))
    session.commit()

    first, second = envelopes(site)
    assert (first["message"], first["arguments"], first["type"]) == ("100% done", {}, "system")
    assert first["details"].strip() == "See the post (https://example.org/posts/3)"
    assert (first["address"], first["popup"]) == ("http://elsewhere.org/?a=1", False)
    assert (second["message"], second["type"]) == ("Hello, susan", "counted")
    assert (second["details"], second["address"]) == (None, None)
    assert first["id"] != second["id"]


def test_it_is_part_of_the_callers_transaction(site: Site, session: Session, susan: Any) -> None:
    user = site.user(susan)
    site.notify.send("never said", to=user)
    session.rollback()
    savepoint = session.begin_nested()
    site.notify.send("nor this", to=user)
    savepoint.rollback()
    site.notify.send("but this", to=user)
    assert said(site) == []

    session.commit()

    assert said(site) == ["but this"]


def test_a_recipients_messages_are_in_the_order_in_which_they_were_sent(any_site_with_queues: Site) -> None:
    site = any_site_with_queues
    keys = [site.add_user(f"user {number}") for number in range(3)]
    with site.app.app_context():
        users = [site.user(key) for key in keys]
        for number in range(30):
            site.notify.send(f"m{number}", to=users[:: 1 if number % 2 else -1])
        site.db.session.commit()

    for key in keys:
        assert said(site, key) == [f"m{number}" for number in range(30)]


@pytest.fixture
def any_site_with_queues(build: Callable[..., Site], variant: Any) -> Site:
    """An application of each kind in turn."""
    return build(key=variant.key, base=variant.base, **SETTINGS)


def test_more_than_one_statement_takes_keep_their_order(site: Site, session: Session, susan: Any) -> None:
    other = site.add_user("other")
    for number in range(600):
        site.notify.send(f"m{number}", to=[site.user(other), site.user(susan)])
    session.commit()

    for key in (susan, other):
        assert said(site, key) == [f"m{number}" for number in range(600)]


def test_a_message_that_is_renewed_is_sent_again_and_one_that_is_dropped_is_not(
    site: Site, session: Session, susan: Any
) -> None:
    site.notify.message_type(Counted)
    site.notify.message_type(FirstOnly)
    user = site.user(susan)
    for word in ("one", "two"):
        site.notify.send(Counted(word=word, target=user), to=user)
        site.notify.send(FirstOnly(word=f"first {word}", target=user), to=user)
        session.commit()
    site.notify.send("between", to=user)
    site.notify.send(Counted(word="three", target=user), to=user)
    session.commit()

    waiting = envelopes(site)
    texts = [envelope["message"] for envelope in waiting]
    assert texts == ["one, susan", "first one, susan", "two, susan", "between", "three, susan"]
    assert len({envelope["id"] for envelope in waiting}) == 5


@pytest.mark.databases("sqlite")
def test_what_is_masked_is_not_sent_and_what_is_not_mailed_is(site: Site, session: Session, susan: Any) -> None:
    user = site.user(susan)
    site.notify.send("not mailed", to=[(user, MailMode.NEVER)])
    site.notify.send("masked", to=[(user, MailMode.SILENT)])
    session.commit()

    assert said(site) == ["not mailed"]


def test_a_fan_out_writes_one_for_each_by_one_statement_for_each_batch(
    build: Callable[..., Site], database: Database
) -> None:
    site = build(**SETTINGS, NOTIFY_INLINE_RECIPIENTS=10)
    site.notify.message_type(Counted)
    add_users(site, 1_500)

    with recorded(database, site) as statements, site.app.app_context():
        site.notify.send(Counted(word="Hello"), to=select(site.User.id))
        site.db.session.commit()

    inserts = [statement for statement in asked(statements) if "INSERT INTO notify_relay" in statement]
    if database.name != "sqlite":  # which tells one for each row
        assert len(inserts) == 2
    waiting = envelopes(site)
    assert sorted(envelope["message"] for envelope in waiting) == sorted(
        f"Hello, user {number}" for number in range(1_500)
    )
    assert len({envelope["id"] for envelope in waiting}) == 1_500


def test_without_queues_nothing_is_written_or_asked(build: Callable[..., Site], database: Database) -> None:
    site = build(NOTIFY_BASE_URL="https://example.org")
    key = site.add_user("susan")

    with recorded(database, site) as statements, site.app.app_context():
        site.notify.send("Hello", to=site.user(key))
        site.db.session.commit()

    assert not [statement for statement in statements if "notify_relay" in statement]
    assert envelopes(site) == []


def test_a_user_who_is_deleted_takes_them_along(site: Site, session: Session, susan: Any) -> None:
    other = site.add_user("other")
    site.notify.send("Hello", to=[site.user(susan), site.user(other)])
    session.commit()

    session.delete(site.user(susan))
    session.commit()

    assert said(site, susan) == []
    assert said(site) == ["Hello"]


def test_what_waits_outlives_the_message(site: Site, session: Session, susan: Any) -> None:
    site.notify.send("Hello", to=site.user(susan))
    session.commit()
    site.user(susan).mark_all_seen()
    session.commit()

    models = site.notify.models
    year = 365 * 24 * 3600
    removed = list(expiry.expire(models, site.app.extensions["notify"].settings, now=time.time() + year))

    assert {batch.what for batch in removed} >= {"messages"}
    assert session.scalars(select(models.message.c.id)).all() == []
    assert said(site) == ["Hello"]


def test_a_key_is_never_given_again(site: Site, session: Session, susan: Any) -> None:
    relay = site.notify.models.relay
    given: list[int] = []
    for _ in range(2):
        session.execute(insert(relay).values(recipient_id=susan, envelope="{}", created_at=1.0))
        given += session.scalars(select(relay.c.id)).all()
        session.execute(delete(relay))
        session.commit()

    assert given[1] > given[0]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "settings, told",
    [
        ({"NOTIFY_BROKER_URL": None}, "got none at all"),
        ({"NOTIFY_BROKER_URL": "database"}, "got database"),
        ({"NOTIFY_BROKER_URL": "postgresql://me:secret@db/app"}, "got postgresql"),
        ({"NOTIFY_BASE_URL": None}, "needs NOTIFY_BASE_URL"),
        ({"NOTIFY_RELAY_EXPIRY": 0.5}, "NOTIFY_RELAY_EXPIRY must be"),
        ({"NOTIFY_RELAY_EXPIRY": 2**32 / 1000}, "NOTIFY_RELAY_EXPIRY must be"),
        ({"NOTIFY_RELAY_QUEUE_PREFIX": ""}, "NOTIFY_RELAY_QUEUE_PREFIX must be"),
        ({"NOTIFY_RELAY_QUEUE_PREFIX": "amq.mine"}, "NOTIFY_RELAY_QUEUE_PREFIX must be"),
    ],
)
def test_queues_without_what_they_need_are_refused_at_the_start(
    database: Database, settings: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make_app(database.url, **{**SETTINGS, **settings})

    assert told in str(refused.value)
    assert "secret" not in str(refused.value)


def test_what_stands_in_the_column_is_plain_ascii(site: Site, session: Session, susan: Any) -> None:
    site.notify.send("Grüße 😀", to=site.user(susan), body="a\nb\\c\"d'e")
    session.commit()

    Relay: Any = site.notify.Relay
    (stored,) = session.scalars(select(Relay.envelope))
    assert stored.isascii()
    assert json.loads(stored)["message"] == "Grüße 😀"
    assert json.loads(stored)["details"] == "a\nb\\c\"d'e"
