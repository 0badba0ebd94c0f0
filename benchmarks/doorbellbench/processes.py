"""The process that holds the pages: ours, or the bare one."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from harness import BENCHMARKS
from harness.contenders import environment

MiB = 2**20


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Bell(AbstractContextManager["Bell"]):
    """A process that rings pages, until the block ends.

    :param command: how it is started.
    :param ready: what it says when pages can come.
    :param extra: what else is in its environment.
    """

    def __init__(self, command: list[str], ready: str, port: int, extra: dict[str, str]) -> None:
        self._command = command
        self._ready = ready
        self.port = port
        self._environment = environment({**extra, "PYTHONUNBUFFERED": "1"})

    def __enter__(self) -> Bell:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, env=self._environment, cwd=BENCHMARKS, text=True
        )
        assert self._process.stdout is not None
        if not any(self._ready in line for line in self._process.stdout):
            raise SystemExit(f"{self._command} failed; what it said is above")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.communicate()

    def memory(self) -> float:
        """Return the MiB that it has in memory now."""
        return self._status("VmRSS")

    def peak(self) -> float:
        """Return the most MiB that it ever had."""
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def ours(broker: str, **extra: str) -> Bell:
    """Return ``flask notify stream``. It is given a database that is not there."""
    port = free_port()
    command = [sys.executable, "-m", "flask", "--app", "contenders.doorbell:application", "notify", "stream"]
    nowhere = {"DATABASE_URL": "sqlite:////nowhere/to.be.found", "BROKER_URL": broker, "STREAM_URL": "/stream"}
    return Bell([*command, "--port", str(port)], "Pages can listen", port, {**nowhere, **extra})


def bare(broker: str) -> Bell:
    """Return the bare fan-out."""
    port = free_port()
    return Bell([sys.executable, "-m", "contenders.bare_bell", str(port), broker], "up", port, {})
