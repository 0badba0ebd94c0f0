"""The scheduler of the demo: ``flask notify run`` in a process of its own, for as long as the demo lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Seconds that it may take over the work in hand when the demo ends.
PATIENCE = 10

_PACKAGE = __package__.partition(".demo")[0]
_ROOT = Path(__file__).resolve().parents[len(__package__.split("."))]


@contextmanager
def scheduler() -> Iterator[None]:
    """Run the scheduler meanwhile; it inherits the environment, and writes where the demo writes."""
    # It stands outside the terminal's group: Ctrl+C is for the demo, which ends it. And it
    # holds the end of a pipe, so that it ends, too, when the demo is killed.
    with subprocess.Popen(  # noqa: S603  # it is ourselves
        [sys.executable, "-c", f"from {__name__} import main; main()"],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        start_new_session=os.name == "posix",
    ) as process:
        try:
            yield
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()


def main() -> None:
    """Be that process."""
    from flask.cli import cli

    threading.Thread(target=_end_with_the_demo, daemon=True).start()
    cli.main(args=["--app", _PACKAGE, "notify", "run"], prog_name="flask")


def _end_with_the_demo() -> None:
    # Nothing is ever written into the pipe: it ends when the other end is gone.
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)
