"""Live notifications, messages and mail for Flask, in the application's own database."""

from __future__ import annotations

from .actions.action import Action
from .actions.notifying import NotifyingAction
from .actions.request import ActionRequest
from .errors import NotifyError
from .extension import Notify, current_notify
from .logs.log_handler import NotifyHandler
from .messages.message_types import MessageType
from .recipient import RecipientMixin
from .rules import MailMode
from .watching.mixin import WatchableMixin

__version__ = "0.1.0"

__all__ = [
    "Action",
    "ActionRequest",
    "MailMode",
    "MessageType",
    "Notify",
    "NotifyError",
    "NotifyHandler",
    "NotifyingAction",
    "RecipientMixin",
    "WatchableMixin",
    "current_notify",
]
