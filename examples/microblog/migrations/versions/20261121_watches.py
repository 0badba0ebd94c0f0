"""watches"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "notify_watch",
        sa.Column("recipient_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("target_type", _binary(128), nullable=False),
        sa.Column("target_id", _binary(255), nullable=False),
        sa.Column("mail_mode", sa.String(length=8), nullable=True),
        sa.ForeignKeyConstraint(
            ["recipient_id"],
            ["notify_inbox.recipient_id"],
            name=op.f("fk_notify_watch_recipient_id_notify_inbox"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("recipient_id", "target_type", "target_id", name=op.f("pk_notify_watch")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("notify_watch", schema=None) as batch_op:
        batch_op.create_index(
            "ix_notify_watch_target_type_target_id", ["target_type", "target_id", "recipient_id"], unique=False
        )


def downgrade() -> None:
    """Take this revision back."""
    # The index goes with its table.
    op.drop_table("notify_watch")


def _binary(length: int) -> sa.types.TypeEngine[str]:
    exact = mysql.VARCHAR(charset="utf8mb4", collation="utf8mb4_bin", length=length)
    return sa.String(length=length).with_variant(exact, "mysql", "mariadb")
