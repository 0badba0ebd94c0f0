"""A page that listens: Server-Sent Events over a plain connection."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import quote

from flask_notify.stream.tokens import LIFETIME, Tokens
from tests.scheduling.process import Process

SECRET = "for the tests only"
PATIENCE = 60.0


class Event(NamedTuple):
    """What a page is told."""

    name: str
    data: Any


def token_for(key: Any, seconds: float = LIFETIME) -> str:
    """Return a token that is good for so long."""
    return Tokens(SECRET).mint(str(key), time.time() - LIFETIME + seconds)


def port_of(process: Process) -> int:
    """Return where a process of ``flask notify stream`` listens."""
    process.wait_for("Pages can listen at http://127.0.0.1:")
    line = next(line for line in process.lines if "Pages can listen at" in line)
    return int(line.partition("127.0.0.1:")[2].partition("/")[0])


def in_time(connect: Callable[[], Listener]) -> Listener:
    """Connect until a token of few seconds has arrived before its end: a machine may stall for longer."""
    ends = time.monotonic() + PATIENCE
    while (listener := connect()).status == 401 and time.monotonic() < ends:
        listener.close()
    return listener


class Listener:
    """A page's connection.

    :param token: as :func:`token_for` makes it; None sends none.
    :param headers: further ones, with `_` for `-`.
    """

    def __init__(self, process: Process, token: str | None, path: str = "/stream", **headers: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port_of(process), timeout=PATIENCE)
        query = "" if token is None else f"?token={quote(token)}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("GET", path + query, headers={"Accept": "text/event-stream", **named})
        self._response = self._connection.getresponse()
        self.status = self._response.status
        self.headers = self._response.headers
        self.lines: list[str] = []

    def next(self) -> Event | None:
        """Return the next event, None at the end."""
        name, data = "", ""
        while line := self._response.readline().decode():
            self.lines.append(line.rstrip("\n"))
            field, _, value = line.rstrip("\n").partition(":")
            if field == "event":
                name = value.strip()
            elif field == "data":
                data = value.strip()
            elif not line.strip() and name:
                return Event(name, json.loads(data))
        return None

    def wait_for(self, name: str) -> Event:
        """Return the next event of that name."""
        while (event := self.next()) is not None:
            if event.name == name:
                return event
        raise AssertionError(f"it ended without {name!r}: {self.lines}")

    def text(self) -> str:
        """Return the text of an answer that is no stream."""
        return self._response.read().decode()

    def close(self) -> None:
        """Go away."""
        self._response.close()
        self._connection.close()
