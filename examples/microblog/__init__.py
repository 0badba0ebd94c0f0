"""A microblog in the style of the Flask Mega-Tutorial, with live values.

Run it with ``flask --app examples.microblog demo``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from . import (
    announcements,
    auth,
    errors,
    exports,
    languages,
    letterbox,
    main,
    manners,
    mentions,
    security,
    threads,
    times,
    unseen,
)
from .config import DEFAULTS, secret_key
from .demo import cli
from .extensions import csrf, db, login, migrate, notify
from .models import Comment, Follow, Post, Task, Thread, User
from .presence import note_presence

__all__ = ["create_app"]

HERE = Path(__file__).resolve().parent


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Build the application; *config* overrides the environment and the defaults."""
    instance = os.environ.get("MICROBLOG_INSTANCE_PATH") or HERE / "instance"
    app = Flask(__name__, instance_path=str(Path(instance).resolve()))
    app.config.from_mapping(DEFAULTS)
    app.config.from_prefixed_env("MICROBLOG")
    app.config.from_mapping(config or {})
    if not app.config.get("SECRET_KEY"):
        app.config["SECRET_KEY"] = secret_key(Path(app.instance_path))
    _init_extensions(app)
    _register_parts(app)
    return app


def _init_extensions(app: Flask) -> None:
    db.init_app(app)
    migrate.init_app(app, db, directory=str(HERE / "migrations"))
    login.init_app(app)
    csrf.init_app(app)
    languages.init_app(app)
    notify.init_app(app)
    notify.before_private_message(manners.not_too_fast)
    notify.administrator(manners.may_read_all)


def _register_parts(app: Flask) -> None:
    app.register_blueprint(auth.blueprint)
    app.register_blueprint(main.blueprint)
    threads.init_app(app)
    app.register_blueprint(exports.blueprint)
    app.register_blueprint(unseen.blueprint)
    app.register_blueprint(announcements.blueprint)
    letterbox.init_app(app)
    app.before_request(note_presence)
    errors.init_app(app)
    security.init_app(app)
    times.init_app(app)
    mentions.init_app(app)
    cli.init_app(app)
    models = (User, Post, Thread, Comment, Follow, Task)
    app.shell_context_processor(lambda: {"db": db, **{model.__name__: model for model in models}})
