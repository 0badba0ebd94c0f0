"""What goes to more recipients than one transaction should lock."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import url_for
from flask_babel import Babel, get_locale, get_timezone
from sqlalchemy import func, insert, select

from flask_notify import MessageType
from flask_notify.database_clock import DatabaseClock
from flask_notify.errors import InvalidMessage
from flask_notify.leases import SCHEDULER
from flask_notify.messages import fanout
from tests.apps import Site

MANY = 12


class Shouted(MessageType):
    """One that cannot be rendered for everybody."""

    word: str

    def subject(self, recipient: Any) -> str:
        if recipient.name == "user 5":
            raise ValueError("no words for user 5")
        return f"{self.word}, {recipient.name}, says {self.sender.name} of {self.target.name}"


class Linked(MessageType):
    """One that leads to a page of the application."""

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return "Look"

    def url(self, recipient: Any) -> str:
        return url_for("notify.poll", since=recipient.id)


class Spoken(MessageType):
    """One that says in which language it is."""

    def subject(self, recipient: Any) -> str:
        return f"{recipient.name}: {get_locale()}, {get_timezone()}"


@pytest.fixture
def crowd(build: Callable[..., Site]) -> Any:
    """An application where four recipients are many, in its context; with users, and a scheduler that was just seen."""
    site = build(NOTIFY_INLINE_RECIPIENTS=3)
    site.notify.message_type(Shouted)
    with site.app.app_context():
        site.db.session.add_all([site.User(name=f"user {number}") for number in range(MANY)])
        lease = site.notify.models.lease
        now = DatabaseClock()
        row = {"role": SCHEDULER, "owner": "a test", "until": now, "renewed_at": now}
        site.db.session.execute(insert(lease).values(row))
        site.db.session.commit()
        yield site


def people(site: Site) -> list[Any]:
    return list(site.db.session.scalars(select(site.User).order_by(site.User.id)))


def count_of(site: Site, table: Any) -> int:
    return site.db.session.scalar(select(func.count()).select_from(table)) or 0


def told(site: Site) -> dict[str, list[str]]:
    return {user.name: [m.subject for m in user.messages_received] for user in people(site)}


def test_many_are_recorded_with_the_commit_and_moved_afterwards(crowd: Site) -> None:
    models = crowd.notify.models

    assert crowd.notify.send("to all", to=select(crowd.User.id)) == MANY
    assert count_of(crowd, models.message) == 0
    crowd.db.session.commit()
    assert (count_of(crowd, models.message), fanout.backlog(models)) == (0, MANY)

    assert crowd.notify.drain() == MANY

    assert told(crowd) == {f"user {number}": ["to all"] for number in range(MANY)}
    assert {user.unread_message_count for user in people(crowd)} == {1}
    assert (count_of(crowd, models.fanout_recipient), fanout.backlog(models), crowd.notify.drain()) == (0, 0, 0)
    assert crowd.db.session.scalars(select(crowd.notify.Fanout)).one().finished_at is not None


def test_a_rollback_cancels_it(crowd: Site) -> None:
    models = crowd.notify.models

    crowd.notify.send("never", to=select(crowd.User.id))
    crowd.notify.broadcast("never", True)
    crowd.db.session.rollback()

    assert (count_of(crowd, models.fanout), count_of(crowd, models.fanout_recipient)) == (0, 0)
    assert crowd.notify.drain() == 0


def test_a_long_list_keeps_its_modes_and_the_doer_is_left_out(crowd: Site) -> None:
    users = people(crowd)

    with crowd.notify.acting_as(users[0]):
        crowd.notify.send("listed", to=[(user, "weekly" if user.id % 2 else "silent") for user in users])
    crowd.db.session.commit()
    crowd.notify.drain()

    modes = {user.id: [m.mail_mode for m in user.messages_received] for user in users}
    assert modes == {user.id: ["weekly"] if user.id % 2 and user is not users[0] else [] for user in users}


def test_each_is_rendered_by_itself_and_who_cannot_be_is_parked(crowd: Site, caplog: pytest.LogCaptureFixture) -> None:
    users = people(crowd)

    crowd.notify.send(Shouted(word="Hey", sender=users[0], target=users[1]), to=select(crowd.User.id))
    crowd.db.session.commit()
    with caplog.at_level(logging.CRITICAL, logger="flask_notify"):
        crowd.notify.drain()

    expected = {f"user {n}": [f"Hey, user {n}, says user 0 of user 1"] for n in range(MANY) if n not in (0, 5)}
    assert told(crowd) == {**expected, "user 0": [], "user 5": []}
    (parked,) = crowd.db.session.scalars(select(crowd.notify.FanoutRecipient))
    assert (parked.recipient_id, parked.error) == (users[5].id, "ValueError: no words for user 5")
    assert crowd.notify.drain() == 0


def test_links_are_made_outside_a_request_as_in_one(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_INLINE_RECIPIENTS=1, NOTIFY_BASE_URL="https://example.org/app")
    site.notify.message_type(Linked)
    keys = [site.add_user(f"user {number}") for number in range(2)]
    with site.app.app_context():
        site.notify.send(Linked(), to=site.user(keys[0]))
        site.notify.send(Linked(), to=select(site.User.id))
        site.db.session.commit()

        links = [m.url for key in keys for m in site.user(key).messages_received]

    assert links == [f"/app/notifications?since={key}" for key in (keys[0], keys[0], keys[1])]


@pytest.mark.parametrize("at_once", [1, 10], ids=["moved later", "with the commit"])
def test_each_reads_it_in_their_own_language(build: Callable[..., Site], at_once: int) -> None:
    site = build(NOTIFY_INLINE_RECIPIENTS=at_once, BABEL_DEFAULT_LOCALE="en")
    Babel(site.app, locale_selector=lambda: "fr")  # of whoever makes the request
    site.notify.message_type(Spoken)
    keys = [site.add_user(name) for name in ("ann", "bob", "cem")]
    with site.app.app_context():
        site.user(keys[0]).set_notify_preferences(locale="de", timezone="Europe/Berlin")
        site.user(keys[1]).set_notify_preferences(locale="es", timezone="Asia/Kolkata")
        site.db.session.commit()
        site.notify.send(Spoken(), to=select(site.User.id))
        site.db.session.commit()

        told_ = [m.subject for key in keys for m in site.user(key).messages_received]

    assert told_ == ["ann: de, Europe/Berlin", "bob: es, Asia/Kolkata", "cem: en, UTC"]


def test_who_was_deleted_meanwhile_is_no_error(crowd: Site) -> None:
    crowd.notify.send("to all", to=select(crowd.User.id))
    crowd.db.session.commit()
    crowd.db.session.delete(people(crowd)[3])
    crowd.db.session.commit()

    crowd.notify.drain()

    assert told(crowd) == {f"user {number}": ["to all"] for number in range(MANY) if number != 3}
    assert fanout.backlog(crowd.notify.models) == 0


def test_a_broadcast_reaches_those_who_are_there_and_not_those_who_come(crowd: Site) -> None:
    assert crowd.notify.broadcast("maintenance", {"at": "22:00"}, expires_in=3600) == MANY
    crowd.db.session.commit()
    late = crowd.User(name="late")
    crowd.db.session.add(late)
    crowd.db.session.commit()

    assert crowd.notify.drain() == MANY

    assert {user.name for user in people(crowd) if not user.notifications} == {"late"}
    client = crowd.client(people(crowd)[0].id)
    (item,) = (item for item in client.get("/notifications").get_json() if item["name"] == "maintenance")
    assert item["data"] == {"at": "22:00"}
    assert 3500 < item["expires_in"] <= 3600


def test_a_few_get_a_broadcast_with_the_commit(build: Callable[..., Site]) -> None:
    site = build()
    key = site.add_user("one")
    with site.app.app_context():
        assert site.notify.broadcast("maintenance", 1) == 1
        site.db.session.commit()
        assert [n.get_data() for n in site.user(key).notifications] == [1]


def test_without_a_scheduler_the_emitter_moves_it_and_says_so(
    build: Callable[..., Site], caplog: pytest.LogCaptureFixture
) -> None:
    site = build(NOTIFY_INLINE_RECIPIENTS=1)
    keys = [site.add_user(f"user {number}") for number in range(3)]
    with site.app.app_context(), caplog.at_level(logging.WARNING, logger="flask_notify"):
        site.notify.send("to all", to=select(site.User.id))
        site.db.session.commit()

        assert [m.subject for key in keys for m in site.user(key).messages_received] == ["to all"] * 3
    assert "flask notify run" in caplog.text


def test_a_scheduler_that_was_stopped_in_order_is_not_waited_for(crowd: Site) -> None:
    models = crowd.notify.models
    assert fanout.scheduler_is_there(models)

    crowd.db.session.execute(models.lease.update().values(until=0.0))  # as it leaves its lease behind
    crowd.db.session.commit()

    assert not fanout.scheduler_is_there(models)


def test_batches_have_at_most_a_thousand_recipients(crowd: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fanout.BATCH == 1_000
    monkeypatch.setattr(fanout, "BATCH", 5)
    models = crowd.notify.models
    crowd.notify.send("to all", to=select(crowd.User.id))
    crowd.notify.broadcast("maintenance", 1)
    crowd.db.session.commit()

    settings = crowd.app.extensions["notify"].settings
    assert list(fanout.drain(models, settings, crowd.notify.message_types)) == [5, 5, 2, 5, 5, 2]


def test_a_function_cannot_be_stored_for_later(crowd: Site) -> None:
    with pytest.raises(InvalidMessage, match="Declare a MessageType"):
        crowd.notify.send(lambda recipient, mode: ("x", None), to=select(crowd.User.id))  # noqa: ARG005
