"""Redis: run from the distribution's own binary, behind a password."""

from __future__ import annotations

import shutil
import socket

from .base import Server, Unavailable

INSTALL = "apt-get install -y --no-install-recommends redis-server"
PASSWORD = "open-sesame"  # of a server that nobody else can reach


class Redis(Server):
    """A Redis server; what it has confirmed outlives a restart and a crash."""

    name = "redis"
    account = "redis"
    password = PASSWORD

    def __init__(self) -> None:
        self.daemon = _find()
        super().__init__()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def empty(self) -> None:
        """Remove all data."""
        self.ask("FLUSHALL")

    def prepare(self) -> None:
        """Nothing: the server makes what it needs."""

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        settings = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self.directory,
            "requirepass": PASSWORD,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "no",
        }
        return [self.daemon, *(part for name, value in settings.items() for part in (f"--{name}", str(value)))]

    def answers(self) -> bool:
        """Return whether a client gets an answer."""
        try:
            return self.ask("PING") == b"+PONG"
        except OSError:
            return False

    def ask(self, command: str) -> bytes:
        """Return the first line of the answer to a command."""
        # By hand, so that these servers need no library.
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(f"AUTH {PASSWORD}\r\n{command}\r\nQUIT\r\n".encode())
            answers = b"".join(iter(lambda: connection.recv(1024), b""))
        return answers.split(b"\r\n")[1]


def _find() -> str:
    found = shutil.which("redis-server")
    if found is None:
        raise Unavailable("Redis", INSTALL)
    return found
