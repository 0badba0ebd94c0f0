"""Where the users live in a database of their own, their letters and choices do too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flask_notify.mailing.letter import render
from tests.apps import Site
from tests.notes import add_models
from tests.web.letterbox import listed, post_json, send, subjects, unseen
from tests.web.test_preferences import save, settings_of
from tests.web.test_unsubscribe import ONE_CLICK, modes, path

pytestmark = pytest.mark.databases("sqlite")


@pytest.fixture
def site(build: Callable[..., Site], tmp_path: Path) -> Site:
    """An application whose users live elsewhere than what they are told of."""
    return build(
        attributes={"__bind_key__": "people"},
        SQLALCHEMY_BINDS={"people": f"sqlite:///{tmp_path / 'people.sqlite'}"},
        NOTIFY_BASE_URL="https://example.org",
    )


def test_a_letter_tells_of_targets_in_another_database(site: Site) -> None:
    Post = add_models(site)["Post"]
    ann, bob = site.add_user("ann"), site.add_user("bob")
    with site.app.app_context():
        post = Post(title="Tea")
        site.db.session.add(post)
        site.db.session.commit()
        site.notify.send("Bob has written", to=site.user(ann), sender=site.user(bob), target=post)
        site.db.session.commit()

        user: Any = site.user(ann)
        letter = render(site.notify.models, site.app.extensions["notify"].settings, user, list(user.messages_received))

    assert letter.subject == "Bob has written"
    assert letter.unsubscribe_url


def test_choices_are_kept_where_the_users_are(site: Site) -> None:
    ann = site.add_user("ann")

    assert save(site, ann, {"System messages": "daily"}, timezone="Asia/Kolkata").status_code == 303
    assert site.app.test_client().post(path(site, ann), data=ONE_CLICK).status_code == 200

    assert modes(site, ann) == ("never", {"system": "never"})
    assert settings_of(site, ann)["timezone"] == "Asia/Kolkata"


def test_an_inbox_is_where_its_user_is(site: Site) -> None:
    ann, _ = site.add_user("ann"), site.add_user("bob")
    first, *_ = send(site, ann, "One", "Two", "Three")
    client = site.client(ann)

    assert subjects(listed(client)) == ["Three", "Two", "One"]
    assert client.get("/messages").status_code == 200
    assert post_json(client, "/messages/seen", {"ids": [str(first)]}).status_code == 200
    assert client.get("/send_message/bob").status_code == 200
    assert client.get("/notifications/desktop?since=0").json["unseen_count"] == 2  # type: ignore[index]
    assert unseen(site, ann) == {"Two", "Three"}


@pytest.mark.parametrize(
    "command", ["recount", "reset-cursors", "expire", "digest --dry-run", "drain", "why ann", "inbox ann"]
)
def test_commands_find_inboxes_where_their_users_are(site: Site, command: str) -> None:
    ann = site.add_user("ann")
    send(site, ann, "One")

    result = site.app.test_cli_runner().invoke(args=["notify", *command.split()])

    assert result.exit_code == 0, result.output


def test_what_goes_to_many_reaches_inboxes_where_they_are(site: Site) -> None:
    site.app.extensions["notify"].settings.inline_recipients = 1
    ann, bob = site.add_user("ann"), site.add_user("bob")
    with site.app.app_context():
        site.notify.send("All of you", to=[site.user(ann), site.user(bob)])
        site.notify.broadcast("maintenance", {"at": "22:00"})
        site.db.session.commit()
        site.notify.drain()

    assert unseen(site, ann) == unseen(site, bob) == {"All of you"}
