"""``GET /messages/all``: everybody's messages, for administrators.

It tells who was told of what, and when; what the messages say beyond their subject is their
recipients' alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from flask import Blueprint, current_app, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ..messages.listing import Anchor, read_all, reader_of
from ..messages.message_types import name_of
from ..recipient import RecipientMixin, models_of
from . import times
from .access import for_recipients, refuse, settings, wants_json
from .hooks import Hooks, find_user, may_administrate
from .parts import frame
from .poll import recipient_key
from .rows import When, when


def add_routes(blueprint: Blueprint) -> None:
    """Add the list."""
    add: Callable[..., None] = blueprint.add_url_rule
    add("/messages/all", endpoint="all_messages", view_func=all_messages)


@dataclass(frozen=True)
class _Line:
    """One message as an administrator sees it."""

    id: int
    recipient: str
    sender: str | None
    type: str
    subject: str
    when: When
    seen: bool
    mail_mode: str
    rule: str

    def as_json(self) -> dict[str, Any]:
        """Return what a client without a page is told."""
        return {**vars(self), "when": self.when.machine}


@for_recipients
def all_messages(user: RecipientMixin) -> ResponseReturnValue:
    """Show the messages of all recipients, or of one, newest first."""
    hooks = cast(Hooks, current_app.extensions["notify"].notify)
    if not may_administrate(hooks, user):
        return refuse(404, "There is no such page.")
    name, place = request.args.get("recipient", ""), request.args.get("page", "")
    anchor = Anchor.parse(place) if place else None
    if place and anchor is None:
        return refuse(400, f"page must be as the links Newer and Older have it, got {place[:40]!r}.")
    recipient = find_user(hooks, name) if name else None
    if name and recipient is None:
        return refuse(404, f"There is no user {name!r}."[:300])
    models = models_of(user)
    only = None if recipient is None else recipient_key(recipient)
    overview = read_all(models.db.session(), models, only, anchor, settings().messages_per_page)
    reader = reader_of(models.db.session(), models, recipient_key(user))
    zone, now = times.zone_of(reader.timezone, settings().timezone), models.clock()
    lines = [_line(message, zone, now) for message in overview.messages]
    older, newer = _url(name, overview.older), _url(name, overview.newer)
    if wants_json():
        return jsonify(messages=[line.as_json() for line in lines], older=older, newer=newer)
    pages = {"older": older, "newer": newer}
    return render_template("notify/all_messages.html", lines=lines, recipient_name=name, **pages, **frame())


def _line(message: Any, zone: Any, now: float) -> _Line:
    return _Line(
        message.id,
        name_of(message.recipient),
        None if message.sender is None else name_of(message.sender),
        message.type,
        message.subject,
        when(message.created_at, zone, now),
        message.seen,
        message.mail_mode,
        message.rule,
    )


def _url(name: str, anchor: Anchor | None) -> str | None:
    recipient: dict[str, Any] = {"recipient": name} if name else {}
    return None if anchor is None else url_for("notify.all_messages", **recipient, page=str(anchor))
