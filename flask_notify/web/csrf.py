"""State changes by POST with a token of Flask-WTF only, whether or not the application checks by itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf, validate_csrf
from markupsafe import Markup
from wtforms import ValidationError

from .access import View, for_recipients, refuse

_HEADERS = ("X-CSRFToken", "X-CSRF-Token")  # Flask-WTF's own defaults


def protected(view: View) -> View:
    """Refuse a request to a view without a valid token: ``400``.

    Where the application has a ``CSRFProtect``, that has judged already.
    """

    @wraps(view)
    def checked(*arguments: Any, **options: Any) -> ResponseReturnValue:
        if current_app.config.get("WTF_CSRF_ENABLED", True) and not g.get("csrf_valid", False):
            try:
                validate_csrf(_sent())
            except ValidationError as reason:
                return refuse(400, f"{reason} Reload the page, and send the form again.")
        return view(*arguments, **options)

    return checked


def csrf_field() -> Markup:
    """Return the hidden field that every form which changes something has."""
    if not current_app.config.get("WTF_CSRF_ENABLED", True):
        return Markup("")
    return Markup('<input type="hidden" name="{}" value="{}">').format(_field(), generate_csrf())


@for_recipients
def token(_user: Any) -> ResponseReturnValue:
    """Answer ``GET /notifications/csrf``: a new token, for a page that was open for longer than its own lives."""
    # Another origin could not read the answer; it has no reason to ask either.
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return refuse(403, "This token is for the pages of this site.")
    return jsonify(field=_field(), token=generate_csrf())


def add_routes(blueprint: Blueprint) -> None:
    """Add the resource of the tokens."""
    add: Callable[..., None] = blueprint.add_url_rule
    add("/notifications/csrf", endpoint="csrf", view_func=token)


def _field() -> str:
    return str(current_app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token"))


def _sent() -> str | None:
    found = request.form.get(_field())
    return found or next(filter(None, map(request.headers.get, _HEADERS)), None)
