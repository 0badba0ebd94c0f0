"""Who may have a page, in which form it is answered, and how it is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from urllib.parse import urlsplit

from flask import abort, current_app, jsonify, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from ..config import Settings
from ..recipient import RecipientMixin, models_of
from .poll import current_recipient, recipient_key

View = Callable[..., ResponseReturnValue]


def wants_json() -> bool:
    """Whether the client asks for JSON rather than for a page."""
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"


def for_recipients(view: View) -> View:
    """Give a view the logged-in recipient as its first argument, and refuse everybody else.

    What it answers is private to that recipient, and stored nowhere.
    """

    @wraps(view)
    def refuse_others(**arguments: Any) -> ResponseReturnValue:
        user = current_recipient()
        if user is None:
            return private(_ask_to_log_in())
        response = private(view(user, **arguments))
        response.headers["X-Notify-User"] = alias_of(user)
        return response

    return refuse_others


def private(answer: ResponseReturnValue) -> Response:
    """Keep an answer out of every cache."""
    response = make_response(answer)
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.update(["Cookie", "Accept"])
    return response


def refuse(status: int, message: str) -> Response:
    """Return an error in the form that the client asks for; a page is the application's own for that status.

    :param message: what was expected, what came, and what to do.
    """
    if not wants_json():
        abort(status, description=message)
    response = jsonify(error=message)
    response.status_code = status
    return response


def alias_of(user: RecipientMixin) -> str:
    """Return what tells a user from others, and says nothing else; pages and polls have it, too."""
    return str(current_app.extensions["notify"].signer.alias(str(recipient_key(user))))


def settings() -> Settings:
    """Return the settings of the current application."""
    return cast(Settings, current_app.extensions["notify"].settings)


def go_back(default: str) -> Response:
    """Redirect to where the form was, as its field ``next`` tells, if that is a path of this site."""
    return redirect(safe_path(request.form.get("next", "")) or default, 303)


def safe_path(path: str) -> str | None:
    """Return a path of this site as it is, and None for anything that may lead elsewhere."""
    # A browser reads "//host", "/\host" and "/<tab>/host" as another host.
    if not path.startswith("/") or path.startswith("//") or "\\" in path or any(ord(char) <= 32 for char in path):
        return None
    parts = urlsplit(path)
    return None if parts.scheme or parts.netloc else path


def _ask_to_log_in() -> ResponseReturnValue:
    if wants_json():
        return refuse(401, "Log in to read your messages.")
    if request.method == "POST":
        # After the login one cannot be sent to what takes a POST only.
        return redirect(url_for("notify.messages"), 303)
    return cast(ResponseReturnValue, cast(Any, current_app).login_manager.unauthorized())


def commit(user: RecipientMixin) -> None:
    """Commit what a view of the extension's own has changed for a user."""
    models_of(user).db.session.commit()
