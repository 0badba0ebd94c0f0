"""To mark several messages at once: an action on selected rows."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from flask_notify import Action, ActionRequest

from ..extensions import notify

# The extension's own model, as it was made on this application's tables.
Message = notify.Message


@notify.action
class MarkSeen(Action):
    """Mark the messages that were ticked."""

    label = "Mark as seen"
    target = Message
    select = "many"

    def get_query(self, ar: ActionRequest) -> sa.Select[Any]:
        """Find one's own messages alone: others' are not there, whatever number somebody sends."""
        return sa.select(Message).where(Message.recipient_id == (None if ar.user is None else ar.user.id))

    def permitted(self, ar: ActionRequest, message: Any) -> bool:
        """Let people mark their own messages."""
        return ar.user is not None and message.recipient_id == ar.user.id

    def run(self, ar: ActionRequest, messages: list[Any]) -> None:
        """Mark all of them, however many, in as many statements as one takes."""
        ar.user.mark_seen(*messages)
        ar.success(f"{len(messages)} marked as seen.", refresh=True)
