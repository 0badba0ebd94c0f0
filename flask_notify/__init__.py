"""Live notifications, messages and mail for Flask, in the application's own database."""

from __future__ import annotations

from .errors import NotifyError
from .extension import Notify, current_notify
from .log_handler import NotifyHandler
from .message_types import MessageType
from .recipient import RecipientMixin
from .rules import MailMode

__version__ = "0.1.0"

__all__ = ["MailMode", "MessageType", "Notify", "NotifyError", "NotifyHandler", "RecipientMixin", "current_notify"]
