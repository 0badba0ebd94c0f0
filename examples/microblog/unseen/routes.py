"""The page where one sorts through what one has not seen yet."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask_login import current_user, login_required
from sqlalchemy.orm import joinedload

from ..extensions import db
from .actions import MarkSeen, Message

blueprint = Blueprint("unseen", __name__)

#: How many stand on the page; those that are marked make room for others.
SHOWN = 25


@blueprint.get("/unseen")
@login_required  # type: ignore[untyped-decorator]
def index() -> str:
    """List what one has not seen yet; other than the page of all messages, looking at it marks nothing."""
    query = current_user.messages_received.select().where(Message.seen_at.is_(None))
    query = query.options(joinedload(Message.sender)).order_by(Message.cursor.desc()).limit(SHOWN)
    rows = db.session.scalars(query).all()
    shown = current_user.show_messages(rows)
    return render_template("unseen/index.html", messages=list(zip(rows, shown, strict=True)), action=MarkSeen)
