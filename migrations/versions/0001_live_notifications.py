"""The tables of live notifications.

Only the name of the user table, and the name and the type of its key, come from the application. All else stands
here in full: a version must not change when the models do.
"""

from __future__ import annotations

import copy

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from flask_notify import current_notify

revision = "notify_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    user = current_notify.models.user_table
    key = current_notify.models.key_column
    schema = user.metadata.schema
    inbox = f"{schema}.notify_inbox" if schema else "notify_inbox"
    op.create_table(
        "notify_inbox",
        sa.Column("recipient_id", copy.copy(key.type), nullable=False, autoincrement=False),
        sa.Column("cursor", sa.Double(), nullable=False, server_default="0"),
        sa.Column("reset_cursor", sa.Double(), nullable=False, server_default="0"),
        sa.Column("unseen_count", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("unseen_cursor", sa.Double(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("recipient_id"),
        _belongs_to(f"{user.fullname}.{key.name}"),
        schema=schema,
    )
    op.create_table(
        "notify_notification",
        sa.Column("recipient_id", copy.copy(key.type), nullable=False, autoincrement=False),
        sa.Column("name", _name_type(), nullable=False),
        sa.Column("timestamp", sa.Double(), nullable=False),
        sa.Column("payload", _text_type(), nullable=True),
        sa.Column("expires_at", sa.Double(), nullable=True),
        sa.Column("removed", sa.Boolean(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("recipient_id", "name"),
        _belongs_to(f"{inbox}.recipient_id"),
        schema=schema,
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    # The tables at once: MariaDB refuses to drop an index that a foreign key needs.
    schema = current_notify.models.user_table.metadata.schema
    op.drop_table("notify_notification", schema=schema)
    op.drop_table("notify_inbox", schema=schema)


def _belongs_to(target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["recipient_id"], [target], ondelete="CASCADE", onupdate="CASCADE")


def _name_type() -> sa.String:
    # MariaDB's default collation takes Task and task for one name.
    binary = mysql.VARCHAR(128, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(128).with_variant(binary, "mysql", "mariadb")


def _text_type() -> sa.Text:
    return sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
