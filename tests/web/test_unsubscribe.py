"""Unsubscribing takes one click and no login, and its token is good for nothing else (row C5, RFC 8058)."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask_wtf import CSRFProtect
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from flask_notify import MessageType
from flask_notify.mailing.unsubscribing import Subscription, make_token, read_token
from tests.apps import KEYS, Site
from tests.test_targets import statements

pytestmark = pytest.mark.databases("sqlite")
every_database = pytest.mark.databases("sqlite", "postgresql", "mariadb")

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


class Replied(MessageType):
    """One that recipients can mask."""

    label = "Replies"

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return "A reply"


@pytest.fixture
def site(build: Callable[..., Site]) -> Site:
    """An application with a type to unsubscribe from."""
    site = build()
    site.notify.message_type(Replied)
    return site


@pytest.fixture
def ann(site: Site) -> Any:
    """The key of a recipient."""
    return site.add_user("ann")


def path(site: Site, key: Any, kind: str | None = None) -> str:
    """Return where a mail's link leads to."""
    with site.app.app_context():
        return f"/unsubscribe/{make_token(site.app.extensions['notify'].settings, Subscription(key, kind))}"


def modes(site: Site, key: Any) -> tuple[str | None, dict[str, str]]:
    """Return a user's mail mode in general, and those per type."""
    Inbox, Preference = site.notify.models.Inbox, site.notify.models.Preference
    with site.app.app_context():
        general = site.db.session.scalar(select(Inbox.mail_mode).where(Inbox.recipient_id == key))
        own = select(Preference.type, Preference.mail_mode).where(Preference.recipient_id == key)
        return general, {row[0]: row[1] for row in site.db.session.execute(own)}


def choose(site: Site, key: Any, general: str | None = None, **own: str) -> None:
    """Let a user choose their modes."""
    with site.app.app_context():
        user = site.user(key)
        user.set_mail_mode(general)
        for name, mode in own.items():
            user.set_mail_mode(mode, type=name)
        site.db.session.commit()


@every_database
def test_one_click_stops_all_mail_without_login_and_cookie(site: Site, ann: Any) -> None:
    answer = site.app.test_client(use_cookies=False).post(path(site, ann), data=ONE_CLICK)

    assert answer.status_code == 200
    assert "You are unsubscribed" in answer.text
    assert modes(site, ann) == ("never", {})
    assert "Set-Cookie" not in answer.headers


@every_database
def test_one_click_stops_the_mail_of_one_type_only(site: Site, ann: Any) -> None:
    choose(site, ann, "daily", system="weekly")

    answer = site.app.test_client().post(path(site, ann, "replied"), data=ONE_CLICK)

    assert "Replies" in answer.text
    assert modes(site, ann) == ("daily", {"system": "weekly", "replied": "never"})


def test_a_mail_program_may_post_its_form_in_either_encoding(site: Site, ann: Any) -> None:
    answer = site.app.test_client().post(path(site, ann), data=ONE_CLICK, content_type="multipart/form-data")

    assert answer.status_code == 200
    assert modes(site, ann) == ("never", {})


@every_database
def test_it_takes_what_waits_out_of_the_mail(site: Site, ann: Any) -> None:
    with site.app.app_context():
        site.notify.send("News", to=site.user(ann))
        site.db.session.commit()

    site.app.test_client().post(path(site, ann, "system"), data=ONE_CLICK)

    with site.app.app_context():
        (message,) = site.user(ann).messages_received
        assert message.mail_due_at is None
        assert not message.seen
        due = select(site.notify.models.inbox.c.mail_due_at)
        assert list(site.db.session.scalars(due)) == [None]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_looking_at_the_page_changes_nothing(site: Site, ann: Any, method: str) -> None:
    address = path(site, ann)
    with site.app.app_context(), statements(site) as seen:
        answer = site.app.test_client().open(address, method=method)

    assert answer.status_code == 200
    assert modes(site, ann) == (None, {})
    assert seen == []


def test_the_pages_own_form_does_what_a_mail_program_does(site: Site, ann: Any) -> None:
    page = site.app.test_client().get(path(site, ann)).text

    assert '<form method="post">' in page
    assert '<input type="hidden" name="List-Unsubscribe" value="One-Click">' in page


@pytest.mark.parametrize("data", [{}, {"List-Unsubscribe": "no"}, {"mail_mode": "often"}])
def test_a_post_that_does_not_say_so_changes_nothing(site: Site, ann: Any, data: dict[str, str]) -> None:
    answer = site.app.test_client().post(path(site, ann), data=data)

    assert answer.status_code == 400
    assert "<form" in answer.text
    assert modes(site, ann) == (None, {})


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_there_is_nothing_else_to_do(site: Site, ann: Any, method: str) -> None:
    assert site.app.test_client().open(path(site, ann), method=method, data=ONE_CLICK).status_code == 405


def test_clicking_twice_is_as_good_as_once(site: Site, ann: Any) -> None:
    address, client = path(site, ann), site.app.test_client()

    answers = [client.post(address, data=ONE_CLICK) for _ in range(2)]

    assert answers[0].data == answers[1].data
    assert modes(site, ann) == ("never", {})


@every_database
def test_clicks_at_the_same_time_are_as_good_as_one(site: Site, ann: Any) -> None:
    addresses = [path(site, ann), path(site, ann, "replied")] * 3
    together = threading.Barrier(len(addresses))
    answers = []

    def click(address: str) -> None:
        client = site.app.test_client()
        together.wait(60)
        answers.append(client.post(address, data=ONE_CLICK).status_code)

    threads = [threading.Thread(target=click, args=(address,)) for address in addresses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [200] * len(addresses)
    assert modes(site, ann) == ("never", {"replied": "never"})


def test_unsubscribing_from_all_counts_for_more_than_what_was_chosen_per_type(site: Site, ann: Any) -> None:
    choose(site, ann, "weekly", replied="daily", system="never", private="silent")

    site.app.test_client().post(path(site, ann), data=ONE_CLICK)

    assert modes(site, ann) == ("never", {"replied": "never", "system": "never", "private": "silent"})


@pytest.mark.parametrize("kind", [None, "replied"])
def test_whoever_wants_nothing_at_all_gets_no_more_by_it(site: Site, ann: Any, kind: str | None) -> None:
    choose(site, ann, "silent")

    site.app.test_client().post(path(site, ann, kind), data=ONE_CLICK)

    assert modes(site, ann) == ("silent", {})


def test_whoever_is_logged_in_the_token_says_whom_it_is_for(site: Site, ann: Any) -> None:
    bob = site.add_user("bob")

    site.client(bob).post(path(site, ann), data=ONE_CLICK)

    assert modes(site, ann) == ("never", {})
    assert modes(site, bob) == (None, {})


def test_a_token_opens_nothing_else(site: Site, ann: Any) -> None:
    token = path(site, ann).rpartition("/")[2]
    client = site.app.test_client()
    client.set_cookie("session", token)

    assert client.get("/notifications").status_code == 401
    assert client.get(f"/notifications?since={token}").status_code == 401
    answer = client.get("/notifications", headers={"If-None-Match": f'"{token}"', "Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


def test_the_page_does_not_tell_whose_token_it_is(site: Site) -> None:
    name = "ann.of.the.secret.name"
    address, client = path(site, site.add_user(name)), site.app.test_client()

    pages = [client.get(address).text, client.post(address, data=ONE_CLICK).text]

    assert not [page for page in pages if name in page]


def test_no_other_site_and_no_cache_gets_to_know_the_address(site: Site, ann: Any) -> None:
    client = site.app.test_client()

    for address in (path(site, ann), "/unsubscribe/wrong"):
        for answer in (client.get(address), client.post(address, data=ONE_CLICK)):
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["X-Robots-Tag"] == "noindex"


def test_an_applications_csrf_protection_lets_it_pass_and_nothing_else(site: Site, ann: Any) -> None:
    CSRFProtect(site.app)  # after the extension, as it may be
    client = site.app.test_client()

    assert client.post(path(site, ann), data=ONE_CLICK).status_code == 200
    assert modes(site, ann) == ("never", {})
    assert client.post(f"/login/{ann}").status_code == 400


def test_a_wrong_token_is_not_found(site: Site, ann: Any) -> None:
    good = path(site, ann)
    client = site.app.test_client()

    for wrong in (
        good[:-1],
        good + "A",
        good.replace("/unsubscribe/", "/unsubscribe/A"),
        "/unsubscribe/.",
        "/unsubscribe/é",
    ):
        assert client.get(wrong).status_code == 404
        answer = client.post(wrong, data=ONE_CLICK)
        assert answer.status_code == 404
        assert "This link does not work" in answer.text
    assert modes(site, ann) == (None, {})


def test_the_token_of_another_type_or_user_cannot_be_made_from_ones_own(site: Site, ann: Any) -> None:
    bob = site.add_user("bob")
    mine, theirs = path(site, ann, "replied"), path(site, bob)
    swapped = theirs.rpartition(".")[0] + "." + mine.rpartition(".")[2]

    assert site.app.test_client().post(swapped, data=ONE_CLICK).status_code == 404
    assert modes(site, bob) == (None, {})


def test_tokens_for_another_purpose_are_refused(site: Site, ann: Any) -> None:
    client = site.client(ann)
    session = client.get_cookie("session")
    ticket = client.get("/notifications").headers["ETag"].strip('"')
    assert session

    for token in (session.value, ticket, session.value.partition(".")[0]):
        assert client.post(f"/unsubscribe/{token}", data=ONE_CLICK).status_code == 404
    assert modes(site, ann) == (None, {})


@given(token=st.text() | st.from_regex(r"[A-Za-z0-9_.-]*"))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_other_text_is_a_token(site: Site, token: str) -> None:
    with site.app.app_context():
        assert read_token(site.notify.models, site.app.extensions["notify"].settings, token) is None


@pytest.mark.parametrize("kind", KEYS)
def test_every_kind_of_key_comes_back(build: Callable[..., Site], kind: str) -> None:
    site = build(key=kind)
    key = site.add_user("ann")
    with site.app.app_context():
        state = site.app.extensions["notify"]
        token = make_token(state.settings, Subscription(key, "replied"))
        assert token
        assert read_token(site.notify.models, state.settings, token) == Subscription(key, "replied")


def test_a_key_of_a_kind_that_the_users_no_longer_have_is_refused(build: Callable[..., Site], site: Site) -> None:
    with site.app.app_context():
        state = site.app.extensions["notify"]
        for key in (str(uuid.uuid4()), "1", 2**70):
            token = make_token(state.settings, Subscription(key, None))
            assert token
            assert read_token(site.notify.models, state.settings, token) is None
    other = build(key="uuid", tables=False)
    assert other.app.test_client().get(path(site, 1)).status_code == 404


def test_a_link_survives_a_rotation_of_the_keys(build: Callable[..., Site]) -> None:
    site = build(SECRET_KEY_FALLBACKS=None)
    ann = site.add_user("ann")
    by_the_first = path(site, ann)

    rotate(site.app, secret_key="the second", fallbacks=["for the tests only"])
    by_the_second = path(site, ann)
    rotate(site.app, secret_key="the third", fallbacks=["for the tests only", "the second"], own="our own")

    client = site.app.test_client()
    links = [by_the_first, by_the_second, path(site, ann)]
    assert len(set(links)) == 3
    assert [client.get(link).status_code for link in links] == [200, 200, 200]
    rotate(site.app, secret_key="stolen", fallbacks=None, own="our own")
    assert [client.get(link).status_code for link in links] == [404, 404, 200]


def rotate(app: Flask, *, secret_key: str, fallbacks: list[str] | None, own: str | None = None) -> None:
    """Change what an application signs with."""
    app.secret_key = secret_key
    app.config["SECRET_KEY_FALLBACKS"] = fallbacks
    app.extensions["notify"].settings.unsubscribe_key = own


def test_without_any_key_no_link_is_made_and_none_is_good(site: Site, ann: Any) -> None:
    address = path(site, ann)
    site.app.secret_key = None

    with site.app.app_context():
        assert make_token(site.app.extensions["notify"].settings, Subscription(ann, None)) is None
        assert read_token(site.notify.models, site.app.extensions["notify"].settings, address[13:]) is None


def test_a_user_who_is_gone_and_a_type_that_is_gone_are_unsubscribed_already(site: Site, ann: Any) -> None:
    client = site.app.test_client()

    assert client.post(path(site, 4711), data=ONE_CLICK).status_code == 200
    assert client.post(path(site, ann, "long_gone"), data=ONE_CLICK).status_code == 200
    assert modes(site, ann) == (None, {})
