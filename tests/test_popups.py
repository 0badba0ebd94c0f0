"""What asks pages to open the inbox goes along with the messages that ask for it, and with no others."""

from __future__ import annotations

from typing import Any

import pytest

from flask_notify import MessageType
from tests.apps import Site


class Loud(MessageType):
    """One that shows itself where it is told to."""

    popup: bool = False

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return "Look"


@pytest.fixture
def site(site: Site) -> Site:
    site.notify.message_type(Loud)
    return site


def asked(site: Site, key: Any) -> list[Any]:
    """Return the values that a user's pages are told, but for the count."""
    with site.app.app_context():
        return [value.payload for value in site.user(key).notifications if value.name == "inbox_popup"]


def send(site: Site, *keys: Any, **data: Any) -> None:
    """Send a message to users."""
    with site.app.app_context():
        site.notify.send(Loud(**data), to=[site.user(key) for key in keys])
        site.db.session.commit()


def test_a_popup_reaches_those_who_get_the_message(site: Site) -> None:
    ann, bob, cem = (site.add_user() for _ in range(3))
    with site.app.app_context():
        site.user(bob).set_mail_mode("silent", type="loud")
        site.db.session.commit()

    send(site, ann, bob, popup=True)

    assert [asked(site, key) for key in (ann, bob, cem)] == [[True], [], []]


def test_a_message_without_popup_asks_for_nothing(site: Site) -> None:
    ann = site.add_user()

    send(site, ann)

    assert asked(site, ann) == []


def test_a_rollback_leaves_no_popup_behind(site: Site) -> None:
    ann = site.add_user()

    with site.app.app_context():
        site.notify.send(Loud(popup=True), to=site.user(ann))
        site.db.session.rollback()

    assert asked(site, ann) == []


def test_a_poll_tells_of_the_popup_with_the_message(site: Site) -> None:
    ann = site.add_user()
    client = site.client(ann)
    send(site, ann)
    since = client.get("/notifications").get_json()[-1]["timestamp"]

    send(site, ann, popup=True)

    items = client.get(f"/notifications?since={since}").get_json()
    assert {(item["name"], item["data"]) for item in items} == {("unread_message_count", 2), ("inbox_popup", True)}


def test_popups_of_a_fan_out_reach_everybody_in_it(site: Site) -> None:
    site.app.extensions["notify"].settings.inline_recipients = 1
    keys = [site.add_user() for _ in range(3)]

    send(site, *keys, popup=True)

    assert [asked(site, key) for key in keys] == [[True]] * 3


def test_who_does_not_want_to_be_disturbed_is_not(site: Site) -> None:
    ann, bob = site.add_user(), site.add_user()
    with site.app.app_context():
        site.user(ann).set_notify_preferences(muted=True)
        site.db.session.commit()

    send(site, ann, bob, popup=True)

    assert [asked(site, key) for key in (ann, bob)] == [[], [True]]
    with site.app.app_context():
        assert site.user(ann).unread_message_count == 1


def test_what_is_critical_shows_itself_to_everybody(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = site.add_user()
    monkeypatch.setattr(Loud, "critical", True)
    with site.app.app_context():
        site.user(ann).set_notify_preferences(muted=True)
        site.db.session.commit()

    send(site, ann, popup=True)

    assert asked(site, ann) == [True]


def test_a_message_of_the_log_may_show_itself(site: Site) -> None:
    ann = site.add_user()
    site.notify.register_notification("judged", print)

    with site.app.app_context():
        site.notify.send_notification(site.user(ann), "judged", "Judged", popup=True)
        site.db.session.commit()

    assert asked(site, ann) == [True]
