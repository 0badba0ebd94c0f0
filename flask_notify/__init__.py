"""Live notifications for Flask, in the application's own database."""

from __future__ import annotations

from .errors import NotifyError
from .extension import Notify, current_notify
from .recipient import RecipientMixin

__version__ = "0.1.0"

__all__ = ["Notify", "NotifyError", "RecipientMixin", "current_notify"]
