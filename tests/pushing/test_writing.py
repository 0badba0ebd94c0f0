"""What is owed to whose browsers, written with the messages, in the same transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from tests.pushing.post_office import PostOffice, states
from tests.pushing.types import Alarm, First, Quiet, declare, renewing
from tests.recording import recorded
from tests.servers import Database


def owed(office: PostOffice) -> list[Any]:
    """Return to whom pushes are owed, by key."""
    return sorted(row.recipient_id for row in office.pushes())


def test_nothing_is_owed_to_whoever_has_not_subscribed(office: PostOffice) -> None:
    susan, _ = office.add("susan", browsers=3)
    bob = office.site.add_user("bob")

    office.send("Hello", susan, bob)

    assert owed(office) == [susan] * 3


@pytest.mark.parametrize(
    "change, pushed",
    [
        (lambda _user: None, {"system": True, "quiet": False, "alarm": True}),
        (lambda user: user.set_push(False), {"system": False, "quiet": False, "alarm": True}),
        (lambda user: user.set_push(True), {"system": True, "quiet": True, "alarm": True}),
        (lambda user: user.set_push(False, type="system"), {"system": False, "quiet": False, "alarm": True}),
        (lambda user: user.set_push(True, type="quiet"), {"system": True, "quiet": True, "alarm": True}),
        (lambda user: user.set_push(False, type="alarm"), {"system": True, "quiet": False, "alarm": True}),
        (
            lambda user: user.set_notify_preferences(muted=True, push=True),
            {"system": False, "quiet": False, "alarm": True},
        ),
        # A message that is not mailed is pushed nevertheless: the one is no opinion about the other.
        (lambda user: user.set_mail_mode("never"), {"system": True, "quiet": False, "alarm": True}),
        (lambda user: user.set_mail_mode("silent"), {"system": False, "quiet": False, "alarm": True}),
    ],
    ids=["none", "off", "on", "off for one", "on for one", "off for critical", "muted", "never mailed", "silent"],
)
def test_a_recipient_gets_what_they_want_pushed(
    office: PostOffice, change: Callable[[Any], None], pushed: dict[str, bool]
) -> None:
    declare(office)
    susan, _ = office.add("susan")
    office.change(susan, change)

    for what in ("text", Quiet(text="quiet"), Alarm(text="alarm")):
        office.send(what, susan)

    types = {row.id: row.type for row in office.messages(susan)}
    owed_for = {types[row.message_id] for row in office.pushes()}
    assert owed_for == {name for name, wanted in pushed.items() if wanted}


def test_what_is_critical_is_urgent(office: PostOffice) -> None:
    declare(office)
    susan, (browser,) = office.add("susan")
    office.send(Alarm(text="Fire"), susan)

    office.run()

    assert browser.received[0].headers["urgency"] == "high"


def test_what_is_said_in_the_same_transaction_holds(office: PostOffice) -> None:
    (susan, _), (bob, _) = office.add("susan"), office.add("bob")
    with office.site.app.app_context():
        users = [office.site.user(key) for key in (susan, bob)]
        office.site.notify.send("Hello", to=users)
        users[0].set_push(False)
        office.site.db.session.commit()

    assert owed(office) == [bob]


def test_what_is_told_once_only_is_owed_once(office: PostOffice) -> None:
    declare(office)
    susan, _ = office.add("susan")
    target = office.site.add_user("the target")
    for text in ("one", "two", "three"):
        with office.site.app.app_context():
            about = office.site.user(target)
            office.site.notify.send(First(text=text, target=about), to=office.site.user(susan))
            office.site.db.session.commit()

    assert len(office.pushes()) == 1
    office.run()
    office.send("and now something else", susan)
    assert states(office.pushes()) == ["sent", "pending"]


def test_a_renewed_message_is_owed_to_browsers_that_came_meanwhile_too(office: PostOffice) -> None:
    declare(office)
    susan, _ = office.add("susan")
    tell = renewing(office, susan)

    tell("one")
    office.run()
    office.subscribe(susan)
    tell("two")

    assert states(office.pushes()) == ["pending", "pending"]
    assert len({row.message_id for row in office.pushes()}) == 1


def test_many_messages_of_one_transaction_are_each_owed(office: PostOffice) -> None:
    (susan, _), (bob, _) = office.add("susan"), office.add("bob", browsers=2)
    with office.site.app.app_context():
        for number in range(250):
            office.site.notify.send(f"number {number}", to=[office.site.user(susan), office.site.user(bob)])
        office.site.db.session.commit()

    assert len(office.pushes(susan)) == 250
    assert len(office.pushes(bob)) == 500
    assert {row.message_id for row in office.pushes(bob)} == {row.id for row in office.messages(bob)}


def test_a_message_of_before_with_the_same_cursor_as_anothers_new_one_is_not_owed_again(office: PostOffice) -> None:
    (susan, _), (bob, _) = office.add("susan"), office.add("bob")
    clock = office.site.notify.clock() + 60
    office.site.notify.clock = lambda: clock  # it stands still
    office.send("old", susan)
    (old,) = office.messages(susan)
    with office.site.app.app_context():
        office.site.notify.send("new", to=[office.site.user(susan), office.site.user(bob)])
        office.site.db.session.commit()

    assert old.cursor == office.messages(bob)[0].cursor
    assert [row.message_id for row in office.pushes(susan)].count(old.id) == 1


def test_what_goes_to_many_is_pushed_to_those_who_subscribed(open_office: Callable[..., PostOffice]) -> None:
    office = open_office(NOTIFY_INLINE_RECIPIENTS=5)
    subscribed = [office.add(f"user {number}") for number in range(4)]
    others = [office.site.add_user(f"other {number}") for number in range(8)]
    User = office.site.User
    with office.site.app.app_context():
        office.site.notify.send("To all", to=select(User.id))
        office.site.db.session.commit()  # no scheduler is there, so that they are moved at once

    assert owed(office) == sorted(key for key, _ in subscribed)
    assert len(others) == 8
    assert office.run() == {"sent": 4}
    assert all(browser.titles == ["To all"] for _, (browser,) in subscribed)


def test_without_a_key_nothing_is_asked_or_written(
    database: Database, office: PostOffice, open_office: Callable[..., PostOffice]
) -> None:
    without_key = open_office(NOTIFY_VAPID_PRIVATE_KEY=None)
    susan = office.site.add_user("susan")

    with recorded(database, without_key.site) as without:
        without_key.send("Hello", susan)
    with recorded(database, office.site) as with_key:
        office.send("Hello", susan)

    assert not any("notify_push" in statement for statement in without)
    assert sum("notify_push" in statement for statement in with_key) == 1  # nobody has subscribed
    assert len(with_key) == len(without) + 1


def test_many_recipients_cost_two_statements(database: Database, office: PostOffice) -> None:
    keys = [office.add(f"user {number}")[0] for number in range(60)]

    with recorded(database, office.site) as statements:
        office.send("Hello", *keys)

    assert sum("notify_push" in statement for statement in statements) == 2
    assert len(office.pushes()) == 60
