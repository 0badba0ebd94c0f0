"""By which clock a reader is told of times: that of their own time zone."""

from __future__ import annotations

from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import current_app
from sqlalchemy import select

from ..emission import key_of


class ReadersClock:
    """The time zone of a user, which is read when the first time is told.

    :param user: the one who reads, or None.
    """

    def __init__(self, user: Any) -> None:
        self._user = user

    @cached_property
    def zone(self) -> ZoneInfo:
        """The user's time zone; the application's, where they have set none that this machine knows."""
        state = current_app.extensions["notify"]
        models, default = state.notify.models, state.settings.timezone
        name = None
        if self._user is not None:
            inbox = models.inbox.c
            wanted = select(inbox.timezone).where(inbox.recipient_id == key_of(self._user))
            name = models.db.session.scalar(wanted, bind_arguments={"clause": models.inbox})
        try:
            return ZoneInfo(name or default)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(default)
