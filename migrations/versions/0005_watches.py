"""The table of watches: which recipient watches which object, or has muted it.

As in the first version, only the name of the user table, and the name and the type of its key, come from the
application. Nothing that was there before is touched.
"""

from __future__ import annotations

import copy

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from flask_notify import current_notify

revision = "notify_0005"
down_revision = "notify_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    models = current_notify.models
    schema = models.user_table.metadata.schema
    inbox = f"{schema}.notify_inbox" if schema else "notify_inbox"
    op.create_table(
        "notify_watch",
        sa.Column("recipient_id", copy.copy(models.key_column.type), nullable=False, autoincrement=False),
        sa.Column("target_type", _binary(128), nullable=False),
        sa.Column("target_id", _binary(255), nullable=False),
        sa.Column("mail_mode", sa.String(8), nullable=True),
        sa.PrimaryKeyConstraint("recipient_id", "target_type", "target_id"),
        sa.ForeignKeyConstraint(["recipient_id"], [f"{inbox}.recipient_id"], ondelete="CASCADE", onupdate="CASCADE"),
        schema=schema,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_notify_watch_target_type_target_id",
        "notify_watch",
        ["target_type", "target_id", "recipient_id"],
        schema=schema,
    )


def downgrade() -> None:
    op.drop_table("notify_watch", schema=current_notify.models.user_table.metadata.schema)


def _binary(length: int) -> sa.types.TypeEngine[str]:
    # MariaDB's default collation takes the keys Home and home for one; the others do not.
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")
