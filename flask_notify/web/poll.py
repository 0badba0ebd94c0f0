"""``GET /notifications?since=``: the full way, through Flask."""

from __future__ import annotations

import math
import re
from typing import cast

from flask import Response, current_app, jsonify, request, session
from flask_login import current_user

from ..config import Settings
from ..emission import key_of
from ..live import polling
from ..models import Models, RecipientKey
from ..recipient import RecipientMixin, models_of
from .fast_poll import OFFER, Offer
from .ticket import Signer

# float() takes more than this: "nan", "1_000", white space, digits of other scripts.
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")


def poll() -> Response:
    """Answer a poll (the contract of the Flask Mega-Tutorial's client, part XXI)."""
    user = current_recipient()
    if user is None:
        return refuse(401, "Log in to be notified.")
    since = _parse_since()
    if since is None:
        expected = "since must be one finite number of Unix seconds, at least 0"
        return refuse(400, f"{expected}, got {request.args.getlist('since')!r}"[:300])
    answer = read_answer(user, since)
    state = current_app.extensions["notify"]
    # As one list: to set them one by one takes twice as long.
    headers = [
        ("X-Notify-User", state.signer.alias(str(recipient_key(user)))),
        ("X-Poll-Interval", f"{state.settings.poll_interval:g}"),
        ("Vary", "Cookie"),
        *_caching(user, answer, state.signer),
    ]
    if state.tokens is not None and request.environ.get("HTTP_X_NOTIFY_STREAM"):
        headers.append(("X-Notify-Stream", state.tokens.mint(str(recipient_key(user)), models_of(user).clock())))
    return Response(answer.body, headers=headers, mimetype="application/json")


def current_recipient() -> RecipientMixin | None:
    """Return the logged-in user if it is one who can be notified, else None."""
    user = current_user._get_current_object()
    if user is None or not user.is_authenticated or not user.is_active:
        return None
    return user if isinstance(user, RecipientMixin) else None


def recipient_key(user: RecipientMixin) -> RecipientKey:
    """Return a user's key, also of one whom the application made from a token without a read."""
    stored = key_of(user)
    return models_of(user).user_mapper.primary_key_from_instance(user)[0] if stored is None else stored


def read_answer(user: RecipientMixin, since: float) -> polling.Answer:
    """Read what a user's page is to be told, on the connection that the session has."""
    models: Models = models_of(user)
    connection = models.db.session.connection(bind_arguments={"clause": models.inbox})
    settings = cast(Settings, current_app.extensions["notify"].settings)
    cursor = connection.connection.cursor()
    try:
        return polling.read(
            cursor,
            connection,
            models,
            recipient_key(user),
            since=since,
            now=models.clock(),
            tombstone_age=settings.tombstone_age,
        )
    finally:
        cursor.close()


def _parse_since() -> float | None:
    values = request.args.getlist("since")
    if not values:
        return 0.0
    if len(values) > 1 or not _NUMBER.fullmatch(values[0]):
        return None
    since = float(values[0])
    return since if math.isfinite(since) else None


def _caching(user: RecipientMixin, answer: polling.Answer, signer: Signer) -> list[tuple[str, str]]:
    """Return the headers that give an idle poll its ticket, and keep every other answer from being stored."""
    if answer.reset:
        return [("X-Notify-Reset", "1"), ("Cache-Control", "no-store")]
    offer = request.environ.get(OFFER)
    if answer.items or offer is None or not _holds(offer, user):
        return [("Cache-Control", "no-store")]
    ticket = signer.mint(offer.bound_to, str(recipient_key(user)), answer.cursor, models_of(user).clock())
    # A browser keeps the empty list, and asks each time whether it is still good.
    return [("ETag", f'"{ticket}"'), ("Cache-Control", "private, no-cache")]


def _holds(offer: Offer, user: RecipientMixin) -> bool:
    """Whether what a ticket is bound to says who is polling, and which database was read."""
    # Someone known by a header of the application's own is not told apart by a ticket.
    if "_user_id" not in session and "Authorization" not in request.headers:
        return False
    # A session may be routed to another database, by the request or by a test.
    models = models_of(user)
    return models.db.session.get_bind(clause=models.inbox) is offer.engine


def refuse(status: int, message: str) -> Response:
    """Return an error as JSON."""
    response = jsonify(error=message)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Cookie")
    return response
