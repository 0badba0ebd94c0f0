"""``POST /push-subscriptions``: a browser takes the pushes of whoever is logged in, or takes them no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from ..errors import InvalidSubscription
from ..pushing import subscriptions
from ..recipient import RecipientMixin, models_of
from .access import alias_of, commit, for_recipients, refuse, settings
from .csrf import protected

_MOST_BYTES = 8_192
"""Bytes that a request may have: what a browser says has less than half as many."""


def add_routes(blueprint: Blueprint) -> None:
    """Add what a browser says when it subscribes, and when it does so no longer."""
    add: Callable[..., None] = blueprint.add_url_rule
    add("/push-subscriptions", endpoint="push_subscriptions", view_func=subscribe, methods=["POST"])
    add("/push-subscriptions/remove", endpoint="remove_push_subscription", view_func=unsubscribe, methods=["POST"])


@for_recipients
@protected
def subscribe(user: RecipientMixin) -> ResponseReturnValue:
    """Let the browser take the user's pushes, and nobody else's any more; saying it again changes nothing."""
    told = _told(user)
    if not isinstance(told, dict):
        return told
    if current_app.extensions["notify"].vapid is None:
        return refuse(404, "This site has no Web Push: NOTIFY_VAPID_PRIVATE_KEY is not set.")
    try:
        subscription = subscriptions.parse(told, settings().push_hosts)
    except InvalidSubscription as error:
        return refuse(400, str(error))
    subscriptions.subscribe(models_of(user), user, subscription)
    commit(user)
    answer = jsonify(success=True)
    answer.status_code = 201
    return answer


@for_recipients
@protected
def unsubscribe(user: RecipientMixin) -> ResponseReturnValue:
    """Let the browser take the user's pushes no more; one that does not is no error."""
    told = _told(user)
    if not isinstance(told, dict):
        return told
    endpoint = told.get("endpoint")
    if not isinstance(endpoint, str):
        return refuse(400, 'What is to be removed must be told as {"endpoint": "https://…"}.')
    subscriptions.unsubscribe(models_of(user), user, endpoint)
    commit(user)
    return "", 204


def _told(user: RecipientMixin) -> dict[str, Any] | ResponseReturnValue:
    """Return the JSON object of the request, or why it is refused."""
    length = request.content_length
    told = request.get_json(silent=True) if length is not None and length <= _MOST_BYTES else None
    if not isinstance(told, dict):
        return refuse(400, f"A JSON object of at most {_MOST_BYTES} bytes is expected, with its Content-Type.")
    # A page that was open while somebody else logged in must not subscribe for them.
    if told.get("user", alias_of(user)) != alias_of(user):
        return refuse(409, "This page was made for another account. Reload it, and nothing is mixed up.")
    return told
