"""After a restore, and before the first migration."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import with_appcontext

from .. import inbox
from .base import app_models

# An installed package has them inside; a checkout, beside it.
_MIGRATIONS = Path(__file__).parents[1] / "migrations"
_MIGRATIONS_IN_SOURCE = Path(__file__).parents[2] / "migrations"


@click.command("reset-cursors")
@with_appcontext
def reset_cursors() -> None:
    """Make every client hear the whole state again.

    Run it after the database was restored from a backup: what clients have seen since the
    backup is gone from it, and their pages still show it.
    """
    models = app_models()
    with click.progressbar(length=inbox.count(models), label="Inboxes") as bar:
        for done in inbox.reset_all(models):
            bar.update(done)


@click.command("migrations-path")
def migrations_path() -> None:
    """Print the directory of the migrations that ship with Flask-Notify.

    Use it as ``flask db upgrade -d "$(flask notify migrations-path)"``.
    """
    click.echo(_MIGRATIONS if _MIGRATIONS.is_dir() else _MIGRATIONS_IN_SOURCE)
