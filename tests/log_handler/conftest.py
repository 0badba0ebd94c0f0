"""A logger whose records notify, on each database."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from sqlalchemy.orm import Session

from flask_notify import NotifyHandler
from tests.apps import Site
from tests.log_handler.judging import register

_numbers = count(1)


@pytest.fixture
def susan(site: Site) -> Any:
    """A user's key."""
    return site.add_user("susan")


@pytest.fixture
def handler(site: Site) -> NotifyHandler:
    """The handler, bound to the application: in this process there are those of other tests, too."""
    return NotifyHandler(app=site.app)


@pytest.fixture
def log(site: Site, handler: NotifyHandler) -> Iterator[logging.Logger]:
    """A logger with the handler; a function is registered for the notification "judged"."""
    register(site.notify)
    logger = logging.getLogger(f"tests.log_handler.{next(_numbers)}")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


@pytest.fixture
def session(site: Site) -> Iterator[Session]:
    """The session of an application context."""
    with site.app.app_context():
        yield site.db.session()
