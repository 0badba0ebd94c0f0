"""What the site asks of people who write, and who may look at what they wrote."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from flask import abort

from .extensions import db, notify
from .models import User
from .times import utcnow

#: So many private messages may one person write in a minute.
PER_MINUTE = 10


def not_too_fast(sender: User, _recipient: User) -> None:
    """Stop somebody who writes faster than people do."""
    Message = notify.Message
    minute_ago = utcnow() - timedelta(minutes=1)
    lately = sender.messages_sent.select().where(Message.type == "private", Message.created_at >= minute_ago)
    if (db.session.scalar(sa.select(sa.func.count()).select_from(lately.subquery())) or 0) >= PER_MINUTE:
        abort(429, "You are writing very fast. Please wait for a minute.")


def may_read_all(user: User) -> bool:
    """Tell whether somebody may see the list of all messages."""
    return user.is_admin
