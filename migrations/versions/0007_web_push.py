"""The tables of Web Push, and the recipient's settings for what interrupts them.

As in the first version, only the name of the user table, and the name and the type of its key, come from the
application. The new columns of the inbox have a constant default or none, so that no database rewrites the rows.
"""

from __future__ import annotations

import copy
from typing import Any

import sqlalchemy as sa
from alembic import op

from flask_notify import current_notify

revision = "notify_0007"
down_revision = "notify_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = current_notify.models.user_table.metadata.schema
    columns: list[sa.Column[Any]] = [
        sa.Column("muted", sa.Boolean(), nullable=False, server_default="0"),
        sa.Column("desktop", sa.Boolean(), nullable=True),
        sa.Column("push", sa.Boolean(), nullable=True),
    ]
    for column in columns:
        op.add_column("notify_inbox", column, schema=schema)
    _create_subscription(schema)
    _create_push(schema)
    op.create_table(
        "notify_push_preference",
        _key(),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("push", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("recipient_id", "type"),
        _belongs_to_inbox(schema),
        schema=schema,
    )


def _create_subscription(schema: str | None) -> None:
    op.create_table(
        "notify_push_subscription",
        sa.Column("id", _id_type(), nullable=False, autoincrement=True),
        _key(),
        sa.Column("endpoint", sa.String(2048), nullable=False),
        sa.Column("endpoint_hash", sa.String(64), nullable=False),
        sa.Column("p256dh", sa.String(88), nullable=False),
        sa.Column("auth", sa.String(24), nullable=False),
        sa.Column("renewed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("endpoint_hash", name="uq_notify_push_subscription_endpoint_hash"),
        sa.UniqueConstraint("recipient_id", "id", name="uq_notify_push_subscription_recipient_id_id"),
        _belongs_to_inbox(schema),
        schema=schema,
        sqlite_autoincrement=True,
    )


def _create_push(schema: str | None) -> None:
    op.create_table(
        "notify_push",
        sa.Column("id", _id_type(), nullable=False, autoincrement=True),
        _key(),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.Double(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(500), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_attempt_at", sa.Double(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("lease_owner", sa.String(32), nullable=True),
        sa.Column("settled_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "recipient_id", "message_id", "subscription_id", name="uq_notify_push_recipient_id_message_id"
        ),
        _belongs_to_inbox(schema),
        schema=schema,
        sqlite_autoincrement=True,
    )
    # MariaDB has no partial index, and takes the whole.
    waiting = sa.text("next_attempt_at IS NOT NULL")
    op.create_index(
        "ix_notify_push_next_attempt_at",
        "notify_push",
        ["next_attempt_at"],
        schema=schema,
        postgresql_where=waiting,
        sqlite_where=waiting,
    )


def downgrade() -> None:
    # The tables at once: MariaDB refuses to drop an index that a foreign key needs.
    schema = current_notify.models.user_table.metadata.schema
    for table in ("push_preference", "push", "push_subscription"):
        op.drop_table(f"notify_{table}", schema=schema)
    for column in ("push", "desktop", "muted"):
        op.drop_column("notify_inbox", column, schema=schema)


def _key() -> sa.Column[Any]:
    key = current_notify.models.key_column
    return sa.Column("recipient_id", copy.copy(key.type), nullable=False, autoincrement=False)


def _belongs_to_inbox(schema: str | None) -> sa.ForeignKeyConstraint:
    inbox = f"{schema}.notify_inbox" if schema else "notify_inbox"
    return sa.ForeignKeyConstraint(["recipient_id"], [f"{inbox}.recipient_id"], ondelete="CASCADE", onupdate="CASCADE")


def _id_type() -> sa.types.TypeEngine[Any]:
    # SQLite numbers only INTEGER keys by itself; they hold 64 bits.
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
