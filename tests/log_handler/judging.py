"""What the tests of the handler share: a judge that logs, and a look at the inboxes."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from sqlalchemy import select

from flask_notify import Notify
from tests.apps import Site


def register(notify: Notify) -> None:
    """Register a function that tells the record's user of points."""

    @notify.on_log("judged")
    def tell(record: Any) -> None:
        user = notify.db.session.get(notify.models.user_mapper.class_, record.user)
        notify.send_notification(user, "judged", "%(points)s points", {"points": record.points})


def judged(user: Any, points: int = 1) -> dict[str, Any]:
    """Return what a record has beside its text."""
    return {"notification": "judged", "user": user, "points": points}


def told(site: Site, key: Any) -> list[str]:
    """Return the subjects of a user's messages, oldest first, as another connection sees them."""
    Message: Any = site.notify.Message
    with site.app.app_context():
        query = select(Message.subject).where(Message.recipient_id == key).order_by(Message.cursor)
        return list(site.db.session.scalars(query))


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the extension has complained of."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "flask_notify" and record.levelno >= logging.ERROR
    ]
