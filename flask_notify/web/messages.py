"""``GET /messages`` and ``GET /messages/<id>``: what a recipient reads."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from flask import Blueprint, current_app, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from ..messages.listing import Filters, Page, Place, Reader, newest_unseen, read, reader_of
from ..messages.message_types import MessageType
from ..models import MessageColumns
from ..recipient import RecipientMixin, models_of
from . import times
from .access import commit, for_recipients, refuse, settings, wants_json
from .csrf import hidden_fields
from .parts import frame, here, inbox_script, render_part
from .poll import recipient_key
from .rows import Row, rows_of
from .visits import is_visit

MESSAGE_ID = "int(max=9223372036854775807)"
"""The converter of a message's key: what is larger is no key of any database."""

_LATEST = 7
_WIDGET = 5
_SEEN = {"": None, "0": False, "1": True}
_TYPE = re.compile(rf"[^\x00-\x1f]{{0,{64}}}")


def add_routes(blueprint: Blueprint) -> None:
    """Add what is read."""
    add: Callable[..., None] = blueprint.add_url_rule
    add("/messages", endpoint="messages", view_func=listed)
    add("/messages/latest", endpoint="latest", view_func=latest)
    add(f"/messages/<{MESSAGE_ID}:id>", endpoint="message", view_func=one)


class _BadParameter(ValueError):
    """A parameter of the address is not what it can be."""


@dataclass(frozen=True)
class _Asked:
    """What the address asks for, as text and as it is meant."""

    texts: dict[str, Any]
    filters: Filters
    place: Place | None

    @property
    def everything(self) -> bool:
        """Whether it is the first page of all messages."""
        return self.place is None and not self.texts

    def url(self, place: Place | None) -> str:
        """Return the address of another page of the same list."""
        page: dict[str, Any] = {} if place is None else {"page": str(place)}
        return url_for("notify.messages", **self.texts, **page)


@for_recipients
def listed(user: RecipientMixin) -> ResponseReturnValue:
    """Answer ``GET /messages``: unseen first, newest first; it changes nothing."""
    models = models_of(user)
    session = models.db.session()
    reader = reader_of(session, models, recipient_key(user))
    try:
        asked = _asked(reader)
    except _BadParameter as error:
        return refuse(400, str(error))
    page = read(session, models, reader, settings().messages_per_page, asked.filters, asked.place)
    rows = rows_of(user, reader, page.messages)
    older = None if page.older is None else asked.url(page.older)
    newer = asked.url(page.newer) if page.newer or page.arrived else None
    if wants_json():
        messages = [row.as_json() for row in rows]
        return jsonify(messages=messages, older=older, newer=newer, unseen_count=reader.unseen_count, cursor=page.at)
    return render_template(
        "notify/messages.html",
        rows=rows,
        older=older,
        newer=newer,
        reader=reader,
        asked=asked.texts,
        first=asked.everything,
        types=_types(),
        **_frame(),
        **_to_mark(asked, reader, page, rows),
    )


def _to_mark(asked: _Asked, reader: Reader, page: Page, rows: list[Row]) -> dict[str, Any]:
    """Say what is seen by looking at a page: all up to its cursor, or what is on it."""
    if asked.everything:
        return {"until": repr(page.at) if reader.unseen_count else None, "ids": []}
    return {"until": None, "ids": [row.shown.id for row in rows if not row.shown.seen]}


@for_recipients
def one(user: RecipientMixin, id: int) -> ResponseReturnValue:  # noqa: A002  # the address's own word
    """Answer ``GET /messages/<id>``: show a message, or lead to what it is about.

    The recipient's own navigation marks it seen.
    """
    message = _own(user, id)
    if message is None:
        return refuse(404, f"You have no message {id}.")
    if not message.seen and is_visit():
        user.mark_seen(id)
        commit(user)
    models = models_of(user)
    reader = reader_of(models.db.session(), models, recipient_key(user))
    (row,) = rows_of(user, reader, [message])
    if wants_json():
        return jsonify(row.as_json())
    if row.shown.url:
        return redirect(row.shown.url)
    ids = [] if row.shown.seen else [id]
    return render_template("notify/message.html", row=row, reader=reader, ids=ids, until=None, **_frame())


def _own(user: RecipientMixin, number: int) -> MessageColumns | None:
    models = models_of(user)
    message = models.message.c
    mine = select(models.Message).where(message.id == number, message.recipient_id == recipient_key(user))
    return cast("MessageColumns | None", models.db.session.scalar(mine))


@for_recipients
def latest(user: RecipientMixin) -> ResponseReturnValue:
    """Answer ``GET /messages/latest``: the part of a page that shows the newest, or, with ``widget``, the unseen."""
    models = models_of(user)
    reader = reader_of(models.db.session(), models, recipient_key(user))
    return unseen_part(user, reader) if "widget" in request.args else latest_part(user, reader)


def latest_part(user: RecipientMixin, reader: Reader) -> str:
    """Return what the drop-down shows."""
    models = models_of(user)
    page = read(models.db.session(), models, reader, _LATEST)
    rows, until = rows_of(user, reader, page.messages), repr(page.at)
    return render_part("notify/_latest.html", rows=rows, until=until, reader=reader, csrf=hidden_fields())


def unseen_part(user: RecipientMixin, reader: Reader, back: str | None = None) -> str:
    """Return what the widget shows: nothing where there is nothing new, or where it was switched off.

    :param back: the page that its forms lead back to, where no script sends them.
    """
    models = models_of(user)
    if reader.widget_hidden or not reader.unseen_count:
        return ""
    messages = newest_unseen(models.db.session(), models, reader.key, min(_WIDGET, reader.unseen_count))
    rows = rows_of(user, reader, messages)
    until = repr(reader.cursor)
    return render_part("notify/_widget.html", rows=rows, until=until, reader=reader, here=back, csrf=hidden_fields())


def _frame() -> dict[str, Any]:
    """Return what every page of messages needs."""
    return {"csrf": hidden_fields(), "script": inbox_script(), "here": here(), **frame()}


def _types() -> list[tuple[str, str]]:
    declared: dict[str, type[MessageType]] = current_app.extensions["notify"].notify.message_types
    return sorted(((name, kind.title()) for name, kind in declared.items()), key=lambda pair: pair[1].casefold())


def _asked(reader: Reader) -> _Asked:
    zone = times.zone_of(reader.timezone, settings().timezone)
    texts = {name: _argument(name) for name in ("seen", "type", "from", "to")}
    if texts["seen"] not in _SEEN:
        raise _BadParameter(f"seen must be 0 or 1, got {texts['seen'][:40]!r}. Leave it out for both.")
    if not _TYPE.fullmatch(texts["type"]):
        raise _BadParameter(f"type must be the name of a type of message, got {texts['type'][:40]!r}.")
    filters = Filters(
        seen=_SEEN[texts["seen"]],
        type=texts["type"] or None,
        since=_day("from", texts["from"], zone, after=0),
        before=_day("to", texts["to"], zone, after=1),
    )
    text = _argument("page")
    place = Place.parse(text) if text else None
    if text and place is None:
        raise _BadParameter(
            f"page must be as the links Newer and Older have it, got {text[:40]!r}. Begin at /messages."
        )
    return _Asked({name: text for name, text in texts.items() if text}, filters, place)


def _argument(name: str) -> str:
    given = request.args.getlist(name)
    if len(given) > 1:
        raise _BadParameter(f"{name} must be given once, got {len(given)} of it.")
    return given[0] if given else ""


def _day(name: str, text: str, zone: Any, after: int) -> float | None:
    try:
        return times.start_of_day(text, zone, after=after) if text else None
    except (ValueError, OverflowError):
        raise _BadParameter(f"{name} must be a day like 2026-11-21, got {text[:40]!r}.") from None
