"""Hints between processes without a broker: each has one in memory, and pipes lead from one to the next.

For a demo only. Such a pipe has one reader, and must not be full.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import IO

from flask_notify.brokers import connect

BROKER_URL = "memory://demo"


def hear(lines: IO[bytes]) -> None:
    """Tell in this process what another one tells, until that ends."""
    broker = connect(BROKER_URL)
    for line in lines:
        broker.publish(line.rstrip(b"\n"))


def tell(
    lines: IO[bytes], stop: Callable[[], bool] = lambda: False, *, ready: Callable[[], None] = lambda: None
) -> None:
    """Tell another process what is told in this one, until it ends.

    :param ready: called once nothing is missed any more.
    """

    def write(hint: bytes) -> None:
        # It is JSON text, and has no line breaks.
        lines.write(hint + b"\n")
        lines.flush()

    with suppress(BrokenPipeError):
        connect(BROKER_URL).listen(write, stop, ready)
