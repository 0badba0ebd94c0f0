"""administrators, and posts that they take off"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply this revision."""
    # Without a batch: a copy of the table on SQLite would lose its AUTOINCREMENT.
    # Not sa.false(): Alembic writes that as the database at hand has it.
    op.add_column("user", sa.Column("is_admin", sa.Boolean(), server_default="0", nullable=False))
    op.add_column("post", sa.Column("is_hidden", sa.Boolean(), server_default="0", nullable=False))


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("post", "is_hidden")
    op.drop_column("user", "is_admin")
