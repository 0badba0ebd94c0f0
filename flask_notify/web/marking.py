"""``POST /messages/…/seen`` and ``/unseen``: what a recipient has read, and what not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from ..messages.listing import reader_of
from ..recipient import RecipientMixin, models_of
from .access import commit, for_recipients, go_back, refuse, wants_json
from .csrf import protected
from .messages import MESSAGE_ID
from .poll import recipient_key

_CURSOR = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?")
_ID = re.compile("[0-9]{1,18}")
_MOST = 1_000


def add_routes(blueprint: Blueprint) -> None:
    """Add what marks messages, and what hides the widget."""
    add: Callable[..., None] = blueprint.add_url_rule
    add(f"/messages/<{MESSAGE_ID}:id>/seen", endpoint="seen", view_func=seen, methods=["POST"])
    add(f"/messages/<{MESSAGE_ID}:id>/unseen", endpoint="unseen", view_func=unseen, methods=["POST"])
    add("/messages/seen", endpoint="all_seen", view_func=all_seen, methods=["POST"])
    add("/messages/widget", endpoint="widget", view_func=widget, methods=["POST"])


@for_recipients
@protected
def seen(user: RecipientMixin, id: int) -> ResponseReturnValue:  # noqa: A002  # the address's own word
    """Mark one message seen; one that is already so stays as it is."""
    return _mark(user, [id], user.mark_seen)


@for_recipients
@protected
def unseen(user: RecipientMixin, id: int) -> ResponseReturnValue:  # noqa: A002  # the address's own word
    """Mark one message unseen; one that is already so stays as it is."""
    return _mark(user, [id], user.mark_unseen)


@for_recipients
@protected
def all_seen(user: RecipientMixin) -> ResponseReturnValue:
    """Mark all messages seen up to a cursor, or those with some keys: never what arrived since."""
    until, ids = request.form.getlist("until"), request.form.getlist("ids")
    if len(until) == 1 and not ids and _CURSOR.fullmatch(until[0]) and math.isfinite(float(until[0])):
        change = user.mark_all_seen(until=float(until[0]))
        commit(user)
        return _answer(user, change.changed)
    if ids and not until and len(ids) <= _MOST and all(map(_ID.fullmatch, ids)):
        return _mark(user, sorted(set(map(int, ids))), user.mark_seen)
    expected = f"Expected until=<cursor>, or up to {_MOST} times ids=<key of a message>"
    return refuse(400, f"{expected}, got {dict(request.form.lists())!r}"[:300])


@for_recipients
@protected
def widget(user: RecipientMixin) -> ResponseReturnValue:
    """Switch the dashboard widget off, or on again."""
    hidden = request.form.get("hidden")
    if hidden not in ("0", "1"):
        return refuse(400, f"hidden must be 0 or 1, got {hidden!r}"[:300])
    user.set_notify_preferences(widget_hidden=hidden == "1")
    commit(user)
    return _answer(user, 1)


def _mark(user: RecipientMixin, ids: Sequence[int], mark: Callable[..., Any]) -> ResponseReturnValue:
    models = models_of(user)
    message = models.message.c
    # Another's message is one that does not exist, as far as this user can tell.
    mine = select(func.count()).where(message.id.in_(ids), message.recipient_id == recipient_key(user))
    if models.db.session.scalar(mine, bind_arguments={"clause": models.inbox}) != len(ids):
        return refuse(404, "You have no such message.")
    change = mark(*ids)
    commit(user)
    return _answer(user, change.changed)


def _answer(user: RecipientMixin, changed: int | None) -> ResponseReturnValue:
    if not wants_json():
        return go_back(url_for("notify.messages"))
    models = models_of(user)
    reader = reader_of(models.db.session(), models, recipient_key(user))
    return jsonify(changed=changed, unseen_count=reader.unseen_count, cursor=reader.cursor)
