"""What a template calls to show the inbox: ``notify_inbox()`` and ``notify_inbox_widget()``."""

from __future__ import annotations

from flask import url_for
from markupsafe import Markup

from ..listing import reader_of
from ..recipient import models_of
from .csrf import csrf_field
from .messages import render_part, unseen_part
from .poll import current_recipient, recipient_key
from .templating import _static, notify_badge


def notify_inbox(label: str = "Messages") -> Markup:
    """Return a bell with the count of unseen messages, which opens the newest of them.

    Without JavaScript it is a link to the page of all messages. Nothing for a visitor who is not
    logged in.

    :param label: what those hear who cannot see the bell.
    """
    if current_recipient() is None:
        return Markup("")
    badge = notify_badge(label="unseen")
    return Markup(render_part("notify/inbox.html", label=label, badge=badge, script=inbox_script()))


def notify_inbox_widget(heading: str = "New messages") -> Markup:
    """Return a part of a dashboard with the newest unseen messages.

    It is hidden while there are none. A user can switch it off for good.
    """
    user = current_recipient()
    if user is None:
        return Markup("")
    models = models_of(user)
    reader = reader_of(models.db.session, models, recipient_key(user))
    if reader.widget_hidden:
        return Markup("")
    part = Markup(unseen_part(user, reader))
    return Markup(render_part("notify/widget.html", heading=heading, part=part, script=inbox_script()))


def inbox_script() -> Markup:
    """Return the tag of the script by which the inbox needs no reload; a page may have it more than once."""
    return Markup('<script type="module" src="{}" data-notify-csrf="{}"></script>').format(
        _static("notify-inbox.js"), url_for("notify.csrf")
    )


__all__ = ["csrf_field", "inbox_script", "notify_inbox", "notify_inbox_widget"]
