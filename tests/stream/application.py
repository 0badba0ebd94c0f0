"""The application of the tests' stream: told its database and settings by the environment."""

from __future__ import annotations

import json
import os
import sys

from flask import Flask

from tests.apps import make_app

COMMAND = (sys.executable, "-m", "flask", "--app", "tests.stream.application", "notify", "stream", "--port", "0")


def create_app() -> Flask:
    """Return it."""
    settings = json.loads(os.environ["SETTINGS"])
    return make_app(os.environ["DATABASE_URL"], **{"NOTIFY_STREAM_URL": "/stream", **settings}).app
