"""The doorbell of the demo: ``flask notify stream`` beside the site, at a port of its own.

A site that is no demo has a broker, and a proxy in front, behind which the stream is a path like any other.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from . import beside, hints


def is_possible() -> bool:
    """Whether what the stream needs is installed. Windows hands no open files over."""
    return os.name == "posix" and find_spec("uvicorn") is not None


def settings(listening: socket.socket, port: int) -> dict[str, Any]:
    """Return what the application has to know, whose site is at that *port*."""
    host, stream_port = listening.getsockname()
    return {
        "NOTIFY_BROKER_URL": hints.BROKER_URL,
        "NOTIFY_STREAM_URL": f"http://{host}:{stream_port}/stream",
        # By which name one calls this computer is a matter of taste.
        "NOTIFY_STREAM_ORIGINS": [f"http://{name}:{port}" for name in (host, "localhost")],
    }


@contextmanager
def doorbell(listening: socket.socket) -> Iterator[int]:
    """Ring the pages meanwhile; yields the number of the file by which another process tells its hints."""
    theirs, tells = os.pipe()
    told, ended = threading.Event(), threading.Event()
    with beside.run("notify", "stream", "--fd", str(listening.fileno()), handed=[listening.fileno()]) as process:
        teller = threading.Thread(
            target=hints.tell, args=(process.stdin, ended.is_set), kwargs={"ready": told.set}, daemon=True
        )
        teller.start()
        threading.Thread(target=hints.hear, args=(os.fdopen(theirs, "rb"),), daemon=True).start()
        try:
            # Else what the first visitor does might not ring.
            told.wait()
            yield tells
        finally:
            ended.set()
            teller.join()
            os.close(tells)
