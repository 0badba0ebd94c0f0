"""Run Flask-Migrate's commands on the applications of the tests."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import Result
from flask_migrate import Migrate
from sqlalchemy import Engine

from tests.apps import Site

SHIPPED = Path(__file__).parents[1] / "migrations"


class Migrations:
    """``flask db …`` for one application: on its own migrations in ``directory``, and on those that ship."""

    def __init__(self, site: Site, directory: Path, **options: Any) -> None:
        self.site = site
        self.directory = directory
        self.engine = engine_of(site)
        Migrate(site.app, site.db, directory=str(directory), **options)

    def own(self, command: str, *arguments: str) -> str:
        """Run a command on the application's own migrations, and return what it printed."""
        return succeed(self.site, "db", command, "-d", str(self.directory), *arguments)

    def shipped(self, command: str, *arguments: str) -> str:
        """Run a command on the migrations that ship with the extension, and return what it printed."""
        return succeed(self.site, "db", command, "-d", str(SHIPPED), *arguments)

    def scripts(self) -> list[str]:
        """Return the text of the application's own versions."""
        return [path.read_text() for path in (self.directory / "versions").glob("*.py")]


def run(site: Site, *arguments: str) -> Result:
    """Run ``flask …``."""
    # What Flask-Migrate's env.py leaves here for the next command belongs to the last one.
    site.app.extensions["migrate"].configure_args.pop("process_revision_directives", None)
    with logging_kept():
        return site.app.test_cli_runner().invoke(args=arguments)


def succeed(site: Site, *arguments: str) -> str:
    """Run ``flask …``, which has to work, and return what it printed."""
    result = run(site, *arguments)
    assert result.exit_code == 0, (result.output, result.exc_info)
    return result.stdout


def engine_of(site: Site) -> Engine:
    """Return the engine of the database in which the users live."""
    with site.app.app_context():
        return site.db.engines[site.notify.models.bind_key]


@contextmanager
def logging_kept() -> Iterator[None]:
    """Set logging back in the end: Flask-Migrate's own env.py sets it up anew, and silences what it does not know."""
    root = logging.getLogger()
    known = [logger for logger in root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    before = [(logger, logger.disabled, logger.level, logger.handlers[:]) for logger in [root, *known]]
    try:
        yield
    finally:
        for logger, disabled, level, handlers in before:
            logger.disabled, logger.handlers = disabled, handlers
            logger.setLevel(level)
