"""The broker of a run, made for it and removed after it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import AbstractContextManager
from types import TracebackType

_PATIENCE = 10.0


class Redis(AbstractContextManager["Redis"]):
    """A server of its own with its default configuration, on a free port of this machine, that keeps nothing."""

    def __init__(self) -> None:
        found = shutil.which("redis-server")
        if found is None:
            raise SystemExit("Redis is missing: apt-get install redis-server")
        self._program = found
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def __enter__(self) -> Redis:
        self._directory = tempfile.TemporaryDirectory(prefix="benchmark-")
        options = {"port": str(self._port), "bind": "127.0.0.1", "dir": self._directory.name, "save": ""}
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen([self._program, *arguments], stdout=subprocess.DEVNULL)
        end = time.monotonic() + _PATIENCE
        while not self._answers():
            if time.monotonic() > end or self._process.poll() is not None:
                raise SystemExit("Redis did not start")
            time.sleep(0.02)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE)
        self._directory.cleanup()

    def version(self) -> str:
        """Return the version of the server."""
        said = subprocess.run([self._program, "--version"], check=True, capture_output=True, text=True).stdout
        # It says: Redis server v=7.0.15 sha=…
        return f"Redis {said.partition('v=')[2].split()[0]}"

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
