"""When somebody was last here."""

from __future__ import annotations

from datetime import timedelta

from flask import request
from flask_login import current_user

from .extensions import db
from .times import utcnow

#: How stale ``last_seen`` may get before it is written again.
PRECISION = timedelta(minutes=1)

_NOT_PRESENCE = frozenset({"static", "main.avatar", "notify.static", "notify.poll", "notify.latest", "notify.csrf"})


def note_presence() -> None:
    """Write down that the user is here: a poll or an asset is no sign of that."""
    if request.endpoint in _NOT_PRESENCE or not current_user.is_authenticated:
        return
    now = utcnow()
    if now - current_user.last_seen >= PRECISION:
        current_user.last_seen = now
        db.session.commit()
