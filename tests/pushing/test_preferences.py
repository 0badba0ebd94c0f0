"""What recipients say about what is pushed to them."""

from __future__ import annotations

from typing import Any

import pytest

from flask_notify.errors import InvalidPreference, UnknownType
from tests.apps import Site


def opinions(site: Site, key: Any) -> dict[str, bool]:
    """Return what a user has said of types."""
    Preference = site.notify.PushPreference
    rows = site.db.session.query(Preference).filter_by(recipient_id=key)
    return {row.type: row.push for row in rows}


def test_an_opinion_for_a_type_is_kept_changed_and_taken_away(site: Site) -> None:
    susan, bob = site.add_user("susan"), site.add_user("bob")
    with site.app.app_context():
        site.user(susan).set_push(False, type="system")
        site.user(susan).set_push(True, type="private")
        site.user(bob).set_push(True, type="system")
        site.db.session.commit()
        assert opinions(site, susan) == {"system": False, "private": True}

        site.user(susan).set_push(True, type="system")
        site.user(susan).set_push(None, type="private")
        site.db.session.commit()

        assert opinions(site, susan) == {"system": True}
        assert opinions(site, bob) == {"system": True}


def test_an_opinion_in_general_is_in_the_inbox(site: Site) -> None:
    susan = site.add_user("susan")
    with site.app.app_context():
        for wanted in (False, True, None):
            site.user(susan).set_push(wanted)
            site.db.session.commit()
            assert site.db.session.get_one(site.notify.Inbox, susan).push is wanted


def test_what_interrupts_is_set_with_the_other_preferences(site: Site) -> None:
    susan = site.add_user("susan")
    with site.app.app_context():
        inbox = site.db.session.get_one(site.notify.Inbox, susan)
        assert (inbox.muted, inbox.desktop, inbox.push) == (False, None, None)

        site.user(susan).set_notify_preferences(muted=True, desktop=False, push=True)
        site.db.session.commit()
        site.db.session.refresh(inbox)
        assert (inbox.muted, inbox.desktop, inbox.push) == (True, False, True)

        site.user(susan).set_notify_preferences(muted=False, desktop=None, push=None)
        site.db.session.commit()
        site.db.session.refresh(inbox)
        assert (inbox.muted, inbox.desktop, inbox.push) == (False, None, None)


def test_a_rollback_leaves_no_opinion_behind(site: Site) -> None:
    susan = site.add_user("susan")
    with site.app.app_context():
        site.user(susan).set_push(False, type="system")
        site.db.session.rollback()
        site.db.session.commit()

        assert opinions(site, susan) == {}


@pytest.mark.databases("sqlite")
def test_what_is_no_opinion_is_refused(site: Site) -> None:
    susan = site.add_user("susan")
    with site.app.app_context():
        user = site.user(susan)
        for wrong in (1, "yes"):
            with pytest.raises(InvalidPreference, match=f"must be True, False or None, got {wrong!r}"):
                user.set_push(wrong)
            with pytest.raises(InvalidPreference, match="desktop must be True, False or None"):
                user.set_notify_preferences(desktop=wrong)
        with pytest.raises(InvalidPreference, match="muted must be True or False, got None"):
            user.set_notify_preferences(muted=None)
        with pytest.raises(UnknownType, match="newsletter"):
            user.set_push(True, type="newsletter")


def test_whoever_is_deleted_leaves_no_opinion_to_the_next_of_that_key(site: Site) -> None:
    susan = site.add_user("susan")
    with site.app.app_context():
        site.user(susan).set_push(False, type="system")
        site.db.session.commit()
        site.db.session.delete(site.user(susan))
        site.db.session.commit()

        assert opinions(site, susan) == {}
