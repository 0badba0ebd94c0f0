"""`GET /messages/<id>` and the target's own page: only a recipient's own navigation marks a message seen."""

from __future__ import annotations

from typing import Any

import pytest

from flask_notify import current_notify
from tests.apps import Site

from .letterbox import JSON, NAVIGATION, send, unseen

pytestmark = pytest.mark.databases("sqlite")
every_database = pytest.mark.databases("sqlite", "postgresql", "mariadb")

NO_VISITS = {
    "a scanner, which sends no such headers": ("get", {}),
    "HEAD": ("head", NAVIGATION),
    "OPTIONS": ("options", NAVIGATION),
    "fetch()": ("get", {**NAVIGATION, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}),
    "an image": ("get", {**NAVIGATION, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}),
    "an iframe": ("get", {**NAVIGATION, "Sec-Fetch-Dest": "iframe"}),
    "a prefetch": ("get", {**NAVIGATION, "Sec-Purpose": "prefetch"}),
    "a prerendered page": ("get", {**NAVIGATION, "Sec-Purpose": "prefetch;prerender"}),
    "a prefetch of an older browser": ("get", {**NAVIGATION, "Purpose": "prefetch"}),
    "a preview": ("get", {**NAVIGATION, "X-Purpose": "preview"}),
}


@pytest.fixture
def key(site: Site) -> Any:
    return site.add_user("susan")


@every_database
def test_following_the_link_of_a_message_marks_it_seen_and_leads_on(site: Site, key: Any) -> None:
    first, _ = send(site, key, "first", "second", url="/posts/7?a=b#c")

    followed = site.client(key).get(f"/messages/{first}", headers=NAVIGATION)

    assert (followed.status_code, followed.location) == (302, "/posts/7?a=b#c")
    assert unseen(site, key) == {"second"}


def test_it_does_not_matter_where_the_link_stood(site: Site, key: Any) -> None:
    client = site.client(key)

    for where in ("none", "same-origin", "same-site", "cross-site"):
        (number,) = send(site, key, "mailed")
        client.get(f"/messages/{number}", headers={**NAVIGATION, "Sec-Fetch-Site": where})
        assert unseen(site, key) == set(), where


def test_what_is_no_navigation_of_a_person_changes_nothing(site: Site, key: Any) -> None:
    (number,) = send(site, key, "mailed", url="/posts/7")
    client = site.client(key)

    for kind, (method, headers) in NO_VISITS.items():
        getattr(client, method)(f"/messages/{number}", headers=headers)
        assert unseen(site, key) == {"mailed"}, kind


@every_database
def test_nobody_else_opens_a_message(site: Site, key: Any) -> None:
    (number,) = send(site, key, "for susan alone", url="/posts/7")
    other = site.client(site.add_user("david"))

    refused, anonymous = (c.get(f"/messages/{number}", headers=NAVIGATION) for c in (other, site.client()))

    assert (refused.status_code, anonymous.status_code) == (404, 401)
    assert "susan" not in refused.text
    assert unseen(site, key) == {"for susan alone"}


@every_database
def test_a_message_that_there_cannot_be_is_not_found(site: Site, key: Any) -> None:
    client = site.client(key)

    for number in ("0", "77", str(2**63 - 1), str(2**63), "9" * 400, "-1", "1.5", "x"):
        assert client.get(f"/messages/{number}", headers=NAVIGATION).status_code == 404, number


def test_a_message_without_a_link_is_shown(site: Site, key: Any) -> None:
    (number,) = send(site, key, "Backup finished", body="All of it.")

    page = site.client(key).get(f"/messages/{number}", headers=NAVIGATION)

    assert page.status_code == 200
    assert "<h1" in page.text
    assert "Backup finished" in page.text
    assert "All of it." in page.text
    assert "data-notify-auto" not in page.text  # it is seen already


def test_where_a_browser_tells_nothing_the_page_has_a_form(site: Site, key: Any) -> None:
    (number,) = send(site, key, "Backup finished")

    page = site.client(key).get(f"/messages/{number}").text

    assert "data-notify-auto" in page
    assert f'name="ids" value="{number}"' in page


def test_a_program_gets_one_message_as_json(site: Site, key: Any) -> None:
    (number,) = send(site, key, "Backup finished", url="/posts/7")

    told: Any = site.client(key).get(f"/messages/{number}", headers=JSON)

    assert (told.json["id"], told.json["url"], told.json["seen"]) == (number, "/posts/7", False)


def test_an_opened_message_is_out_of_the_badge_of_its_own_page(site: Site, key: Any) -> None:
    (number,) = send(site, key, "Backup finished")

    page = site.client(key).get(f"/messages/{number}", headers=NAVIGATION).text

    assert 'data-notify-count="0"' in page


# The target's own page


@pytest.fixture
def page_of_david(site: Site, key: Any) -> str:  # noqa: ARG001  # susan is stored first
    """The path of a page about david, whose view says what it shows."""
    david = site.add_user("david")

    def show_david() -> str:
        marked = current_notify.seen_by_visit(site.user(david))
        if marked:
            site.db.session.commit()
        return str(marked)

    site.app.add_url_rule("/david", "david", show_david)
    return "/david"


def send_about_david(site: Site, key: Any, subject: str) -> None:
    with site.app.app_context():
        david = site.db.session.query(site.User).filter_by(name="david").one()
        site.notify.send(subject, to=site.user(key), target=david)
        site.db.session.commit()


@every_database
def test_visiting_the_page_of_a_target_marks_what_is_about_it(site: Site, key: Any, page_of_david: str) -> None:
    send_about_david(site, key, "about david")
    send_about_david(site, key, "about david, too")
    send(site, key, "about nothing")

    marked = site.client(key).get(page_of_david, headers=NAVIGATION)

    assert marked.text == "2"
    assert unseen(site, key) == {"about nothing"}


def test_a_target_is_seen_by_a_persons_own_navigation_only(site: Site, key: Any, page_of_david: str) -> None:
    send_about_david(site, key, "about david")
    client = site.client(key)

    for kind, (method, headers) in NO_VISITS.items():
        getattr(client, method)(page_of_david, headers=headers)
        assert unseen(site, key) == {"about david"}, kind


def test_who_visits_a_target_marks_nothing_of_others(site: Site, key: Any, page_of_david: str) -> None:
    send_about_david(site, key, "about david")
    other = site.client(site.add_user("ann"))

    assert other.get(page_of_david, headers=NAVIGATION).text == "0"
    assert site.client().get(page_of_david, headers=NAVIGATION).text == "0"
    assert unseen(site, key) == {"about david"}


def test_a_target_of_which_all_is_seen_needs_no_commit(site: Site, key: Any, page_of_david: str) -> None:
    client = site.client(key)
    send_about_david(site, key, "about david")
    client.get(page_of_david, headers=NAVIGATION)

    assert client.get(page_of_david, headers=NAVIGATION).text == "0"


def test_outside_of_a_request_nobody_visits(site: Site, key: Any) -> None:
    with site.app.app_context():
        assert site.notify.seen_by_visit(site.user(key)) == 0
