"""Runs the versions on the database of the application's user model, beside the application's own.

The versions of Flask-Notify are counted in a table of their own, so that the two histories never meet.
"""

from __future__ import annotations

from logging.config import fileConfig
from typing import Any

from alembic import context

from flask_notify import current_notify
from flask_notify.models import VERSION_TABLE, Models


def run() -> None:
    """Run on the one engine where the tables live, or print the statements for it (``--sql``)."""
    models = current_notify.models
    engine = models.db.engines[models.bind_key]
    if context.is_offline_mode():
        context.configure(url=engine.url, literal_binds=True, **_options(models))
        _run_versions()
        return
    with engine.connect() as connection:
        context.configure(connection=connection, **_options(models))
        _run_versions()


def _options(models: Models) -> dict[str, Any]:
    ours = {table.key for table in models.tables}
    metadata = models.user_table.metadata
    return {
        # It gives the application's naming convention to the constraints. And `flask db check -d …` tells whether
        # the tables are as the models want them: ours only, for the others have a history of their own.
        "target_metadata": metadata,
        "include_schemas": metadata.schema is not None,
        "include_name": lambda name, kind, _parents: kind != "schema" or name == metadata.schema,
        "include_object": lambda item, _name, kind, *_: kind != "table" or item.key in ours,
        "version_table": VERSION_TABLE,
        "version_table_schema": metadata.schema,
        # Each version is committed by itself: the locks of a change of tables are not held while rows are moved.
        "transaction_per_migration": True,
    }


def _run_versions() -> None:
    with context.begin_transaction():
        context.run_migrations()


if context.config.config_file_name:
    # Without the argument, it would silence the application's own loggers.
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
run()
