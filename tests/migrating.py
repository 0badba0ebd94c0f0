"""Run Flask-Migrate's commands on the applications of the tests."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps import Site

SHIPPED = Path(__file__).parents[1] / "migrations"


def flask(site: Site, *arguments: str) -> str:
    """Run ``flask …`` and return what it printed; a failure is the test's."""
    result = site.app.test_cli_runner().invoke(args=arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def shipped(site: Site, command: str, *arguments: str) -> str:
    """Run ``flask db …`` on the migrations that ship with the extension."""
    return flask(site, "db", command, "-d", str(SHIPPED), *arguments)


@pytest.fixture(autouse=True)
def keep_logging() -> Iterator[None]:
    """Set logging back: Flask-Migrate's own env.py sets it up anew, and silences every logger there is."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    loggers = [item for item in root.manager.loggerDict.values() if isinstance(item, logging.Logger)]
    before = [(logger, logger.disabled, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    root.handlers[:], root.level = handlers, level
    for logger, disabled, level, handlers in before:
        logger.disabled, logger.handlers[:] = disabled, handlers
        logger.setLevel(level)
