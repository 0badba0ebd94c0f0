"""What the tests of the inbox share: sending, asking as a browser or a program does, and posting with a token."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from tests.apps import Site

if TYPE_CHECKING:
    from flask.testing import FlaskClient

JSON = {"Accept": "application/json"}
NAVIGATION = {
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-User": "?1",
}


def send(site: Site, key: Any, *subjects: str, **options: Any) -> list[int]:
    """Send messages, each at a commit of its own, and return their keys."""
    sent: list[Any] = []
    for subject in subjects:
        with site.app.app_context():
            site.notify.send(subject, to=site.user(key), **options)
            site.db.session.commit()
            sent.append(site.db.session.scalar(select(func.max(site.notify.Message.id))))
    return sent


def listed(client: FlaskClient, path: str = "/messages", **query: Any) -> dict[str, Any]:
    """Return a page of messages as JSON."""
    response: Any = client.get(path, query_string=query or None, headers=JSON)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json
    return page


def subjects(page: dict[str, Any]) -> list[str]:
    """Return what the messages of a page are called."""
    return [message["subject"] for message in page["messages"]]


def unseen(site: Site, key: Any) -> set[str]:
    """Return the subjects of a recipient's unseen messages; their stored count must be right."""
    Message, Inbox = site.notify.Message, site.notify.Inbox
    with site.app.app_context():
        mine = select(Message.subject).where(Message.recipient_id == key, Message.seen_at.is_(None))
        found = list(site.db.session.scalars(mine))
        count = site.db.session.scalar(select(Inbox.unseen_count).where(Inbox.recipient_id == key))
        assert count == len(found)
        return set(found)


def token(client: FlaskClient) -> str:
    """Return a new token, as the page's script gets it."""
    response: Any = client.get("/notifications/csrf", headers=JSON)
    return str(response.json["token"])


def post(client: FlaskClient, path: str, data: dict[str, Any] | None = None, **headers: str) -> Any:
    """Post a form as a browser without a script does."""
    return client.post(path, data={"csrf_token": token(client), **(data or {})}, headers=headers)


def post_json(client: FlaskClient, path: str, data: dict[str, Any] | None = None) -> Any:
    """Post a form as the page's script does."""
    return post(client, path, data, **JSON)


def hidden(html: str, name: str) -> list[str]:
    """Return the values of the hidden fields of that name."""
    return re.findall(rf'name="{name}" value="([^"]*)"', html)
