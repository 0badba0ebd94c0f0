"""threads and comments, and who watches them"""

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
        "thread",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("body", sa.String(length=2000), nullable=False),
        sa.Column(
            "topic",
            sa.Enum("TALK", "HELP", "PLACES", "EVENTS", name="topic", native_enum=False, length=16),
            nullable=False,
        ),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("closed", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("active_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_thread_author_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thread")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("thread", schema=None) as batch_op:
        batch_op.create_index("ix_thread_active_at_id", ["active_at", "id"], unique=False)
        batch_op.create_index("ix_thread_author_id", ["author_id"], unique=False)

    op.create_table(
        "comment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("thread_id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("body", sa.String(length=1000), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["user.id"], name=op.f("fk_comment_author_id_user"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["thread.id"], name=op.f("fk_comment_thread_id_thread"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("comment", schema=None) as batch_op:
        batch_op.create_index("ix_comment_author_id", ["author_id"], unique=False)
        batch_op.create_index("ix_comment_thread_id_id", ["thread_id", "id"], unique=False)

    op.create_table(
        "notify_watch",
        sa.Column("recipient_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "target_type",
            sa.String(length=128)
            .with_variant(mysql.VARCHAR(charset="utf8mb4", collation="utf8mb4_bin", length=128), "mariadb")
            .with_variant(mysql.VARCHAR(charset="utf8mb4", collation="utf8mb4_bin", length=128), "mysql"),
            nullable=False,
        ),
        sa.Column(
            "target_id",
            sa.String(length=255)
            .with_variant(mysql.VARCHAR(charset="utf8mb4", collation="utf8mb4_bin", length=255), "mariadb")
            .with_variant(mysql.VARCHAR(charset="utf8mb4", collation="utf8mb4_bin", length=255), "mysql"),
            nullable=False,
        ),
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
    # The indexes go with their tables: MariaDB drops none that a foreign key needs.
    op.drop_table("notify_watch")
    op.drop_table("comment")
    op.drop_table("thread")
