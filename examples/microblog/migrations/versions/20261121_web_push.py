"""web push"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    with op.batch_alter_table("notify_inbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("muted", sa.Boolean(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("desktop", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("push", sa.Boolean(), nullable=True))
    op.create_table(
        "notify_push_subscription",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("recipient_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("endpoint", sa.String(length=2048), nullable=False),
        sa.Column("endpoint_hash", sa.String(length=64), nullable=False),
        sa.Column("p256dh", sa.String(length=88), nullable=False),
        sa.Column("auth", sa.String(length=24), nullable=False),
        sa.Column("renewed_at", sa.Double(), nullable=False),
        _of_an_inbox("notify_push_subscription"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notify_push_subscription")),
        sa.UniqueConstraint("endpoint_hash", name="uq_notify_push_subscription_endpoint_hash"),
        sa.UniqueConstraint("recipient_id", "id", name="uq_notify_push_subscription_recipient_id_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "notify_push",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("recipient_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.Double(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.Double(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("lease_owner", sa.String(length=32), nullable=True),
        sa.Column("settled_at", sa.Double(), nullable=True),
        _of_an_inbox("notify_push"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notify_push")),
        sa.UniqueConstraint(
            "recipient_id", "message_id", "subscription_id", name="uq_notify_push_recipient_id_message_id"
        ),
        sqlite_autoincrement=True,
    )
    waiting = sa.text("next_attempt_at IS NOT NULL")
    with op.batch_alter_table("notify_push", schema=None) as batch_op:
        batch_op.create_index(
            "ix_notify_push_next_attempt_at",
            ["next_attempt_at"],
            unique=False,
            postgresql_where=waiting,
            sqlite_where=waiting,
        )
    op.create_table(
        "notify_push_preference",
        sa.Column("recipient_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("push", sa.Boolean(), nullable=False),
        _of_an_inbox("notify_push_preference"),
        sa.PrimaryKeyConstraint("recipient_id", "type", name=op.f("pk_notify_push_preference")),
    )


def downgrade() -> None:
    """Take this revision back."""
    # The index goes with its table.
    for table in ("notify_push_preference", "notify_push", "notify_push_subscription"):
        op.drop_table(table)
    with op.batch_alter_table("notify_inbox", schema=None) as batch_op:
        for column in ("push", "desktop", "muted"):
            batch_op.drop_column(column)


def _of_an_inbox(table: str) -> Any:
    return sa.ForeignKeyConstraint(
        ["recipient_id"],
        ["notify_inbox.recipient_id"],
        name=op.f(f"fk_{table}_recipient_id_notify_inbox"),
        onupdate="CASCADE",
        ondelete="CASCADE",
    )
