"""News of a commit, for whoever carries it further: a broker's hints, or nobody.

The database is the truth, and every client finds it by polling. What is told here only lets some
of them look sooner, so it may be lost, and telling it never fails and never waits.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from flask import current_app, has_app_context

from .models import RecipientKey

MANY = 100
"""From so many recipients on their pages spread their polls, whoever tells."""

_log = logging.getLogger("flask_notify")


class Carrier(Protocol):
    """Carries news to other processes: ``app.extensions["notify"].carrier``."""

    def tell(self, cursors: Mapping[RecipientKey, float], *, spread: bool = False) -> None:
        """Take over the news and return at once; no socket is opened in the caller's thread.

        :param cursors: the recipients' keys with their cursors as committed, Unix seconds.
        :param spread: whether many recipients hear at the same time, so that their pages had
            better not all ask at once.
        """


def committed(cursors: Mapping[RecipientKey, float], *, spread: bool = False) -> None:
    """Tell that cursors have moved on, after the commit; outside an application nobody is told.

    Whoever moves cursors calls this: the commit hook of :mod:`.emission`, and all who write past it.

    :param cursors: what each has reached at least.
    :param spread: see :meth:`Carrier.tell`; by itself for :data:`MANY`.
    """
    carrier = _carrier()
    if carrier is None or not cursors:
        return
    try:
        carrier.tell(cursors, spread=spread or len(cursors) >= MANY)
    except Exception:  # noqa: BLE001  # the commit has happened: its caller must not hear of this
        _log.exception("The news of a commit could not be handed over; pages see it with their next poll")


def is_carried() -> bool:
    """Return whether :func:`committed` would tell anybody: a commit need not gather news for nobody."""
    return _carrier() is not None


def _carrier() -> Carrier | None:
    state = current_app.extensions.get("notify") if has_app_context() else None
    return None if state is None else state.carrier
