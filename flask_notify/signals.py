"""Signals, for those who want to hear of what the jobs do; the sender is the application.

They are sent after the commit. A receiver that raises is its own affair: it is logged, and the
work goes on.
"""

from __future__ import annotations

import logging
from typing import Any

from blinker import NamedSignal, Namespace
from flask import current_app, has_app_context

_signals = Namespace()

mail_sent = _signals.signal("mail-sent", "With mail_id and recipient_id: the server has taken a mail.")
mail_failed = _signals.signal("mail-failed", "With mail_id, recipient_id, state and reason: an attempt has failed.")
push_sent = _signals.signal("push-sent", "With push_id, message_id and recipient_id: a push service has taken a push.")
push_failed = _signals.signal(
    "push-failed", "With push_id, message_id, recipient_id, state and reason: a push was not sent, or not yet."
)
fanout_moved = _signals.signal("fanout-moved", "With fanout_id and moved: a batch of an emission to many has arrived.")
expired = _signals.signal("expired", "With table and removed: a batch of old rows is gone.")

_log = logging.getLogger("flask_notify")


def tell(signal: NamedSignal, **about: Any) -> None:
    """Send a signal, if there is anybody to hear it."""
    if not signal.receivers:
        return
    sender = current_app._get_current_object() if has_app_context() else None  # type: ignore[attr-defined]  # a proxy
    try:
        signal.send(sender, **about)
    except Exception:  # noqa: BLE001  # a receiver is the application's code
        _log.exception("A receiver of the signal %r has raised", signal.name)
