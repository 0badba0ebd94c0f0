"""What an application can listen to."""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

mail_sent = _signals.signal("mail-sent")
"""A mail server has taken a mail on. Sent by the application, with ``recipient_id``, ``mail_id`` and ``attempts``."""

mail_failed = _signals.signal("mail-failed")
"""A mail did not go out. Sent by the application, with ``recipient_id``, ``mail_id``, ``attempts``, and
``final``: whether it will not be tried again."""
