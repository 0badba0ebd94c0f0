"""Processes of the tests' own, forked from one that has imported and mapped all that they need.

There is one such server of forks in each process of the tests, which knows one list of modules: so
everybody takes `context` from here, and what their processes need stands in `tests.preloaded`.
"""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from threading import Event
from typing import Any

ROOT = Path(__file__).parents[1]
PATIENCE = 120.0
"""Seconds that anything may take on a machine that does other things."""

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.preloaded"])


def start(work: Callable[..., object], *arguments: Any) -> Any:
    """Start a process that does some work, a function of a module, and return it."""
    _start_server()
    process = context.Process(target=work, args=arguments, daemon=True)
    process.start()
    return process


def _start_server() -> None:
    # It finds modules from where it is started, and passes in silence over those that it does not find.
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *([before] if before else [])])
    try:
        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


Work = Callable[[Any, Callable[[], None], Callable[[], None]], "dict[str, int]"]
"""What a :class:`Worker` does by its orders: it calls the first function when it is ready, which
returns when it is to begin, and the second when it stands still, which does not return."""


class Worker:
    """A process that begins its work when it is told to, and can be made to stand still in it."""

    def __init__(self, work: Work, orders: Any) -> None:
        self._here, there = context.Pipe()
        self.process = start(_report, work, orders, there)
        there.close()

    def wait_until_ready(self) -> None:
        """Return when the application is built."""
        assert self._heard() == "ready"

    def go(self) -> None:
        """Let it begin."""
        self._here.send("go")

    def wait_until_it_stands_still(self) -> None:
        """Return when it has reached the step."""
        assert self._heard() == "standing still"

    def result(self) -> dict[str, int]:
        """Return what it did, by outcome, when it is done."""
        result = self._heard()
        assert isinstance(result, dict), result
        self.process.join()
        return result

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        self.process.kill()
        self.process.join()

    def _heard(self) -> Any:
        assert self._here.poll(PATIENCE), "the worker says nothing"
        return self._here.recv()


def _report(work: Work, orders: Any, pipe: Any) -> None:
    def wait_for_the_start() -> None:
        pipe.send("ready")
        pipe.recv()

    def stand_still() -> None:
        pipe.send("standing still")
        Event().wait()  # until it is killed

    try:
        pipe.send(work(orders, wait_for_the_start, stand_still))
    except BaseException:  # it is told to the test, which fails
        pipe.send(traceback.format_exc())


Step = tuple[Any, str, str]
"""An object, the name of one of its functions, and "before" or "after" it."""


def stop_at(step: Step, stand_still: Callable[[], None]) -> None:
    """Stand still before or after a function is called, in this process, for good."""
    owner, name, side = step
    function: Callable[..., Any] = getattr(owner, name)

    def standing(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs) if side == "after" else None
        stand_still()
        return result

    setattr(owner, name, standing)
