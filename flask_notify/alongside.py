"""What is written along with new messages, in their transaction, as an application's settings ask for."""

from __future__ import annotations

from collections.abc import Iterator

from .config import Alongside, Settings
from .pushing import outbox
from .relaying.envelopes import Envelopes


def alongside(settings: Settings) -> Iterator[Alongside]:
    """Yield what writes it, each once for an application (see :func:`.writing.write`)."""
    if settings.relay_queues:
        yield Envelopes(settings)
    if settings.vapid_private_key is not None:
        yield outbox.write
