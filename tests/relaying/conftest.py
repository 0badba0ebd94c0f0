"""An application whose messages go to queues, and a broker that keeps what it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.apps import Site

SETTINGS: dict[str, Any] = {
    "NOTIFY_RELAY_QUEUES": True,
    "NOTIFY_BROKER_URL": "memory://relaying",
    "NOTIFY_BASE_URL": "https://example.org/forum",
}


@pytest.fixture
def site(build: Callable[..., Site]) -> Site:
    """An application with queues, and integer keys."""
    return build(**SETTINGS)


@pytest.fixture
def session(site: Site) -> Iterator[Session]:
    """The session of the test's application context."""
    with site.app.app_context():
        yield site.db.session()


@pytest.fixture
def susan(site: Site) -> Any:
    """The key of a user."""
    return site.add_user("susan")


def envelopes(site: Site, key: Any = None) -> list[dict[str, Any]]:
    """Return what waits for the broker, oldest first; of everybody, or of one recipient."""
    Relay: Any = site.notify.Relay
    query = select(Relay.envelope).order_by(Relay.id)
    if key is not None:
        query = query.where(Relay.recipient_id == key)
    with site.app.app_context():
        return [json.loads(text) for text in site.db.session.scalars(query)]


def said(site: Site, key: Any = None) -> list[str]:
    """Return the texts of what waits."""
    return [envelope["message"] for envelope in envelopes(site, key)]
