"""``flask notify …``"""

from __future__ import annotations

from .base import notify_cli
from .checking import doctor, recount
from .cursors import migrations_path, reset_cursors
from .emitting import broadcast, drain, send
from .reading import inbox, why

__all__ = ["notify_cli"]

for command in (broadcast, doctor, drain, inbox, migrations_path, recount, reset_cursors, send, why):
    notify_cli.add_command(command)
