"""Desktop notifications: what a page that nobody looks at shows, the service worker, a test (rows H1 and H2)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, cast

from flask import Blueprint, current_app, flash, jsonify, request, send_from_directory, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from ..language import gettext, ngettext
from ..messages import sending
from ..messages.listing import Reader, newest_unseen, reader_of
from ..recipient import RecipientMixin, models_of
from ..rules import MailMode
from .access import alias_of, commit, for_recipients, go_back, refuse, settings, wants_json
from .csrf import hidden_fields, protected
from .parts import here, render_part
from .poll import current_recipient, recipient_key
from .rows import Row, rows_of
from .templating import _page, _static

_MOST = 3
"""New messages that are shown one by one; more are summed up."""

_MOST_SHOWN = 50
"""Notifications of which a page may ask whether they are still unseen."""

_BODY = 240
"""Characters of a text; desktops show fewer."""

_CURSOR = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?")
_IDS = re.compile(r"([0-9]{1,18}(,[0-9]{1,18})*)?")


def add_routes(blueprint: Blueprint) -> None:
    """Add the worker, what it and the page ask for, and the test."""
    add: Callable[..., None] = blueprint.add_url_rule
    add("/notify-worker.js", endpoint="worker", view_func=worker)
    add("/notifications/desktop", endpoint="desktop", view_func=desktop)
    add("/notifications/test", endpoint="test_notification", view_func=test_notification, methods=["POST"])


def pushes() -> bool:
    """Whether the application pushes: it has a VAPID key."""
    return settings().vapid_private_key is not None


def _push_key() -> str | None:
    """Return the key with which a browser subscribes, or None where nothing is pushed."""
    vapid = current_app.extensions["notify"].vapid
    return None if vapid is None else str(vapid.public_key)


def worker() -> Response:
    """Answer ``GET /notify-worker.js``: the service worker, which a browser asks for anew at each update."""
    # Not from among the static files: what a worker may be for is what lies below its own address.
    blueprint = cast(Blueprint, current_app.blueprints["notify"])
    response = send_from_directory(str(blueprint.static_folder), "notify-worker.js", max_age=0)
    response.headers["Service-Worker-Allowed"] = f"{request.script_root}/"
    response.headers["Cache-Control"] = "no-cache"
    return response


@for_recipients
def desktop(user: RecipientMixin) -> ResponseReturnValue:
    """Answer ``GET /notifications/desktop``: what to show on a desktop of what came after ``since``.

    Of the messages ``shown``, it also tells which are still unseen; those that are not are to be closed.
    """
    since, shown = request.args.get("since", ""), request.args.get("shown", "")
    if not _CURSOR.fullmatch(since) or not math.isfinite(float(since)):
        return refuse(400, f"since must be one finite number of Unix seconds, at least 0, got {since[:40]!r}.")
    ids = [int(text) for text in shown.split(",")] if shown and _IDS.fullmatch(shown) else []
    if len(ids) > _MOST_SHOWN or (shown and not ids):
        expected = f"shown must be up to {_MOST_SHOWN} keys of messages with commas"
        return refuse(400, f"{expected}, got {shown[:40]!r}.")
    models = models_of(user)
    # First: what comes in between lies after this cursor, and is told by the next answer.
    reader = reader_of(models.db.session(), models, recipient_key(user))
    notes = _notes(user, reader, float(since)) if reader.unseen_count else []
    return jsonify(notes=notes, unseen=_unseen_of(user, ids), unseen_count=reader.unseen_count, cursor=reader.cursor)


def _notes(user: RecipientMixin, reader: Reader, since: float) -> list[dict[str, Any]]:
    """Return what is shown: each message by itself, oldest first, or one note for all of many."""
    models = models_of(user)
    session, message = models.db.session(), models.message.c
    new = [message.recipient_id == reader.key, message.seen_at.is_(None)]
    new += [message.cursor > since, message.cursor <= reader.cursor]
    if is_quiet(user):
        new.append(message.rule == "critical")  # which cannot be masked
    newest = select(models.Message).where(*new).order_by(message.cursor.desc()).limit(_MOST + 1)
    messages = session.scalars(newest).all()
    if len(messages) <= _MOST:
        return [note_of(row) for row in reversed(rows_of(user, reader, messages))]
    count = session.scalar(select(func.count()).where(*new), bind_arguments={"clause": models.inbox}) or 0
    title = ngettext("%(num)d new message", "%(num)d new messages", count)
    return [{"title": title, "body": "", "url": url_for("notify.messages"), "tag": "notify-messages"}]


def is_quiet(user: RecipientMixin) -> bool:
    """Whether a user wants no desktop notifications now: none at all, or nothing that interrupts."""
    models = models_of(user)
    inbox = models.inbox.c
    mine = select(inbox.muted, inbox.desktop).where(inbox.recipient_id == recipient_key(user))
    muted, wanted = models.db.session.execute(mine, bind_arguments={"clause": models.inbox}).one_or_none() or (
        False,
        None,
    )
    return muted or wanted is False


def note_of(row: Row) -> dict[str, Any]:
    """Return a message as a desktop shows it; a push of the same message has the same tag."""
    text = " ".join((row.shown.body_text or "").split())
    return {
        "title": row.shown.subject,
        "body": text if len(text) <= _BODY else text[: _BODY - 1].rstrip() + "…",
        "url": row.href,
        "tag": f"notify-message-{row.shown.id}",
    }


def _unseen_of(user: RecipientMixin, ids: Sequence[int]) -> list[int]:
    if not ids:
        return []
    models = models_of(user)
    message = models.message.c
    mine = (message.recipient_id == recipient_key(user), message.id.in_(ids), message.seen_at.is_(None))
    return list(models.db.session.scalars(select(message.id).where(*mine), bind_arguments={"clause": models.inbox}))


@for_recipients
@protected
def test_notification(user: RecipientMixin) -> ResponseReturnValue:
    """Answer ``POST /notifications/test``: send the user a message, so that they see whether it reaches them."""
    models = models_of(user)
    sending.send(
        models,
        settings(),
        current_app.extensions["notify"].notify.message_types,
        gettext("A test notification"),
        # Without a mail: that would say nothing of what is tested.
        [(user, MailMode.NEVER)],
        doer=None,  # or it were the user's own doing, of which one is not told
        body=gettext("This is how new messages reach you here."),
        url=url_for("notify.messages"),
    )
    commit(user)
    if not wants_json():
        flash(gettext("A test notification is on its way."))
        return go_back(url_for("notify.messages"))
    reader = reader_of(models.db.session(), models, recipient_key(user))
    rows = rows_of(user, reader, newest_unseen(models.db.session(), models, reader.key, 1))
    note = note_of(rows[0]) if rows else None  # another page has marked it seen already
    return jsonify(success=True, note=note, message=gettext("A test notification is on its way."))


def notify_desktop_script() -> Markup:
    """Return the tag of the script that shows new messages on the desktop while nobody looks at a page.

    It does so for those users who have switched it on in this browser, by ``notify_desktop_button()``. A
    visitor who is not logged in gets it, too: there it takes away what was meant for the user before.
    """
    user = current_recipient()
    return render_part(
        "notify/desktop_script.html",
        src=_static("notify-desktop.js"),
        of="" if user is None else alias_of(user),
        since=repr(float(_page().cursor)),
        quiet=user is not None and is_quiet(user),
        push_key=_push_key(),
    )


def notify_desktop_button(*, always: bool = False) -> Markup:
    """Return a button by which a user switches desktop notifications on in this browser.

    It is hidden where the browser knows none, where they are on, and after "Never ask again". Nothing for a
    visitor who is not logged in. It needs ``notify_desktop_script()`` on the page.

    :param always: whether it says how things are all the time, with a button to switch them off: for a page of
        preferences.
    """
    if current_recipient() is None:
        return Markup("")
    return render_part("notify/desktop_button.html", always=always)


def notify_test_button(label: str | None = None) -> Markup:
    """Return a button by which users send themselves a message, to see whether it reaches them.

    It is a form, which works without JavaScript. Nothing for a visitor who is not logged in.

    :param label: what stands on it.
    """
    if current_recipient() is None:
        return Markup("")
    label = gettext("Send a test notification") if label is None else label
    return render_part("notify/test_button.html", label=label, csrf=hidden_fields(), here=here())
