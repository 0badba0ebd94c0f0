"""What a template calls to show the inbox: ``notify_inbox()`` and ``notify_inbox_widget()``."""

from __future__ import annotations

from markupsafe import Markup

from ..messages.listing import reader_of
from ..recipient import models_of
from .messages import unseen_part
from .parts import here, inbox_script, render_part
from .poll import current_recipient, recipient_key
from .templating import notify_badge


def notify_inbox(label: str = "Messages") -> Markup:
    """Return a bell with the count of unseen messages, which opens the newest of them.

    Without JavaScript it is a link to the page of all messages. Nothing for a visitor who is not
    logged in.

    :param label: what those hear who cannot see the bell.
    """
    if current_recipient() is None:
        return Markup("")
    return render_part("notify/inbox.html", label=label, badge=notify_badge(label="unseen"), script=inbox_script())


def notify_inbox_widget(heading: str = "New messages") -> Markup:
    """Return a part of a dashboard with the newest unseen messages.

    It is hidden while there are none. A user can switch it off for good.
    """
    user = current_recipient()
    if user is None:
        return Markup("")
    models = models_of(user)
    reader = reader_of(models.db.session(), models, recipient_key(user))
    if reader.widget_hidden:
        return Markup("")
    part = unseen_part(user, reader, here())
    return render_part("notify/widget.html", heading=heading, part=part, script=inbox_script())
