"""Discussions: threads, and comments on them."""

from flask import Flask

from . import cli
from .routes import blueprint

__all__ = ["init_app"]


def init_app(app: Flask) -> None:
    """Add the pages and the commands to *app*."""
    app.register_blueprint(blueprint)
    cli.init_app(app)
