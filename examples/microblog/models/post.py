"""What people write."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..extensions import Model
from ..times import UtcDateTime, utcnow
from .user import User

#: How many characters a post may have.
MAX_LENGTH = 280


class Post(Model):
    """A few lines by one person."""

    __tablename__ = "post"
    # Keys are never reused, or a new post could look like one already seen.
    __table_args__ = (
        sa.Index("ix_post_author_id_id", "author_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("user.id", ondelete="CASCADE"))
    body: Mapped[str] = mapped_column(sa.String(MAX_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    author: Mapped[User] = relationship()
