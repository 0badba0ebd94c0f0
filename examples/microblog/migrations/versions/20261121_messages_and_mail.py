"""messages and mail"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "notify_fanout",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column(
            "content",
            sa.Text().with_variant(mysql.LONGTEXT(), "mariadb").with_variant(mysql.LONGTEXT(), "mysql"),
            nullable=False,
        ),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("moved", sa.Integer(), server_default="0", nullable=False),
        sa.Column("progress", sa.String(length=255), nullable=True),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notify_fanout")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "notify_lease",
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.Column("renewed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("role", name=op.f("pk_notify_lease")),
    )
    op.create_table(
        "notify_fanout_recipient",
        sa.Column(
            "fanout_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("recipient_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("mail_mode", sa.String(length=8), nullable=True),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["fanout_id"],
            ["notify_fanout.id"],
            name=op.f("fk_notify_fanout_recipient_fanout_id_notify_fanout"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("fanout_id", "recipient_id", name=op.f("pk_notify_fanout_recipient")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "notify_block",
        sa.Column("recipient_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sender_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["recipient_id"],
            ["notify_inbox.recipient_id"],
            name=op.f("fk_notify_block_recipient_id_notify_inbox"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("recipient_id", "sender_id", name=op.f("pk_notify_block")),
    )
    op.create_table(
        "notify_mail",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("recipient_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=True),
        sa.Column(
            "content",
            sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mariadb").with_variant(mysql.LONGBLOB(), "mysql"),
            nullable=True,
        ),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.Double(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("sent_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["recipient_id"],
            ["notify_inbox.recipient_id"],
            name=op.f("fk_notify_mail_recipient_id_notify_inbox"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notify_mail")),
        sa.UniqueConstraint("recipient_id", "id", name="uq_notify_mail_recipient_id_id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("notify_mail", schema=None) as batch_op:
        batch_op.create_index(
            "ix_notify_mail_next_attempt_at",
            ["next_attempt_at"],
            unique=False,
            postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
            sqlite_where=sa.text("next_attempt_at IS NOT NULL"),
        )

    op.create_table(
        "notify_message",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("recipient_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sender_id", sa.Integer(), autoincrement=False, nullable=True),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=250), nullable=False),
        sa.Column(
            "body",
            sa.Text().with_variant(mysql.LONGTEXT(), "mariadb").with_variant(mysql.LONGTEXT(), "mysql"),
            nullable=True,
        ),
        sa.Column("rich", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=True),
        sa.Column(
            "data",
            sa.Text().with_variant(mysql.LONGTEXT(), "mariadb").with_variant(mysql.LONGTEXT(), "mysql"),
            nullable=True,
        ),
        sa.Column("target_type", sa.String(length=128), nullable=True),
        sa.Column("target_id", sa.String(length=255), nullable=True),
        sa.Column("cursor", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=True),
        sa.Column("mail_mode", sa.String(length=8), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("mail_due_at", sa.Double(), nullable=True),
        sa.Column("mail_id", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.Double(), nullable=True),
        sa.Column("count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("group_key", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["recipient_id"],
            ["notify_inbox.recipient_id"],
            name=op.f("fk_notify_message_recipient_id_notify_inbox"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notify_message")),
        sa.UniqueConstraint("recipient_id", "cursor", "id", name="uq_notify_message_recipient_id_cursor_id"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("notify_message", schema=None) as batch_op:
        batch_op.create_index(
            "ix_notify_message_recipient_id_group_key",
            ["recipient_id", "group_key"],
            unique=True,
            postgresql_where=sa.text("group_key IS NOT NULL"),
            sqlite_where=sa.text("group_key IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_notify_message_sender_id",
            ["sender_id"],
            unique=False,
            postgresql_where=sa.text("sender_id IS NOT NULL"),
            sqlite_where=sa.text("sender_id IS NOT NULL"),
        )

    op.create_table(
        "notify_preference",
        sa.Column("recipient_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("mail_mode", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(
            ["recipient_id"],
            ["notify_inbox.recipient_id"],
            name=op.f("fk_notify_preference_recipient_id_notify_inbox"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("recipient_id", "type", name=op.f("pk_notify_preference")),
    )
    with op.batch_alter_table("notify_inbox", schema=None) as batch_op:
        batch_op.add_column(sa.Column("created_at", sa.Double(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("mail_due_at", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("mail_mode", sa.String(length=8), nullable=True))
        batch_op.add_column(sa.Column("timezone", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("locale", sa.String(length=35), nullable=True))
        batch_op.add_column(sa.Column("notify_myself", sa.Boolean(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("widget_hidden", sa.Boolean(), server_default="0", nullable=False))
        batch_op.create_index(
            "ix_notify_inbox_mail_due_at",
            ["mail_due_at"],
            unique=False,
            postgresql_where=sa.text("mail_due_at IS NOT NULL"),
            sqlite_where=sa.text("mail_due_at IS NOT NULL"),
        )


def downgrade() -> None:
    """Take this revision back."""
    # The indexes go with their tables. Columns are dropped one by one: Alembic's batch would make the
    # inboxes anew, and SQLite would delete what refers to them.
    op.drop_index("ix_notify_inbox_mail_due_at", "notify_inbox")
    op.drop_column("notify_inbox", "widget_hidden")
    op.drop_column("notify_inbox", "notify_myself")
    op.drop_column("notify_inbox", "locale")
    op.drop_column("notify_inbox", "timezone")
    op.drop_column("notify_inbox", "mail_mode")
    op.drop_column("notify_inbox", "mail_due_at")
    op.drop_column("notify_inbox", "created_at")
    op.drop_table("notify_preference")
    op.drop_table("notify_message")
    op.drop_table("notify_mail")
    op.drop_table("notify_block")
    op.drop_table("notify_fanout_recipient")
    op.drop_table("notify_lease")
    op.drop_table("notify_fanout")
