"""gunicorn, started with the same options for every contender."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import AbstractContextManager, closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType

from harness import BENCHMARKS
from harness.contenders import environment

WORKERS = 2
PATIENCE = 60
"""Seconds within which a server answers for the first time."""

_CONFIG = Path(__file__).with_name("gunicorn_config.py")
_GUNICORN = (sys.executable, "-m", "gunicorn")


class Gunicorn(AbstractContextManager["Gunicorn"]):
    """One application, served on a free port of this machine until the block ends."""

    def __init__(self, app: str, extra: dict[str, str], *, workers: int = WORKERS) -> None:
        self._arguments = [f"contenders.{app}:application", f"--workers={workers}", "-c", str(_CONFIG)]
        self._environment = extra
        self.port = 0

    def __enter__(self) -> Gunicorn:
        # The socket is ours until gunicorn has it, so nobody takes the port in between; what is
        # sent before the workers are up waits in its queue.
        with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
            self.port = listener.getsockname()[1]
            self._process = subprocess.Popen(
                [*_GUNICORN, f"--bind=fd://{listener.fileno()}", *self._arguments],
                pass_fds=[listener.fileno()],
                env=environment(self._environment),
                cwd=BENCHMARKS,
            )
        try:
            self._wait_for_an_answer()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _wait_for_an_answer(self) -> None:
        # A contender that cannot be imported ends its server, and with it this connection.
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            try:
                connection.request("GET", "/is-it-up")
                connection.getresponse().read()
            except (OSError, HTTPException) as error:
                raise SystemExit(f"The server of {self._arguments[0]} does not answer; its log is above.") from error

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
