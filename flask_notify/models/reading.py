"""Messages, and what recipients want to be told of."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import BigInteger, Boolean, Double, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from .columns import (
    ID_TYPE,
    JSON_TEXT_TYPE,
    MAX_SUBJECT,
    MAX_TYPE,
    MAX_URL,
    MODE_TYPE,
    TARGET_ID_TYPE,
    TARGET_TYPE_TYPE,
    TEXT_TYPE,
    RecipientKey,
    aware_time,
)

GROUP_INDEX = "ix_notify_message_recipient_id_group_key"
WATCHERS_INDEX = "ix_notify_watch_target_type_target_id"


class MessageColumns:
    """Something for one recipient to read; it stays until it has expired.

    Read it as any other model. It is written by :meth:`.Notify.send` and by what marks it seen,
    because the count of unseen messages is kept in the same commit.
    """

    __tablename__ = "notify_message"

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True, sort_order=-2)
    recipient_id: Mapped[RecipientKey]
    sender_id: Mapped[RecipientKey | None]
    type: Mapped[str] = mapped_column(String(MAX_TYPE), nullable=False)
    subject: Mapped[str] = mapped_column(String(MAX_SUBJECT), nullable=False)
    body: Mapped[str | None] = mapped_column(TEXT_TYPE, nullable=True)
    rich: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False, server_default="0")
    """Whether the body is sanitised HTML; otherwise it is plain text."""
    url: Mapped[str | None] = mapped_column(String(MAX_URL), nullable=True)
    data_json: Mapped[str | None] = mapped_column("data", JSON_TEXT_TYPE, nullable=True)
    target_type: Mapped[str | None] = mapped_column(String(128), nullable=True)
    target_id: Mapped[str | None] = mapped_column(String(255), nullable=True)
    cursor: Mapped[float] = mapped_column(Double, nullable=False)
    """Unix seconds, given under the inbox's lock: what "up to what was shown" means."""
    _created_at: Mapped[float] = mapped_column("created_at", Double, nullable=False)
    _seen_at: Mapped[float | None] = mapped_column("seen_at", Double, nullable=True)
    mail_mode: Mapped[str] = mapped_column(MODE_TYPE, nullable=False)
    rule: Mapped[str] = mapped_column(String(32), nullable=False)
    """The name of the rule that decided the mail mode (see :mod:`flask_notify.rules`)."""
    _mail_due_at: Mapped[float | None] = mapped_column("mail_due_at", Double, nullable=True)
    mail_id: Mapped[int | None] = mapped_column(BigInteger, nullable=True)
    """The key of the mail that tells of this message, once there is one."""
    _sent_at: Mapped[float | None] = mapped_column("sent_at", Double, nullable=True)
    count: Mapped[int] = mapped_column(Integer, nullable=False, default=1, server_default="1")
    """How many times it has been told while it was unseen."""
    group_key: Mapped[str | None] = mapped_column(String(64), nullable=True)
    """Equal for messages of which a recipient has at most one unseen; None once it was seen."""

    created_at = aware_time("_created_at")
    timestamp = aware_time("_created_at")
    """The same as ``created_at``: a template for the Mega-Tutorial's posts renders messages, too."""
    seen_at = aware_time("_seen_at")
    mail_due_at = aware_time("_mail_due_at")
    """When its mail is due, or None while it owes none."""
    sent_at = aware_time("_sent_at")
    """When the mail went out."""

    @declared_attr.directive
    def __table_args__(cls) -> Any:
        grouped = text("group_key IS NOT NULL")
        sent = text("sender_id IS NOT NULL")
        return (
            # The one order in which messages are read: a recipient's, by cursor. A constraint, because
            # it goes with its table: the downgrade that Alembic generates drops an index by itself,
            # which MariaDB refuses for the one that the foreign key needs.
            UniqueConstraint("recipient_id", "cursor", "id", name="uq_notify_message_recipient_id_cursor_id"),
            # One unseen message per recipient and group, on every database: NULLs differ.
            Index(
                GROUP_INDEX,
                "recipient_id",
                "group_key",
                unique=True,
                postgresql_where=grouped,
                sqlite_where=grouped,
            ),
            Index("ix_notify_message_sender_id", "sender_id", postgresql_where=sent, sqlite_where=sent),
            # A link in an old mail must not lead to a newer message.
            {"sqlite_autoincrement": True},
        )

    @property
    def seen(self) -> bool:
        """Whether the recipient has seen it."""
        return self._seen_at is not None

    @property
    def data(self) -> Any:
        """What the emitter gave with it."""
        return self.get_data()

    def get_data(self) -> Any:
        """Return what the emitter gave with it, or None."""
        return None if self.data_json is None else json.loads(self.data_json)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} ({self.type}) for {self.recipient_id!r}>"


class PreferenceColumns:
    """How one recipient wants one type of message to reach their mailbox."""

    __tablename__ = "notify_preference"

    recipient_id: Mapped[RecipientKey]
    type: Mapped[str] = mapped_column(String(MAX_TYPE), primary_key=True)
    mail_mode: Mapped[str] = mapped_column(MODE_TYPE, nullable=False)


class BlockColumns:
    """A sender from whom a recipient wants no private messages."""

    __tablename__ = "notify_block"

    recipient_id: Mapped[RecipientKey]
    sender_id: Mapped[RecipientKey]


class WatchColumns:
    """An object that a recipient watches: they are told of its changes, in a mode of their own if they have one."""

    __tablename__ = "notify_watch"
    recipient_id: Mapped[RecipientKey]
    # MariaDB's default collation takes the keys Home and home for one; the others do not.
    target_type: Mapped[str] = mapped_column(TARGET_TYPE_TYPE, primary_key=True)
    """The name of the object's model."""
    target_id: Mapped[str] = mapped_column(TARGET_ID_TYPE, primary_key=True)
    """The object's key as text."""
    mail_mode: Mapped[str | None] = mapped_column(MODE_TYPE, nullable=True)
    """The recipient's :class:`.MailMode` for this object; None is no opinion, ``silent`` is muted."""

    # By recipient for the rules, and by object for whom to tell of it: each is one index.
    @declared_attr.directive
    def __table_args__(cls) -> Any:
        return Index(WATCHERS_INDEX, "target_type", "target_id", "recipient_id"), {"sqlite_with_rowid": False}
