"""Commands that run beside the demo, each in a process of its own, for as long as the demo lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from . import hints

#: Seconds that one may take over the work in hand when the demo ends.
PATIENCE = 10

_PACKAGE = __package__.partition(".demo")[0]
_ROOT = Path(__file__).resolve().parents[len(__package__.split("."))]


@contextmanager
def run(*command: str, tells: int | None = None, handed: Sequence[int] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``flask <command>`` meanwhile; it inherits the environment, and writes where the demo writes.

    What is written into its standard input are hints, a line each.

    :param tells: the number of an open file to which it writes its own hints.
    :param handed: numbers of further ones that it is to have.
    """
    # It stands outside the terminal's group: Ctrl+C is for the demo, which ends it. And it
    # holds the end of a pipe, so that it ends, too, when the demo is killed.
    with subprocess.Popen(  # noqa: S603  # it is ourselves
        [sys.executable, "-c", f"from {__name__} import main; main()", str(tells or ""), *command],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        start_new_session=os.name == "posix",
        pass_fds=[*handed, tells] if tells else handed,
    ) as process:
        try:
            yield process
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

    tells, *command = sys.argv[1:]
    threading.Thread(target=_live_with_the_demo, daemon=True).start()
    if tells:
        threading.Thread(target=hints.tell, args=(os.fdopen(int(tells), "wb"),), daemon=True).start()
    cli.main(args=["--app", _PACKAGE, *command], prog_name="flask")


def _live_with_the_demo() -> None:
    # Without a buffer: Python takes it for an error when it ends while one is being read into.
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as lines:
        hints.hear(lines)
    # The pipe ends when the other end is gone.
    os.kill(os.getpid(), signal.SIGTERM)
