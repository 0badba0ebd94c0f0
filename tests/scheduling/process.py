"""A process whose lines can be waited for."""

from __future__ import annotations

import atexit
import faulthandler
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from tests import processes

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0


def flask(*arguments: str) -> tuple[str, ...]:
    """Return the command line of ``flask …`` for the tests' application."""
    return (sys.executable, "-m", "flask", "--app", "tests.scheduling.application", *arguments)


class Process:
    """A command that is running; its lines are kept.

    :param forked: whether it begins with what the tests' processes have imported already (it is a
        module then, ``python -m …``), which spares most of what it costs.
    """

    def __init__(self, command: Sequence[str], url: str, settings: Mapping[str, Any], *, forked: bool = False) -> None:
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "SETTINGS": json.dumps(settings),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "PYTHONFAULTHANDLER": "1",
        }
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._process = (_Forked if forked else _Begun)(command, environment)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def _read(self) -> None:
        for line in self._process.lines:
            with self._more:
                self.lines.append(line.rstrip())
                self._more.notify_all()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until it has printed a line with this text, so many times."""
        with self._more:
            found = self._more.wait_for(lambda: sum(text in line for line in self.lines) >= times, PATIENCE)
        assert found, (text, self.lines)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a crash does."""
        os.kill(self.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)

    def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        code = self._process.wait(PATIENCE)
        if code is None:
            os.kill(self.pid, signal.SIGABRT)  # it tells where its threads are
            self._process.wait(PATIENCE)
            self._reader.join(PATIENCE)
            raise AssertionError("\n".join(["it did not end", *self.lines]))
        self._reader.join(PATIENCE)
        return code

    def end(self) -> None:
        """End it, with those that it has started."""
        if self._process.wait(0) is None:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self._process.lines.close()


class _Begun:
    """A command that begins as from a shell."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.pid, self.lines = self._process.pid, self._process.stdout

    def wait(self, seconds: float) -> int | None:
        """Return the exit code, or None if it has not ended in this time."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.returncode


class _Forked:
    """A Python module as a program of its own, forked from where much is imported already."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        python, flag, *arguments = command
        assert (python, flag) == (sys.executable, "-m")
        ours, theirs = processes.context.Pipe(duplex=False)
        self._process = processes.start(_run, arguments, environment, theirs)
        theirs.close()
        self.lines: TextIO = os.fdopen(os.dup(ours.fileno()), encoding="utf-8", errors="replace")
        assert self.lines.readline() == "begun\n"
        ours.close()
        self.pid = self._process.pid

    def wait(self, seconds: float) -> int | None:
        """Return the exit code, or None if it has not ended in this time."""
        self._process.join(seconds)
        code: int | None = self._process.exitcode
        return code


def _run(arguments: list[str], environment: dict[str, str], output: Any) -> None:
    os.setsid()
    for number in (1, 2):
        os.dup2(output.fileno(), number)
    output.close()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    faulthandler.enable()
    sys.stdout.write("begun\n")
    sys.argv = arguments
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # which the end of a fork leaves out


class Held:
    """Two named pipes by which a process is held up at a step."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._reached, self._go = directory / "reached", directory / "go"
        for pipe in (self._reached, self._go):
            os.mkfifo(pipe)

    def wait(self) -> int:
        """Wait until somebody has been held up, and return their process id."""
        return int(self._reached.read_text())

    def let_go(self) -> None:
        """Let them go on."""
        self._go.write_text("go\n")

    def let_all_pass(self) -> None:
        """Hold up nobody from now on."""
        self._reached.unlink()
