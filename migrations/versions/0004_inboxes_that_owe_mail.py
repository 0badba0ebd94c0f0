"""The index of the inboxes that owe mail.

This is a version of its own so that the new columns are committed, and the lock of the inboxes gone, before it
begins: reading a large table takes a while. Nobody waits for it. PostgreSQL makes the index beside its writers, which
it does outside a transaction only, and MariaDB does so by itself.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from flask_notify import current_notify

revision = "notify_0004"
down_revision = "notify_0003"
branch_labels = None
depends_on = None

NAME = "ix_notify_inbox_mail_due_at"


def upgrade() -> None:
    schema = current_notify.models.user_table.metadata.schema
    owed = sa.text("mail_due_at IS NOT NULL")
    with op.get_context().autocommit_block():
        if op.get_context().dialect.name == "postgresql":
            # One that was cut short leaves an index that is never used, and in the way.
            op.drop_index(NAME, "notify_inbox", schema=schema, if_exists=True, postgresql_concurrently=True)
        op.create_index(
            NAME,
            "notify_inbox",
            ["mail_due_at"],
            schema=schema,
            postgresql_where=owed,
            postgresql_concurrently=True,
            sqlite_where=owed,
        )


def downgrade() -> None:
    schema = current_notify.models.user_table.metadata.schema
    with op.get_context().autocommit_block():
        op.drop_index(NAME, "notify_inbox", schema=schema, postgresql_concurrently=True)
