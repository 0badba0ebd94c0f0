"""Browser messages: shown by the pages that are open, kept nowhere (row H1; Lino's ``send_browser_message``)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from ..config import Settings
from ..live import notifications
from ..models import Models, NotificationColumns
from . import fanout
from .message_types import Registry, make_text

NAME = "browser_message"
"""The name of the live value."""

EXPIRES_IN = 60
"""Seconds for which a page that asks seldom, or was asleep, may still show one."""


def send(
    models: Models, settings: Settings, user: Any, subject: str, body: str | None, url: str | None
) -> NotificationColumns:
    """Show a user's open pages a message (see :meth:`.RecipientMixin.send_browser_message`)."""
    data = _data(subject, body, url)
    return notifications.add(models, user, NAME, data, expires_in=EXPIRES_IN, max_payload=settings.max_payload)


def send_to_all(
    models: Models, settings: Settings, types: Registry, subject: str, body: str | None, url: str | None
) -> int:
    """Show everybody's open pages a message; return how many users there are."""
    return fanout.broadcast(models, settings, types, NAME, _data(subject, body, url), expires_in=EXPIRES_IN)


def _data(subject: str, body: str | None, url: str | None) -> dict[str, Any]:
    # As of a message, but that nothing in it is markup.
    text = make_text(subject, None if body is None else "".join(str(body)), url)
    return {"id": uuid4().hex, "subject": text.subject, "body": text.body, "url": text.url}
