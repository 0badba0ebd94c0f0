"""What is on its way: mail in the outbox, emissions to many, messages for queues, and who is at work on them."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import Double, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from .columns import BYTES_TYPE, ID_TYPE, JSON_TEXT_TYPE, MAX_REASON, MODE_TYPE, RecipientKey, aware_time


class MailColumns:
    """The outbox: a mail is rendered once, and every attempt sends the same bytes."""

    __tablename__ = "notify_mail"

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True, sort_order=-2)
    recipient_id: Mapped[RecipientKey]
    message_id: Mapped[str] = mapped_column(String(255), nullable=False)
    """The header Message-ID, with its angle brackets."""
    address: Mapped[str | None] = mapped_column(String(320), nullable=True)
    content: Mapped[bytes | None] = mapped_column(BYTES_TYPE, nullable=True, deferred=True)
    """The rendered mail; None where there was nothing to send."""
    state: Mapped[str] = mapped_column(String(16), nullable=False)
    """``pending``, ``sent``, or why it never will be: ``refused``, ``skipped``, ``cancelled``, ``parked``."""
    reason: Mapped[str | None] = mapped_column(String(MAX_REASON), nullable=True)
    """What the server said, or what was missing."""
    attempts: Mapped[int] = mapped_column(Integer, nullable=False, default=0, server_default="0")
    _next_attempt_at: Mapped[float | None] = mapped_column("next_attempt_at", Double, nullable=True)
    lease_until: Mapped[float | None] = mapped_column(Double, nullable=True)
    """Until when, by the database's clock, one worker alone may send it."""
    _created_at: Mapped[float] = mapped_column("created_at", Double, nullable=False)
    _sent_at: Mapped[float | None] = mapped_column("sent_at", Double, nullable=True)

    next_attempt_at = aware_time("_next_attempt_at")
    """When it is tried next; None once its state is final."""
    created_at = aware_time("_created_at")
    sent_at = aware_time("_sent_at")

    @declared_attr.directive
    def __table_args__(cls) -> Any:
        waiting = text("next_attempt_at IS NOT NULL")
        return (
            Index("ix_notify_mail_next_attempt_at", "next_attempt_at", postgresql_where=waiting, sqlite_where=waiting),
            # A constraint, and no index, for the reason that stands with the messages.
            UniqueConstraint("recipient_id", "id", name="uq_notify_mail_recipient_id_id"),
            {"sqlite_autoincrement": True},
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} ({self.state}) for {self.recipient_id!r}>"


class FanoutColumns:
    """One emission to many recipients: what to say to each."""

    __tablename__ = "notify_fanout"
    __table_args__: ClassVar[dict[str, Any]] = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(16), nullable=False)
    """``message``, or ``value`` for a live value to everybody."""
    content_json: Mapped[str] = mapped_column("content", JSON_TEXT_TYPE, nullable=False)
    _created_at: Mapped[float] = mapped_column("created_at", Double, nullable=False)
    total: Mapped[int] = mapped_column(Integer, nullable=False)
    moved: Mapped[int] = mapped_column(Integer, nullable=False, default=0, server_default="0")
    progress: Mapped[str | None] = mapped_column(String(255), nullable=True)
    """For everybody: the last key that was moved, in the database's order of keys."""
    _finished_at: Mapped[float | None] = mapped_column("finished_at", Double, nullable=True)

    created_at = aware_time("_created_at")
    finished_at = aware_time("_finished_at")


class FanoutRecipientColumns:
    """A recipient whom a fan-out has not reached yet."""

    __tablename__ = "notify_fanout_recipient"
    __table_args__: ClassVar[dict[str, Any]] = {"sqlite_with_rowid": False}

    fanout_id: Mapped[int]
    # Not a reference: it would lock every inbox named in the caller's transaction.
    recipient_id: Mapped[RecipientKey]
    mail_mode: Mapped[str | None] = mapped_column(MODE_TYPE, nullable=True)
    error: Mapped[str | None] = mapped_column(String(MAX_REASON), nullable=True)
    """Why this recipient was parked: rendering for them raised."""


class LeaseColumns:
    """Who has a role that only one process may have at a time, by the database's clock."""

    __tablename__ = "notify_lease"

    role: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64), nullable=False)
    until: Mapped[float] = mapped_column(Double, nullable=False)
    renewed_at: Mapped[float] = mapped_column(Double, nullable=False)


class RelayColumns:
    """A message that is to go to its recipient's queue of the broker, until the broker has confirmed it.

    It is written with the message, under the inbox's lock, so that the keys of one recipient grow in
    the order of the commits; and apart from it, so that the message may be removed meanwhile.
    """

    __tablename__ = "notify_relay"

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True, sort_order=-2)
    recipient_id: Mapped[RecipientKey]
    envelope: Mapped[str] = mapped_column(JSON_TEXT_TYPE, nullable=False)
    """All that is sent, as JSON text; its ``id`` is the same at each attempt."""
    _created_at: Mapped[float] = mapped_column("created_at", Double, nullable=False)

    created_at = aware_time("_created_at")

    @declared_attr.directive
    def __table_args__(cls) -> Any:
        return (
            # A constraint, and no index, for the reason that stands with the messages.
            UniqueConstraint("recipient_id", "id", name="uq_notify_relay_recipient_id_id"),
            # Whoever deletes what was confirmed, by its keys, must never meet another row with one of them.
            {"sqlite_autoincrement": True},
        )
