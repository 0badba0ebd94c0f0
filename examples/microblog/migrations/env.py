"""Run the migrations with the application's own engine and models."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from flask import current_app

from examples.microblog.times import UtcDateTime


def render_item(kind: str, item: Any, _autogen_context: Any) -> str | Literal[False]:
    """Write types of our own as what the database knows: a revision outlives the code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime()"
    return False


def run_offline() -> None:
    """Print the SQL instead of running it."""
    extension = current_app.extensions["migrate"]
    context.configure(
        url=extension.db.engine.url.render_as_string(hide_password=False),
        target_metadata=extension.db.metadata,
        literal_binds=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Bring the database to the wanted revision."""
    extension = current_app.extensions["migrate"]
    with extension.db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=extension.db.metadata,
            render_item=render_item,
            **extension.configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
