"""``/unsubscribe/<token>``: no more mail, by one click and without logging in (row C5, RFC 8058)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.wrappers import Response

from ..language import gettext
from ..mailing.unsubscribing import Subscription, read_token
from ..messages.message_types import Registry
from ..models import Models, RecipientKey
from ..rules import MailMode

ONE_CLICK = ("List-Unsubscribe", "One-Click")
"""What a POST must hold, whether a mail program or the page's own form makes it (RFC 8058, section 3.2)."""

_NO_MAIL = (MailMode.NEVER, MailMode.SILENT)


def add_routes(blueprint: Blueprint) -> None:
    """Add the page, and the POST that does it."""
    add: Callable[..., None] = blueprint.add_url_rule
    add("/unsubscribe/<token>", endpoint="unsubscribe", view_func=unsubscribe, methods=["GET", "POST"])


def exempt_from_csrf(app: Flask) -> None:
    """Let a mail program's POST pass an application's ``CSRFProtect``: its token stands in the address.

    To be called when the application is complete.
    """
    protect = app.extensions.get("csrf")
    if protect is not None:
        protect.exempt(unsubscribe)


def unsubscribe(token: str) -> ResponseReturnValue:
    """Show a form, and change nothing, unless it is a POST that says so."""
    notify = current_app.extensions["notify"].notify
    models: Models = notify.models
    subscription = read_token(models, current_app.extensions["notify"].settings, token)
    if subscription is None:
        return _answer("unknown", None, 404)
    label = _label(notify.message_types, subscription.type)
    if request.method != "POST":
        return _answer("ask", label, 200)
    name, value = ONE_CLICK
    if request.form.get(name) != value:
        return _answer("ask", label, 400)
    _stop_mail(models, notify.message_types, subscription)
    return _answer("done", label, 200)


def _answer(step: str, label: str | None, status: int) -> Response:
    page = render_template("notify/unsubscribe.html", step=step, label=label, one_click=ONE_CLICK, _=gettext)
    response = make_response(page, status)
    # Whoever has the address can unsubscribe: no other site is to hear it, and no cache to keep it.
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _label(types: Registry, name: str | None) -> str | None:
    if name is None:
        return None
    return types[name].title() if name in types else name.replace("_", " ").capitalize()


def _stop_mail(models: Models, types: Registry, subscription: Subscription) -> None:
    """Set what it takes that no mail comes; whoever wants even less is left alone."""
    session = models.db.session
    user: Any = session.get(models.user_mapper.class_, subscription.recipient_key)
    if user is None:
        return
    general, own = _modes(models, subscription.recipient_key)
    if subscription.type is None:
        if general not in _NO_MAIL:
            user.set_mail_mode(MailMode.NEVER)
        # A mode for a type counts for more than the one in general.
        mailed = [name for name, mode in own.items() if mode not in _NO_MAIL]
    else:
        mode = own.get(subscription.type, general if general is MailMode.SILENT else None)
        mailed = [] if mode in _NO_MAIL else [subscription.type]
    for name in mailed:
        if name in types:  # of one that has gone from the code nothing is sent any more
            user.set_mail_mode(MailMode.NEVER, type=name)
    session.commit()


def _modes(models: Models, key: RecipientKey) -> tuple[MailMode | None, dict[str, MailMode]]:
    """Return what a recipient has chosen in general, and per type."""
    connection = models.db.session.connection(bind_arguments={"clause": models.inbox})
    inbox, preference = models.inbox.c, models.preference.c
    general = connection.scalar(select(inbox.mail_mode).where(inbox.recipient_id == key))
    chosen = select(preference.type, preference.mail_mode).where(preference.recipient_id == key)
    own = {name: MailMode(mode) for name, mode in connection.execute(chosen)}
    return MailMode.parse(general), own
