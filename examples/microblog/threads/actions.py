"""What can be done with a thread and with a comment, besides writing."""

from __future__ import annotations

import sqlalchemy as sa

from flask_notify import Action, ActionRequest, NotifyingAction

from ..extensions import db, notify
from ..models import Comment, Thread


@notify.action
class CloseThread(NotifyingAction):
    """End a discussion, and tell those who took part, in words of one's own."""

    label = "Close thread"
    help_text = "Nothing more can be said in it. Those who took part are told."
    target = Thread
    danger = True
    # Who comments at the same time takes a turn: before it is closed, or not at all.
    lock_rows = True

    def permitted(self, ar: ActionRequest, thread: Thread) -> bool:
        """Let its author, or an administrator, close a thread that is open."""
        return not thread.closed and thread.can_be_edited_by(ar.user)

    def get_notify_subject(self, ar: ActionRequest, thread: Thread) -> str:
        """Begin with who did what."""
        return f"{ar.user} has closed {thread}"

    def get_notify_recipients(self, ar: ActionRequest, thread: Thread) -> sa.Select[tuple[int]]:  # noqa: ARG002
        """Tell everybody who said something in it, by a query of keys; who has muted the thread is not told."""
        return thread.participants

    def run(self, ar: ActionRequest, thread: Thread) -> None:
        """Ask once more: it ends what others are saying."""
        ar.confirm(f"Close {thread}? Nothing more can be said in it.", uid="close")
        thread.closed = True
        ar.success("Closed.", refresh=True)


@notify.action
class ReopenThread(Action):
    """Let people speak in a thread again. Those who watch it hear of it, as of any change."""

    label = "Reopen thread"
    target = Thread
    lock_rows = True

    def permitted(self, ar: ActionRequest, thread: Thread) -> bool:
        """Let its author, or an administrator, reopen a thread that is closed."""
        return thread.closed and thread.can_be_edited_by(ar.user)

    def run(self, ar: ActionRequest, thread: Thread) -> None:
        """Open it."""
        thread.closed = False
        ar.success("Open again.", refresh=True)


@notify.action
class DeleteComment(Action):
    """Take back what one has said."""

    label = "Delete"
    target = Comment
    danger = True

    def permitted(self, ar: ActionRequest, comment: Comment) -> bool:
        """Let people delete what they said, and administrators what anybody said."""
        return comment.can_be_deleted_by(ar.user)

    def run(self, ar: ActionRequest, comment: Comment) -> None:
        """Ask, and delete it."""
        ar.confirm("Delete this comment?", uid="delete")
        db.session.delete(comment)
        ar.success("Deleted.", record_deleted=True)
