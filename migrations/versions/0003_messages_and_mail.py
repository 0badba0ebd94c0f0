"""The tables of messages, mail and fan-out, and the columns that they need in the inbox.

As in the first version, only the name of the user table, and the name and the type of its key, come from the
application. A new column of the inbox has a constant default or none, so that no database rewrites the rows: adding
it takes an instant, however many there are. An application that still runs the version before can go on writing.
"""

from __future__ import annotations

import copy
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from flask_notify import current_notify

revision = "notify_0003"
down_revision = "notify_0002"
branch_labels = None
depends_on = None

INBOX_COLUMNS = (
    "created_at",
    "mail_due_at",
    "mail_mode",
    "timezone",
    "locale",
    "notify_myself",
    "widget_hidden",
)


def upgrade() -> None:
    schema = current_notify.models.user_table.metadata.schema
    _add_inbox_columns(schema)
    _create_message(schema)
    _create_settings(schema)
    _create_mail(schema)
    _create_fanout(schema)
    op.create_table(
        "notify_lease",
        sa.Column("role", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
        sa.Column("renewed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("role"),
        schema=schema,
    )


def _add_inbox_columns(schema: str | None) -> None:
    for column in (
        sa.Column("created_at", sa.Double(), nullable=False, server_default="0"),
        sa.Column("mail_due_at", sa.Double(), nullable=True),
        sa.Column("mail_mode", sa.String(8), nullable=True),
        sa.Column("timezone", sa.String(64), nullable=True),
        sa.Column("locale", sa.String(35), nullable=True),
        sa.Column("notify_myself", sa.Boolean(), nullable=False, server_default="0"),
        sa.Column("widget_hidden", sa.Boolean(), nullable=False, server_default="0"),
    ):
        op.add_column("notify_inbox", column, schema=schema)


def _create_message(schema: str | None) -> None:
    op.create_table(
        "notify_message",
        sa.Column("id", _id_type(), nullable=False, autoincrement=True),
        _key("recipient_id"),
        _key("sender_id", nullable=True),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(250), nullable=False),
        sa.Column("body", _text_type(), nullable=True),
        sa.Column("rich", sa.Boolean(), nullable=False, server_default="0"),
        sa.Column("url", sa.String(2000), nullable=True),
        sa.Column("data", _text_type(), nullable=True),
        sa.Column("target_type", sa.String(128), nullable=True),
        sa.Column("target_id", sa.String(255), nullable=True),
        sa.Column("cursor", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=True),
        sa.Column("mail_mode", sa.String(8), nullable=False),
        sa.Column("rule", sa.String(32), nullable=False),
        sa.Column("mail_due_at", sa.Double(), nullable=True),
        sa.Column("mail_id", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.Double(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("group_key", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("recipient_id", "cursor", "id", name="uq_notify_message_recipient_id_cursor_id"),
        _belongs_to("notify_inbox.recipient_id", schema),
        schema=schema,
        sqlite_autoincrement=True,
    )
    _create_index("notify_message", ["recipient_id", "group_key"], schema, where="group_key IS NOT NULL", unique=True)
    _create_index("notify_message", ["sender_id"], schema, where="sender_id IS NOT NULL")


def _create_settings(schema: str | None) -> None:
    op.create_table(
        "notify_preference",
        _key("recipient_id"),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("mail_mode", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("recipient_id", "type"),
        _belongs_to("notify_inbox.recipient_id", schema),
        schema=schema,
    )
    op.create_table(
        "notify_block",
        _key("recipient_id"),
        _key("sender_id"),
        sa.PrimaryKeyConstraint("recipient_id", "sender_id"),
        _belongs_to("notify_inbox.recipient_id", schema),
        schema=schema,
    )


def _create_mail(schema: str | None) -> None:
    op.create_table(
        "notify_mail",
        sa.Column("id", _id_type(), nullable=False, autoincrement=True),
        _key("recipient_id"),
        sa.Column("message_id", sa.String(255), nullable=False),
        sa.Column("address", sa.String(320), nullable=True),
        sa.Column("content", _bytes_type(), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(500), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_attempt_at", sa.Double(), nullable=True),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("sent_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("recipient_id", "id", name="uq_notify_mail_recipient_id_id"),
        _belongs_to("notify_inbox.recipient_id", schema),
        schema=schema,
        sqlite_autoincrement=True,
    )
    _create_index("notify_mail", ["next_attempt_at"], schema, where="next_attempt_at IS NOT NULL")


def _create_fanout(schema: str | None) -> None:
    op.create_table(
        "notify_fanout",
        sa.Column("id", _id_type(), nullable=False, autoincrement=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("content", _text_type(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("moved", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("progress", sa.String(255), nullable=True),
        sa.Column("finished_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        schema=schema,
        sqlite_autoincrement=True,
    )
    op.create_table(
        "notify_fanout_recipient",
        sa.Column("fanout_id", _id_type(), nullable=False, autoincrement=False),
        _key("recipient_id"),
        sa.Column("mail_mode", sa.String(8), nullable=True),
        sa.Column("error", sa.String(500), nullable=True),
        sa.PrimaryKeyConstraint("fanout_id", "recipient_id"),
        _belongs_to("notify_fanout.id", schema, column="fanout_id"),
        schema=schema,
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    # The tables at once: MariaDB refuses to drop an index that a foreign key needs.
    schema = current_notify.models.user_table.metadata.schema
    for table in ("lease", "fanout_recipient", "fanout", "mail", "block", "preference", "message"):
        op.drop_table(f"notify_{table}", schema=schema)
    for column in reversed(INBOX_COLUMNS):
        op.drop_column("notify_inbox", column, schema=schema)


def _key(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    key = current_notify.models.key_column
    return sa.Column(name, copy.copy(key.type), nullable=nullable, autoincrement=False)


def _belongs_to(target: str, schema: str | None, column: str = "recipient_id") -> sa.ForeignKeyConstraint:
    target = f"{schema}.{target}" if schema else target
    return sa.ForeignKeyConstraint([column], [target], ondelete="CASCADE", onupdate="CASCADE")


def _create_index(
    table: str, columns: list[str], schema: str | None, *, where: str | None = None, unique: bool = False
) -> None:
    # MariaDB has no partial index, and takes the whole.
    condition = None if where is None else sa.text(where)
    name = f"ix_{table}_{'_'.join(columns)}"
    op.create_index(
        name, table, columns, unique=unique, schema=schema, postgresql_where=condition, sqlite_where=condition
    )


def _id_type() -> sa.types.TypeEngine[Any]:
    # SQLite numbers only INTEGER keys by itself; they hold 64 bits.
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text_type() -> sa.types.TypeEngine[Any]:
    return sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def _bytes_type() -> sa.types.TypeEngine[Any]:
    return sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
