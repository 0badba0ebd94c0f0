"""The yardstick: a Flask view that returns ``[]``, with neither a login nor a database."""

from __future__ import annotations

from typing import Any

from flask import Flask

application = Flask(__name__)


@application.get("/notifications")
def notifications() -> list[Any]:
    """Answer as an idle poll does."""
    return []
