"""The inbox, which is a recipient's one row, and the live values."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from sqlalchemy import Boolean, Double, Index, Integer, String, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from .columns import JSON_TEXT_TYPE, MODE_TYPE, NAME_TYPE, RecipientKey


class InboxColumns:
    """One row per recipient: the lock that orders writers, the answer to an idle poll, and the settings."""

    __tablename__ = "notify_inbox"

    recipient_id: Mapped[RecipientKey]
    cursor: Mapped[float] = mapped_column(Double, nullable=False, default=0.0, server_default="0")
    """The newest timestamp, in Unix seconds; strictly increasing, in commit order."""
    reset_cursor: Mapped[float] = mapped_column(Double, nullable=False, default=0.0, server_default="0")
    """A ``since`` older than this gets the whole state (see ``flask notify reset-cursors``)."""
    unseen_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0, server_default="0")
    unseen_cursor: Mapped[float] = mapped_column(Double, nullable=False, default=0.0, server_default="0")
    """The cursor at which the messages changed last."""
    # What came with the messages stands below, in the order in which a migration adds it: at the end.
    created_at: Mapped[float] = mapped_column(Double, nullable=False, default=0.0, server_default="0")
    """Unix seconds; a broadcast that began earlier is not for this recipient."""
    mail_due_at: Mapped[float | None] = mapped_column(Double, nullable=True)
    """Unix seconds at which the next mail is due, or None while no message owes one."""
    mail_mode: Mapped[str | None] = mapped_column(MODE_TYPE, nullable=True)
    """The recipient's own :class:`.MailMode` in general; None is no opinion."""
    timezone: Mapped[str | None] = mapped_column(String(64), nullable=True)
    """An IANA name ("Europe/Berlin"); None is the application's."""
    locale: Mapped[str | None] = mapped_column(String(35), nullable=True)
    """A language ("de"); None is the application's."""
    notify_myself: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False, server_default="0")
    """Whether the recipient is told of their own doing."""
    widget_hidden: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False, server_default="0")
    """Whether the recipient has switched the dashboard widget off."""
    muted: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False, server_default="0")
    """Whether nothing is to interrupt the recipient: no push, no desktop notification, no popup."""
    desktop: Mapped[bool | None] = mapped_column(Boolean, nullable=True)
    """Whether open pages show desktop notifications; None is no opinion, which is yes."""
    push: Mapped[bool | None] = mapped_column(Boolean, nullable=True)
    """Whether messages are pushed in general; None is no opinion: as their types say."""

    # Most inboxes owe no mail: only those that do are in the index, where a database can do that.
    @declared_attr.directive
    def __table_args__(cls) -> Any:
        owed = text("mail_due_at IS NOT NULL")
        return (Index("ix_notify_inbox_mail_due_at", "mail_due_at", postgresql_where=owed, sqlite_where=owed),)


class NotificationColumns:
    """A live, named value for one recipient; writing a name replaces it."""

    __tablename__ = "notify_notification"
    # The primary key is the table itself: no second index to keep, and a recipient's names
    # lie side by side. (InnoDB does this by itself.)
    __table_args__: ClassVar[dict[str, Any]] = {"sqlite_with_rowid": False}

    recipient_id: Mapped[RecipientKey]
    # MariaDB's default collation takes Task and task for one name; the others do not.
    name: Mapped[str] = mapped_column(NAME_TYPE, primary_key=True)
    timestamp: Mapped[float] = mapped_column(Double, nullable=False)
    """Unix seconds, given at the commit; None until then."""
    # Text, and no JSON type: a JSON column of SQLite turns 2**70 into a float and 1.0 into 1,
    # and PostgreSQL's would have to be cast back to the text that the poll passes on.
    payload_json: Mapped[str | None] = mapped_column("payload", JSON_TEXT_TYPE, nullable=True)
    """The JSON text of the value; None where the name was removed."""
    expires_at: Mapped[float | None] = mapped_column(Double, nullable=True)
    """Unix seconds after which the value is gone, or None."""
    # Not false(): Alembic writes that as the database at hand has it, and 0 is no Boolean elsewhere.
    removed: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False, server_default="0")

    def get_data(self) -> Any:
        """Return the value that was emitted; None where the name was removed."""
        return None if self.payload_json is None else json.loads(self.payload_json)

    @property
    def payload(self) -> Any:
        """The value, as :meth:`get_data` gives it."""
        return self.get_data()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} for {self.recipient_id!r}>"
