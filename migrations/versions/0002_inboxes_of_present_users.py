"""Inboxes for the users who were there before.

An inbox that is missing is made with the first notification. On MariaDB that locks the user's row, in a transaction
which may have locked others already; so it is better made beforehand.

This is a version of its own so that the tables are committed, and their locks gone, before it begins. It moves in
batches, each committed at once: no user row is locked for long. One that was cut short can be run again.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

from flask_notify import current_notify

revision = "notify_0002"
down_revision = "notify_0001"
branch_labels = None
depends_on = None

BATCH = 10_000


def upgrade() -> None:
    key = current_notify.models.key_column
    if context.is_offline_mode():
        op.execute(_make_missing(key, sa.true()))
        return
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        rest: sa.ColumnElement[bool] = sa.true()
        while (last := connection.scalar(_last_of_batch(key, rest))) is not None:
            connection.execute(_make_missing(key, rest & (key <= last)))
            rest = key > last
        connection.execute(_make_missing(key, rest))


def downgrade() -> None:
    """Leave the inboxes: those of present users cannot be told from those of later ones."""


def _last_of_batch(key: sa.ColumnElement[Any], rest: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(key).where(rest).order_by(key).offset(BATCH - 1).limit(1)


def _make_missing(key: sa.ColumnElement[Any], batch: sa.ColumnElement[bool]) -> sa.Insert:
    schema = current_notify.models.user_table.metadata.schema
    inbox = sa.table("notify_inbox", sa.column("recipient_id", key.type), schema=schema)
    present = sa.exists().where(inbox.c.recipient_id == key)
    missing = sa.select(key).where(batch, ~present).order_by(key)
    # The application may be running already, and make the same inbox.
    if op.get_context().dialect.name == "postgresql":
        return postgresql.insert(inbox).from_select(["recipient_id"], missing).on_conflict_do_nothing()
    rows = sa.insert(inbox).prefix_with("OR IGNORE", dialect="sqlite")
    for dialect in ("mysql", "mariadb"):
        rows = rows.prefix_with("IGNORE", dialect=dialect)
    return rows.from_select(["recipient_id"], missing)
