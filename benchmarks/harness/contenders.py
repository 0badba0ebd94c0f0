"""Contenders in processes of their own, which do what they are asked and tell how long it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from . import BENCHMARKS


class Contender(AbstractContextManager["Contender"]):
    """A module under ``contenders`` in a process of its own, at work on one database.

    :param app: the module's name; what it is asked are its functions.
    :param extra: what else is in its environment.
    """

    def __init__(self, app: str, url: str, **extra: str) -> None:
        self._app = app
        self._environment = environment({"DATABASE_URL": url, **extra})

    def __enter__(self) -> Contender:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.serve", f"contenders.{self._app}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            cwd=BENCHMARKS,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def start(self, function: str, **arguments: Any) -> None:
        """Ask for something, without waiting for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([function, arguments]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """Wait for the answer to what was asked first and not answered yet."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._app} failed; what it said is above")
        return json.loads(line)

    def ask(self, function: str, **arguments: Any) -> Any:
        """Ask for something, and return the answer."""
        self.start(function, **arguments)
        return self.answer()


def environment(extra: dict[str, str]) -> dict[str, str]:
    """Return the environment of a process that imports the applications."""
    path = os.pathsep.join([str(BENCHMARKS.parent), str(BENCHMARKS)])
    return {**os.environ, "PYTHONPATH": path, **extra}


def create_schema(app: str, url: str) -> None:
    """Let an application make its tables in an empty database."""
    subprocess.run(
        [sys.executable, "-c", f"from contenders import {app}; {app}.create_schema()"],
        check=True,
        env=environment({"DATABASE_URL": url}),
        cwd=BENCHMARKS,
    )
