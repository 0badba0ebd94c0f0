"""``GET /notifications/stream-token``: what a client needs to listen to the stream, for a minute."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify

from ..recipient import models_of
from ..stream.tokens import LIFETIME
from .poll import current_recipient, recipient_key, refuse


def add_routes(blueprint: Blueprint) -> None:
    """Add what is told here."""
    blueprint.add_url_rule("/notifications/stream-token", view_func=stream_token)


def stream_token() -> Response:
    """Answer with a token; a page is given one with each of its polls, and need not ask here."""
    tokens = current_app.extensions["notify"].tokens
    if tokens is None:
        return refuse(404, "This site has no stream: NOTIFY_STREAM_URL is not set.")
    user = current_recipient()
    if user is None:
        return refuse(401, "Log in to be notified.")
    response = jsonify(token=tokens.mint(str(recipient_key(user)), models_of(user).clock()), expires_in=LIFETIME)
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Cookie")
    return response
