"""Pages for what goes wrong."""

from __future__ import annotations

from flask import Flask, render_template
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError

from .extensions import db


def init_app(app: Flask) -> None:
    """Show pages of our own for the errors of *app*."""
    app.register_error_handler(CSRFError, _grown_old)
    for code in (400, 403, 429):
        app.register_error_handler(code, _refused)
    app.register_error_handler(404, _not_found)
    app.register_error_handler(500, _broken)


def _grown_old(_error: CSRFError) -> tuple[str, int]:
    return render_template("errors/400.html"), 400


def _refused(error: HTTPException) -> tuple[str, int]:
    return render_template("errors/refused.html", error=error), error.code or 400


def _not_found(_error: HTTPException) -> tuple[str, int]:
    return render_template("errors/404.html"), 404


def _broken(error: InternalServerError) -> tuple[str, int]:
    # The page asks the database who is logged in: a failed transaction must be over.
    db.session.rollback()
    # An action that has failed tells by which reference that is found in the log.
    told = error.description if error.description != InternalServerError.description else None
    return render_template("errors/500.html", told=told), 500
