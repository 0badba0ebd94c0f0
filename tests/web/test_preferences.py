"""The preferences page: what a recipient chooses there holds, and nobody else's is touched."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flask_babel
import pytest
from flask_wtf import CSRFProtect
from sqlalchemy import select

from flask_notify import MessageType
from tests.apps import Site
from tests.pushing.post_office import PRIVATE as VAPID_KEY
from tests.test_language import translate
from tests.web.letterbox import hidden
from tests.web.test_unsubscribe import Replied, choose, modes

pytestmark = pytest.mark.databases("sqlite")
every_database = pytest.mark.databases("sqlite", "postgresql", "mariadb")


class Alarm(MessageType):
    """One that cannot be masked."""

    label = "Alarms"
    critical = True


class ForStaff(MessageType):
    """One that is not for everybody."""

    label = "News for the staff"

    @classmethod
    def allowed(cls, recipient: Any) -> bool:
        return bool(recipient.name == "boss")


@pytest.fixture
def site(build: Callable[..., Site]) -> Site:
    """An application with types to choose for."""
    return declare(build())


def declare(site: Site) -> Site:
    """Declare the types."""
    for kind in (Replied, Alarm, ForStaff):
        site.notify.message_type(kind)
    return site


@pytest.fixture
def ann(site: Site) -> Any:
    """The key of a recipient."""
    return site.add_user("ann")


def fields(html: str) -> dict[str, Any]:
    """Return what a browser would send for a page's form if nothing in it was changed."""
    sent: dict[str, Any] = {
        "csrf_token": hidden(html, "csrf_token") or re.findall(r'csrf_token.*?value="([^"]+)"', html)
    }
    for name, body in re.findall(r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', html, re.DOTALL):
        chosen = re.search(r'<option selected value="([^"]*)"', body)
        sent[name] = chosen[1] if chosen else ""
    for box in re.findall(r'<input [^>]*type="checkbox"[^>]*>', html):
        if " checked" in box:
            sent[re.findall(r'name="([^"]+)"', box)[0]] = "y"
    return sent


def field_of(html: str, label: str) -> str:
    """Return the name of the field with that label."""
    found: list[str] = re.findall(rf'<label [^>]*for="([^"]+)">{label}<', html)
    return found[0]


def save(site: Site, key: Any, labelled: dict[str, str] | None = None, **changes: Any) -> Any:
    """Load a user's page, change some fields, and send the form."""
    client = site.client(key)
    html = client.get("/preferences").text
    changed = {field_of(html, label): value for label, value in (labelled or {}).items()}
    sent = {name: value for name, value in {**fields(html), **changed, **changes}.items() if value is not None}
    return client.post("/preferences", data=sent)


def settings_of(site: Site, key: Any) -> dict[str, Any]:
    """Return what stands in a user's inbox."""
    Inbox = site.notify.models.Inbox
    with site.app.app_context():
        inbox = site.db.session.scalar(select(Inbox).where(Inbox.recipient_id == key))
        return {name: getattr(inbox, name) for name in ("timezone", "locale", "notify_myself", "widget_hidden")}


@every_database
def test_what_is_chosen_holds(site: Site, ann: Any) -> None:
    bob = site.add_user("bob")

    answer = save(
        site,
        ann,
        {"In general": "weekly", "Replies": "never"},
        timezone="Asia/Kolkata",
        notify_myself="y",
        widget_shown=None,
    )

    assert (answer.status_code, answer.location) == (303, "/preferences")
    assert modes(site, ann) == ("weekly", {"replied": "never"})
    assert settings_of(site, ann) == {
        "timezone": "Asia/Kolkata",
        "locale": None,
        "notify_myself": True,
        "widget_hidden": True,
    }
    assert modes(site, bob) == (None, {})
    assert settings_of(site, bob)["timezone"] is None


def test_what_was_chosen_can_be_taken_back(site: Site, ann: Any) -> None:
    save(site, ann, {"In general": "weekly", "Replies": "never"}, timezone="Asia/Kolkata", notify_myself="y")

    save(site, ann, {"In general": "", "Replies": ""}, timezone="", notify_myself=None, widget_shown="y")

    assert modes(site, ann) == (None, {})
    assert settings_of(site, ann) == {"timezone": None, "locale": None, "notify_myself": False, "widget_hidden": False}


def test_the_page_shows_what_holds_and_says_when_it_is_saved(site: Site, ann: Any) -> None:
    client = site.client(ann)
    save(site, ann, {"In general": "weekly", "Replies": "never"}, timezone="Asia/Kolkata", notify_myself="y")

    shown = fields(client.get("/preferences").text)
    saved = client.post("/preferences", data=shown, follow_redirects=True)

    assert (
        sorted(shown.values(), key=str)[1:] == ["Asia/Kolkata", "never", "weekly", "y", "y"]
        or "never" in shown.values()
    )
    assert "Your preferences are saved." in saved.text
    assert fields(saved.text) | {"csrf_token": ""} == shown | {"csrf_token": ""}


def test_saving_what_is_there_changes_nothing_of_what_waits_for_its_mail(site: Site, ann: Any) -> None:
    with site.app.app_context():
        site.notify.send("News", to=[(site.user(ann), "daily")])
        site.db.session.commit()
        (before,) = [message.mail_due_at for message in site.user(ann).messages_received]
    site.notify.clock = lambda: before.timestamp() + 10  # the worker is a little late

    save(site, ann)

    with site.app.app_context():
        assert [message.mail_due_at for message in site.user(ann).messages_received] == [before]


@every_database
def test_a_change_of_the_mode_moves_what_waits(site: Site, ann: Any) -> None:
    with site.app.app_context():
        site.notify.send("News", to=site.user(ann))
        site.db.session.commit()

    save(site, ann, {"In general": "never"})

    with site.app.app_context():
        assert [message.mail_due_at for message in site.user(ann).messages_received] == [None]


def test_critical_types_are_told_of_and_cannot_be_masked(site: Site, ann: Any) -> None:
    html = site.client(ann).get("/preferences").text

    assert "Alarms" in html
    assert not re.search(r"<label[^>]*>Alarms", html)


def test_types_that_are_not_for_a_user_are_not_offered(site: Site, ann: Any) -> None:
    boss = site.add_user("boss")

    assert "News for the staff" not in site.client(ann).get("/preferences").text
    assert "News for the staff" in site.client(boss).get("/preferences").text


@every_database
def test_blocked_senders_are_listed_and_can_be_let_in_again(site: Site, ann: Any) -> None:
    bob, cem, _ = site.add_user("bob"), site.add_user("cem"), site.add_user("xaviera")
    with site.app.app_context():
        for key in (bob, cem):
            site.user(ann).block_sender(site.user(key))
        site.db.session.commit()
    html = site.client(ann).get("/preferences").text
    assert ("bob" in html, "cem" in html, "xaviera" in html) == (True, True, False)

    save(site, ann, unblock=str(bob))

    with site.app.app_context():
        blocked = [site.user(ann).has_blocked(site.user(key)) for key in (bob, cem)]
    assert blocked == [False, True]


def test_nobody_is_unblocked_whom_the_page_did_not_show(site: Site, ann: Any) -> None:
    bob, cem = site.add_user("bob"), site.add_user("cem")
    with site.app.app_context():
        site.user(ann).block_sender(site.user(bob))
        site.user(cem).block_sender(site.user(bob))
        site.db.session.commit()

    assert save(site, ann, unblock=[str(bob), str(cem)]).status_code == 400

    with site.app.app_context():
        assert site.user(ann).has_blocked(site.user(bob))
        assert site.user(cem).has_blocked(site.user(bob))


@pytest.mark.parametrize(
    "changes", [{"mail_mode": "hourly"}, {"timezone": "Mars/Phobos"}, {"timezone": "../etc/passwd"}]
)
def test_what_is_no_choice_is_refused_and_nothing_is_saved(site: Site, ann: Any, changes: dict[str, str]) -> None:
    answer = save(site, ann, {"Replies": "never"}, notify_myself="y", **changes)

    assert answer.status_code == 400
    assert "Nothing was saved" in answer.text
    assert modes(site, ann) == (None, {})
    assert not settings_of(site, ann)["notify_myself"]


def protect(site: Site) -> None:
    """Let the application check every form itself, but for the tests' own login."""
    CSRFProtect(site.app).exempt(site.app.view_functions["login"])


@pytest.mark.parametrize("token", [None, "", "wrong"])
@pytest.mark.parametrize("protected", [False, True])
def test_nothing_is_saved_without_a_token(site: Site, ann: Any, token: str | None, protected: bool) -> None:
    if protected:
        protect(site)
    client = site.client(ann)

    answer = client.post(
        "/preferences", data={"mail_mode": "silent"} | ({} if token is None else {"csrf_token": token})
    )

    assert answer.status_code == 400
    assert modes(site, ann) == (None, {})


def test_it_works_where_the_application_checks_all_its_forms_itself(site: Site, ann: Any) -> None:
    protect(site)
    client = site.client(ann)
    sent = fields(client.get("/preferences").text)

    assert client.post("/preferences", data=sent | {"mail_mode": "daily"}).status_code == 303
    assert modes(site, ann) == ("daily", {})


def test_a_page_that_was_open_for_too_long_keeps_the_choices(site: Site, ann: Any) -> None:
    answer = save(site, ann, csrf_token="old", timezone="Asia/Kolkata")

    assert "Your choices are still there" in answer.text
    assert fields(answer.text)["timezone"] == "Asia/Kolkata"


def test_visitors_have_no_preferences(site: Site) -> None:
    site.app.add_url_rule("/login", "login_page", lambda: "")
    client = site.client()

    assert client.get("/preferences").status_code == 401
    site.app.login_manager.login_view = "login_page"  # type: ignore[attr-defined]
    assert client.get("/preferences").location.startswith("/login?next=")
    assert client.post("/preferences", data={"mail_mode": "never"}).status_code == 303


def test_without_flask_babel_there_is_no_language_to_choose(site: Site, ann: Any) -> None:
    assert "Language" not in site.client(ann).get("/preferences").text


def test_the_languages_of_the_application_are_offered(build: Callable[..., Site], tmp_path: Path) -> None:
    translate(tmp_path, "messages", {"Hello": "Hallo"})
    site = build(BABEL_TRANSLATION_DIRECTORIES=str(tmp_path))
    flask_babel.Babel(site.app)
    ann = site.add_user("ann")

    assert save(site, ann, locale="de").status_code == 303
    assert settings_of(site, ann)["locale"] == "de"
    assert save(site, ann, locale="fr").status_code == 400
    assert settings_of(site, ann)["locale"] == "de"


def test_a_choice_that_is_no_longer_offered_is_kept(build: Callable[..., Site]) -> None:
    site = build()
    ann = site.add_user("ann")
    with site.app.app_context():
        site.user(ann).set_notify_preferences(timezone="EST5EDT", locale="tlh")
        site.db.session.commit()

    assert save(site, ann, notify_myself="y").status_code == 303

    assert settings_of(site, ann) == {
        "timezone": "EST5EDT",
        "locale": "tlh",
        "notify_myself": True,
        "widget_hidden": False,
    }


def test_names_and_labels_are_escaped(site: Site, ann: Any) -> None:
    hostile = "<b onclick=x>'\"&"
    bob = site.add_user(hostile)
    Hostile = type("Hostile", (MessageType,), {"label": hostile, "name": "a.b-c"})
    site.notify.message_type(Hostile)
    with site.app.app_context():
        site.user(ann).block_sender(site.user(bob))
        site.db.session.commit()

    assert "<b onclick" not in site.client(ann).get("/preferences").text
    choose(site, ann, **{"a.b-c": "never"})
    assert save(site, ann).status_code == 303
    assert modes(site, ann) == (None, {"a.b-c": "never"})


def test_the_page_is_stored_nowhere(site: Site, ann: Any) -> None:
    assert site.client(ann).get("/preferences").headers["Cache-Control"] == "no-store"


# What may interrupt


def interruptions(site: Site, key: Any) -> tuple[Any, ...]:
    """Return what stands in a user's inbox of what may interrupt them."""
    Inbox = site.notify.models.Inbox
    with site.app.app_context():
        inbox: Any = site.db.session.scalar(select(Inbox).where(Inbox.recipient_id == key))
        return inbox.muted, inbox.desktop, inbox.push


@every_database
def test_who_does_not_want_to_be_disturbed_says_so(site: Site, ann: Any) -> None:
    bob = site.add_user("bob")

    assert save(site, ann, muted="y", desktop=None).status_code == 303

    assert interruptions(site, ann) == (True, False, None)
    assert interruptions(site, bob) == (False, None, None)
    assert save(site, ann, muted=None, desktop="y").status_code == 303
    assert interruptions(site, ann) == (False, True, None)


def test_saving_what_is_there_makes_no_opinion(site: Site, ann: Any) -> None:
    save(site, ann)

    assert interruptions(site, ann) == (False, None, None)


def test_pushes_are_offered_only_where_there_are_any(site: Site, ann: Any) -> None:
    assert "Push" not in site.client(ann).get("/preferences").text


@every_database
def test_what_is_to_be_pushed_is_chosen_in_general_and_per_type(build: Callable[..., Site]) -> None:
    site = declare(build(NOTIFY_VAPID_PRIVATE_KEY=VAPID_KEY, NOTIFY_VAPID_SUBJECT="mailto:a@example.org"))
    ann = site.add_user("ann")

    answer = save(site, ann, {"Push to my devices": "no", "Push: Replies": "yes"})

    assert answer.status_code == 303
    assert (interruptions(site, ann)[2], opinions(site, ann)) == (False, {"replied": True})
    shown = fields(site.client(ann).get("/preferences").text)
    assert sorted(value for name, value in shown.items() if name.startswith("push") and value) == ["no", "yes"]
    # What is left to the type is no opinion.
    save(site, ann, {"Push to my devices": "", "Push: Replies": ""})
    assert (interruptions(site, ann)[2], opinions(site, ann)) == (None, {})


def opinions(site: Site, key: Any) -> dict[str, bool]:
    """Return which types a user wants pushed, or does not."""
    with site.app.app_context():
        mine = select(site.notify.PushPreference).where(site.notify.PushPreference.recipient_id == key)
        return {row.type: row.push for row in site.db.session.scalars(mine)}
