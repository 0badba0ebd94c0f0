"""A recipient who navigates to what a message is about has seen the message.

This is the one change that a GET makes, so it has to be a real top-level navigation: what a
browser does when a person follows a link or enters an address. Browsers tell in headers that no
script can set (https://www.w3.org/TR/fetch-metadata/), and which mail scanners do not send. An
``<img>``, an ``<iframe>``, ``fetch()`` and a prefetch are no visits. Without these headers (an
old browser; a site without HTTPS) nothing is changed, and the page's own form does it.
"""

from __future__ import annotations

from typing import Any

from flask import has_request_context, request
from sqlalchemy import select

from ..messages.outgoing import target_of
from ..recipient import RecipientMixin, models_of
from .poll import current_recipient, recipient_key

_PURPOSES = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


def is_visit() -> bool:
    """Whether the current request is a person's own navigation of a whole page."""
    if not has_request_context() or request.method != "GET":
        return False
    headers = request.headers
    if headers.get("Sec-Fetch-Mode") != "navigate" or headers.get("Sec-Fetch-Dest") != "document":
        return False
    return not any(word in headers.get(name, "") for name in _PURPOSES for word in ("prefetch", "prerender", "preview"))


def seen_by_visit(target: Any) -> int:
    """Mark the messages about an object seen, if the current request is its recipient's own visit.

    Call it in the view of the object's page. As with all that emits, the caller commits:
    ``if current_notify.seen_by_visit(post): db.session.commit()``.

    :param target: an instance of one of your models, as messages were given it.
    :return: how many messages that are unseen it has marked; 0 needs no commit.
    """
    user = current_recipient() if is_visit() else None
    if user is None:
        return 0
    found = _unseen_about(user, target)
    if found:
        user.mark_seen(*found)
    return len(found)


def _unseen_about(user: RecipientMixin, target: Any) -> list[int]:
    models = models_of(user)
    message = models.message.c
    target_type, target_id = target_of(target)
    about = select(message.id).where(
        message.recipient_id == recipient_key(user),
        message.seen_at.is_(None),
        message.target_type == target_type,
        message.target_id == target_id,
    )
    return list(models.db.session.scalars(about, bind_arguments={"clause": models.inbox}))
