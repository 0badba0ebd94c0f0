"""The table of messages that are to go to the queues of a broker.

As in the first version, only the name of the user table, and the name and the type of its key, come from the
application. Nothing that was there before is touched.
"""

from __future__ import annotations

import copy

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from flask_notify import current_notify

revision = "notify_0006"
down_revision = "notify_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    models = current_notify.models
    schema = models.user_table.metadata.schema
    inbox = f"{schema}.notify_inbox" if schema else "notify_inbox"
    op.create_table(
        "notify_relay",
        # SQLite numbers only INTEGER keys by itself; they hold 64 bits.
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("recipient_id", copy.copy(models.key_column.type), nullable=False, autoincrement=False),
        sa.Column("envelope", sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb"), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("recipient_id", "id", name="uq_notify_relay_recipient_id_id"),
        sa.ForeignKeyConstraint(["recipient_id"], [f"{inbox}.recipient_id"], ondelete="CASCADE", onupdate="CASCADE"),
        schema=schema,
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("notify_relay", schema=current_notify.models.user_table.metadata.schema)
