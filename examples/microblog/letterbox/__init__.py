"""Read the mails that the demo catches instead of sending them into the world."""

from __future__ import annotations

from flask import Flask

from .routes import blueprint

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Add the pages, where mails are caught at all: a site with a real mail server has none of this."""
    if app.config["LETTERBOX_FOLDER"] is not None:
        app.register_blueprint(blueprint)
