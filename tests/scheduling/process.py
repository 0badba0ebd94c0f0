"""A process whose lines can be waited for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 90.0


def flask(*arguments: str) -> tuple[str, ...]:
    """Return the command line of ``flask …`` for the tests' application."""
    return (sys.executable, "-m", "flask", "--app", "tests.scheduling.application", *arguments)


class Process:
    """A command that is running; its lines are kept."""

    def __init__(self, command: Sequence[str], url: str, settings: Mapping[str, Any]) -> None:
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
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
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
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait()

    def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)  # it tells where its threads are
            self._process.wait()
            self._reader.join(PATIENCE)
            raise AssertionError("\n".join(["it did not end", *self.lines])) from None
        self._reader.join(PATIENCE)
        return code

    def end(self) -> None:
        """End it, with those that it has started."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(PATIENCE)
        if self._process.stdout is not None:
            self._process.stdout.close()


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
