"""``flask notify …``"""

from __future__ import annotations

from .base import notify_cli
from .checking import doctor, recount
from .cursors import migrations_path, reset_cursors
from .emitting import broadcast, drain, send
from .pushing import vapid
from .reading import inbox, why
from .running import digest, expire, relay, run
from .streaming import stream

__all__ = ["notify_cli"]

_COMMANDS = (
    broadcast,
    digest,
    doctor,
    drain,
    expire,
    inbox,
    migrations_path,
    recount,
    relay,
    reset_cursors,
    run,
    send,
    stream,
    vapid,
    why,
)
for command in _COMMANDS:
    notify_cli.add_command(command)
