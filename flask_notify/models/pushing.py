"""Web Push: the browsers that subscribed, what is on its way to them, and who wants what pushed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Double, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from .columns import ID_TYPE, MAX_REASON, MAX_TYPE, RecipientKey, aware_time

MAX_ENDPOINT = 2048


class PushSubscriptionColumns:
    """One browser of a recipient's that takes pushes (RFC 8030)."""

    __tablename__ = "notify_push_subscription"

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True, sort_order=-2)
    recipient_id: Mapped[RecipientKey]
    endpoint: Mapped[str] = mapped_column(String(MAX_ENDPOINT), nullable=False)
    """The address at the browser's push service. Whoever knows it and the VAPID key can push: it is a secret."""
    # An index of MariaDB holds 3,072 bytes; the address may have more.
    endpoint_hash: Mapped[str] = mapped_column(String(64), nullable=False)
    p256dh: Mapped[str] = mapped_column(String(88), nullable=False)
    """The browser's public key, for which pushes are encrypted (RFC 8291)."""
    auth: Mapped[str] = mapped_column(String(24), nullable=False)
    """The secret that the browser shares with the application alone."""
    _renewed_at: Mapped[float] = mapped_column("renewed_at", Double, nullable=False)

    renewed_at = aware_time("_renewed_at")
    """When the browser has subscribed, or said that it still does."""

    @declared_attr.directive
    def __table_args__(cls) -> Any:
        return (
            # A browser tells of one recipient at a time: whoever used it last.
            UniqueConstraint("endpoint_hash", name="uq_notify_push_subscription_endpoint_hash"),
            # A constraint, and no index, for the reason that stands with the messages.
            UniqueConstraint("recipient_id", "id", name="uq_notify_push_subscription_recipient_id_id"),
            {"sqlite_autoincrement": True},
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} of {self.recipient_id!r}>"


class PushColumns:
    """The outbox of pushes: a row for each message and browser; what it says is read when it is sent."""

    __tablename__ = "notify_push"

    id: Mapped[int] = mapped_column(ID_TYPE, primary_key=True, autoincrement=True, sort_order=-2)
    recipient_id: Mapped[RecipientKey]
    # No references: with them, removing a subscription or expired messages would lock rows that are being sent.
    message_id: Mapped[int] = mapped_column(BigInteger, nullable=False)
    subscription_id: Mapped[int] = mapped_column(BigInteger, nullable=False)
    cursor: Mapped[float] = mapped_column(Double, nullable=False)
    """The message's: a message that is renewed has another, and is pushed again."""
    state: Mapped[str] = mapped_column(String(16), nullable=False)
    """``pending``, ``sent``, or why it never will be: ``dropped``, or ``parked`` until somebody mends the set-up."""
    reason: Mapped[str | None] = mapped_column(String(MAX_REASON), nullable=True)
    """What the push service said, or why it was not asked."""
    attempts: Mapped[int] = mapped_column(Integer, nullable=False, default=0, server_default="0")
    _next_attempt_at: Mapped[float | None] = mapped_column("next_attempt_at", Double, nullable=True)
    lease_until: Mapped[float | None] = mapped_column(Double, nullable=True)
    """Until when, by the database's clock, one worker alone may send it."""
    lease_owner: Mapped[str | None] = mapped_column(String(32), nullable=True)
    """Which lease that is."""
    _settled_at: Mapped[float | None] = mapped_column("settled_at", Double, nullable=True)

    next_attempt_at = aware_time("_next_attempt_at")
    """When it is tried next; None once its state is final."""
    settled_at = aware_time("_settled_at")
    """When the push service took it, or it was given up."""

    @declared_attr.directive
    def __table_args__(cls) -> Any:
        waiting = text("next_attempt_at IS NOT NULL")
        return (
            Index("ix_notify_push_next_attempt_at", "next_attempt_at", postgresql_where=waiting, sqlite_where=waiting),
            UniqueConstraint(
                "recipient_id", "message_id", "subscription_id", name="uq_notify_push_recipient_id_message_id"
            ),
            {"sqlite_autoincrement": True},
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} ({self.state}) for {self.recipient_id!r}>"


class PushPreferenceColumns:
    """Whether one recipient wants one type of message pushed."""

    __tablename__ = "notify_push_preference"

    recipient_id: Mapped[RecipientKey]
    type: Mapped[str] = mapped_column(String(MAX_TYPE), primary_key=True)
    push: Mapped[bool] = mapped_column(Boolean, nullable=False)
