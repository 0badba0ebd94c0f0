"""State changes by POST with a token of Flask-WTF only, whether or not the application checks by itself.

A token is the browser session's, and outlives a change of account in it. So a form also says for
whom it was rendered, and changes nothing for anybody else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import generate_csrf, validate_csrf
from markupsafe import Markup
from wtforms import ValidationError

from .access import View, alias_of, for_recipients, refuse
from .poll import current_recipient

_USER = "notify_user"
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
        if is_of_another():
            return refuse(409, "This page was made for another account. Reload it, and nothing is mixed up.")
        return view(*arguments, **options)

    return checked


def is_of_another() -> bool:
    """Whether the form that was sent says that it was rendered for another user."""
    user, meant = current_recipient(), request.form.get(_USER)
    return user is not None and meant is not None and meant != alias_of(user)


def hidden_fields() -> Markup:
    """Return the hidden fields that every form which changes something has."""
    fields = user_field()
    if current_app.config.get("WTF_CSRF_ENABLED", True):
        fields += Markup('<input type="hidden" name="{}" value="{}">').format(_field(), generate_csrf())
    return fields


def user_field() -> Markup:
    """Return the hidden field that says for whom a form was rendered."""
    user = current_recipient()
    if user is None:
        return Markup("")
    return Markup('<input type="hidden" name="{}" value="{}">').format(_USER, alias_of(user))


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
