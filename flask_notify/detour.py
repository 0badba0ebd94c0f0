"""Where what is emitted goes, while it is not to go into the session that each recipient is in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from .models import Models


# Of the thread, not of the context: a task that is begun meanwhile would take the context along.
class _Detour(threading.local):
    into: tuple[Models, Session] | None = None


_detour = _Detour()


@contextmanager
def emitting_into(models: Models, session: Session) -> Iterator[None]:
    """Let all that this thread emits meanwhile go into one session."""
    before, _detour.into = _detour.into, (models, session)
    try:
        yield
    finally:
        _detour.into = before


def session_for(models: Models) -> Session | None:
    """Return the session that everything goes into, or None while each recipient's own is right."""
    into = _detour.into
    return into[1] if into is not None and into[0] is models else None
