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
    # What is found here hides an installed package of the same name.
    sys.path[:0] = filter(None, [os.environ.get("SHADOW")])
    settings = {"NOTIFY_STREAM_URL": "/stream", **json.loads(os.environ["SETTINGS"])}
    keys = {name: settings.pop(name) for name in ("SECRET_KEY", "SECRET_KEY_FALLBACKS") if name in settings}
    app = make_app(os.environ["DATABASE_URL"], **settings).app
    app.config.update(keys)
    return app
