"""A relayer that does not live to note what the broker has confirmed."""

from __future__ import annotations

import os
import signal
from typing import Any

from sqlalchemy import event

from flask_notify.relaying.relayer import Relayer
from tests.apps import make_app


def relay_and_die(url: str, own: dict[str, Any]) -> None:
    """Relay, and be killed before what was confirmed is deleted."""
    site = make_app(url, **own)
    with site.app.app_context():

        @event.listens_for(site.db.engine, "before_cursor_execute")
        def die(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith("DELETE"):
                os.kill(os.getpid(), signal.SIGKILL)

        list(Relayer.of(site.notify.models, site.app.extensions["notify"].settings).relay())
