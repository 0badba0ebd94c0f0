"""messages for the queues of a broker"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "notify_relay",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("recipient_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "envelope",
            sa.Text().with_variant(mysql.LONGTEXT(), "mariadb").with_variant(mysql.LONGTEXT(), "mysql"),
            nullable=False,
        ),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recipient_id"],
            ["notify_inbox.recipient_id"],
            name=op.f("fk_notify_relay_recipient_id_notify_inbox"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notify_relay")),
        sa.UniqueConstraint("recipient_id", "id", name="uq_notify_relay_recipient_id_id"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("notify_relay")
