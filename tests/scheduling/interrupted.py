"""Run the jobs again and again, each time told to end one line of Python later than the last time."""

from __future__ import annotations

import json
import os
import signal
import sys
from types import FrameType
from typing import Any

from flask_notify.running import scheduler
from tests.scheduling.application import make_site

STEPS = 8


class TellToEnd:
    """A trace function that sends SIGTERM at a line of what this thread does once the jobs are started.

    :param step: at which line, counted from 1.
    """

    def __init__(self, step: int) -> None:
        self._left = step
        self._started = False

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> TellToEnd:
        """See a line, a call or a return."""
        if event == "return" and frame.f_code is scheduler.Scheduler.start.__code__:
            self._started = True
        elif event == "line" and self._started:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGTERM)
        return self


def main() -> None:
    """Tell of each time that it has ended."""
    site = make_site(os.environ["DATABASE_URL"], **json.loads(os.environ["SETTINGS"]))
    for step in range(1, STEPS + 1):
        sys.settrace(TellToEnd(step))
        scheduler.run(site.app, lambda _line: None)
        sys.settrace(None)
        sys.stdout.write(f"ended, told at line {step}\n")


if __name__ == "__main__":
    main()
