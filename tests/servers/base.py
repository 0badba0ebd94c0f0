"""A server process of the tests' own: private port and directory, stopped by its process id."""

from __future__ import annotations

import atexit
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

START_SECONDS = 120
STOP_SECONDS = 30


_given: set[int] = set()


class Unavailable(Exception):
    """Something that a test needs is not on this machine; ``install`` would bring it."""

    def __init__(self, what: str, install: str) -> None:
        super().__init__(f"{what} cannot be had here; to install it: {install}")
        self.what = what
        self.install = install


class ServerFailed(Exception):
    """The server ended or did not answer in time; the message carries the end of its log."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free and stays free of outgoing connections.

    Ports that the system hands out by itself are avoided: while a server is down for a restart, a
    client's own connection could otherwise be given the server's port. Each process of the tests
    has ports of its own, and gives none twice until it has given them all.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
    mine = set(range(20000 + 3000 * number, 23000 + 3000 * number))
    if not mine - _given:
        _given.clear()
    for port in random.SystemRandom().sample(sorted(mine - _given), len(mine - _given)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.add(port)
            return port
    raise ServerFailed(f"no free port between {min(mine)} and {max(mine)}")


class Server:
    """Start, stop, kill and restart one server; subclasses tell how."""

    name: str
    account: str
    stop_signal = signal.SIGTERM
    kill_signal = signal.SIGKILL

    def __init__(self) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self.log = self.directory / "log"
        self._prepared = False

    @property
    def running(self) -> bool:
        """Whether the server's process is alive."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start the server unless it runs, and return when it answers."""
        if self.running:
            return
        if not self._prepared:
            self._own(self.directory)
            self.prepare()
            self._prepared = True
            atexit.register(self.close)
        with self.log.open("ab") as log:
            self.process = self._popen(self.command(), log)
        self._wait_until_it_answers()

    def stop(self) -> None:
        """Stop the server as an administrator would: nothing is lost, connections are closed."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End the server as a crash would."""
        self._end(self.kill_signal)

    def restart(self) -> None:
        """Stop the server and start it again on the same port, with its data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Stop the server's process in its tracks: connections stay open, and nobody answers.

        Only of servers that are one process: children of it would go on.
        """
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the server go on after a pause."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop the server for good and remove its data."""
        atexit.unregister(self.close)
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def prepare(self) -> None:
        """Make the data directory."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Return what the server's commands find in their environment beside the tests' own."""
        return {}

    def answers(self) -> bool:
        """Return whether a client gets an answer."""
        raise NotImplementedError

    def run(self, command: list[str]) -> None:
        """Run a preparing command as the server's account."""
        with self.log.open("ab") as log:
            code = self._popen(command, log).wait(START_SECONDS)
        if code:
            raise ServerFailed(f"{command[0]} ended with {code}:\n{self._log_tail()}")

    def _popen(self, command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        account = self.account if os.geteuid() == 0 else None
        no_groups: list[str] = []
        return subprocess.Popen(
            [*_dies_with_parent(), *command],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for the test run, which then stops its servers in order.
            start_new_session=True,
            env={**os.environ, **self.environment()},
            user=account,
            group=account,
            extra_groups=no_groups if account else None,
        )

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            entry = pwd.getpwnam(self.account)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def _wait_until_it_answers(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            try:
                code = self.process.wait(0.02)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    self.kill()
                    raise ServerFailed(f"{self.name} does not answer:\n{self._log_tail()}") from None
            else:
                raise ServerFailed(f"{self.name} ended with {code}:\n{self._log_tail()}")

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self._signal(how)
        # One that is paused would never hear of it.
        self._signal(signal.SIGCONT)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _signal(self, which: signal.Signals) -> None:
        if self.process is not None and self.running:
            self.process.send_signal(which)

    def _log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""


def _dies_with_parent() -> list[str]:
    """Return a prefix that ends the server when the test run itself is killed."""
    return ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
