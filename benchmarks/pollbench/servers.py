"""gunicorn, started with the same options for every contender."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from harness import BENCHMARKS
from harness.contenders import environment

WORKERS = 2

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
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
