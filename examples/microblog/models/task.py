"""Work that goes on behind the page."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from ..times import UtcDateTime, utcnow
from .user import User

#: A running task that has not been heard of for so long has died.
SILENCE = timedelta(seconds=60)


class TaskState(enum.Enum):
    """How far a task is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Task(Model):
    """One piece of work for one person, done by a thread of its own."""

    __tablename__ = "task"
    __table_args__ = (sa.Index("ix_task_user_id_created_at", "user_id", "created_at"),)

    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True, default=lambda: str(uuid.uuid4()))
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    state: Mapped[TaskState] = mapped_column(
        sa.Enum(TaskState, native_enum=False, length=16), default=TaskState.RUNNING
    )
    progress: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    heard_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    user: Mapped[User] = relationship()

    @property
    def live_name(self) -> str:
        """The name under which the page hears of the progress."""
        return f"task_progress:{self.id}"

    def state_at(self, now: datetime) -> TaskState:
        """Tell the state; who stopped without a word has failed."""
        silent = now - self.heard_at > SILENCE
        if self.state is TaskState.RUNNING and silent:
            return TaskState.FAILED
        return self.state
