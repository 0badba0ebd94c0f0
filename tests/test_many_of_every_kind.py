"""Emissions to many, whatever the keys are like, and whatever of the inboxes is there already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from flask_notify import MessageType
from tests.apps import Site

NAMES = [f"user {number}" for number in range(9)] + ["O'Brien", 'a "quoted" name', "back\\slash {1,2}", "Zoë 🙂\nLine"]
"""More than are written one by one, with all that a text could be taken apart at."""


class Addressed(MessageType):
    """One that is rendered for each."""

    def subject(self, recipient: Any) -> str:
        return f"Dear {recipient.name}"

    def body(self, recipient: Any) -> str | None:
        return body_for(recipient)

    def url(self, recipient: Any) -> str | None:
        return f"/users/{recipient.id}"


def body_for(user: Any) -> str | None:
    return user.name if len(user.name) > 6 else None


def pairs(site: Site, query: Any) -> dict[Any, Any]:
    return {row[0]: row[1] for row in site.db.session.execute(query)}


def add_users(site: Site) -> None:
    site.db.session.add_all([site.User(name=name) for name in NAMES])
    site.db.session.commit()


def told(site: Site) -> dict[str, list[tuple[str, str | None, str | None]]]:
    users = site.db.session.scalars(select(site.User).execution_options(populate_existing=True))
    return {user.name: [(m.subject, m.body, m.url) for m in user.messages_received] for user in users}


def expected(site: Site) -> dict[str, list[tuple[str, str | None, str | None]]]:
    users = site.db.session.scalars(select(site.User))
    return {user.name: [(f"Dear {' '.join(user.name.split())}", body_for(user), f"/users/{user.id}")] for user in users}


@pytest.mark.parametrize("inline", [1000, 3])
def test_everybody_gets_their_own_text_whatever_it_and_the_keys_are(any_site: Site, inline: int) -> None:
    site = any_site
    site.notify.message_type(Addressed)
    site.app.extensions["notify"].settings.inline_recipients = inline
    with site.app.app_context():
        add_users(site)

        site.notify.send(Addressed(), to=select(site.User.id))
        site.db.session.commit()

        assert told(site) == expected(site)


@pytest.fixture
def with_gaps(build: Callable[..., Site]) -> Any:
    """An application in its context; of its users some have no inbox yet, and one has a cursor in the future."""
    site = build(NOTIFY_INLINE_RECIPIENTS=3)
    with site.app.app_context():
        add_users(site)
        inbox = site.notify.models.inbox
        keys = site.db.session.scalars(select(inbox.c.recipient_id).order_by(inbox.c.recipient_id)).all()
        site.db.session.execute(delete(inbox).where(inbox.c.recipient_id.in_(keys[1:9:3])))
        site.db.session.execute(update(inbox).where(inbox.c.recipient_id == keys[0]).values(cursor=4e9))
        site.db.session.commit()
        yield site


def test_those_without_an_inbox_are_given_one_with_their_first_message(with_gaps: Site) -> None:
    site = with_gaps

    site.notify.send("to all", to=select(site.User.id))
    site.db.session.commit()

    rows = site.db.session.scalars(select(site.notify.Inbox).order_by(site.notify.Inbox.recipient_id)).all()
    assert [row.unseen_count for row in rows] == [1] * len(NAMES)
    assert [row.cursor for row in rows] == [row.unseen_cursor for row in rows]
    cursors = pairs(site, select(site.notify.Message.recipient_id, site.notify.Message.cursor))
    assert cursors == {row.recipient_id: row.cursor for row in rows}
    assert rows[0].cursor > 4e9


@pytest.mark.parametrize("gaps", [True, False])
def test_a_broadcast_moves_every_cursor_on_to_its_value(with_gaps: Site, gaps: bool) -> None:
    site = with_gaps
    if not gaps:
        site.notify.send("to all, so that there is an inbox for each", to=select(site.User.id))
        site.db.session.commit()
    before = pairs(site, select(site.notify.Inbox.recipient_id, site.notify.Inbox.cursor))

    site.notify.broadcast("maintenance", True)
    site.db.session.commit()

    Notification, Inbox = site.notify.Notification, site.notify.Inbox
    stamps = pairs(site, select(Notification.recipient_id, Notification.timestamp))
    after = pairs(site, select(Inbox.recipient_id, Inbox.cursor))
    assert stamps == after
    assert len(after) == len(NAMES)
    assert all(after[key] > cursor for key, cursor in before.items())


def test_who_wants_nothing_is_not_even_touched(with_gaps: Site) -> None:
    site = with_gaps
    inbox = site.notify.models.inbox
    key = site.db.session.scalars(select(inbox.c.recipient_id).order_by(inbox.c.recipient_id)).all()[0]
    site.db.session.execute(update(inbox).where(inbox.c.recipient_id == key).values(mail_mode="silent"))
    site.db.session.commit()

    site.notify.send("to those who have an inbox", to=select(inbox.c.recipient_id))
    site.db.session.commit()

    row = site.db.session.get(site.notify.Inbox, key)
    assert row is not None
    assert (row.cursor, row.unseen_count) == (4e9, 0)
