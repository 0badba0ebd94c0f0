"""Mail workers as processes of their own, which can be made to stand still at a step, and be killed there."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from flask_notify.mailing import letter, outbox, stamps, transport
from tests.mail.office import make_office

# A process that has imported all this once, and makes the workers: they begin at once.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])

# The functions before or after which a worker can be stopped.
STEPS: dict[str, tuple[Any, str, str]] = {
    "before the claim": (outbox, "claim_due", "before"),
    "in the claim's transaction": (outbox, "claim_due", "after"),
    "after the claim": (letter, "render", "before"),
    "in the storing transaction": (outbox, "store", "after"),
    "after storing": (outbox, "lease", "before"),
    "in the leasing transaction": (outbox, "lease", "after"),
    "before SMTP": (transport._FlaskMailConnection, "send", "before"),
    "after the 250": (transport._FlaskMailConnection, "send", "after"),
    "before the stamp's commit": (stamps.Stamps, "_write", "after"),
    "after the stamp": (stamps.Stamps, "note_sent", "after"),
}


@dataclass(frozen=True)
class Orders:
    """What one worker is to do."""

    url: str
    smtp_port: int
    now: float
    stand_still: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


class Worker:
    """A process that runs the mail worker once, when it is told to."""

    def __init__(self, orders: Orders) -> None:
        self._here, there = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_work, args=(orders, there), daemon=True)
        self.process.start()
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
        assert self._here.poll(60), "the worker says nothing"
        return self._here.recv()


def _work(orders: Orders, pipe: Any) -> None:
    try:
        office = make_office(orders.url, orders.smtp_port, **orders.options)
        office.now = orders.now
        if orders.stand_still is not None:
            _stand_still_at(orders.stand_still, pipe)
        pipe.send("ready")
        pipe.recv()
        outcomes = office.run().outcomes
        office.site.close()
        pipe.send(dict(outcomes))
    except BaseException:
        pipe.send(traceback.format_exc())


def _stand_still_at(step: str, pipe: Any) -> None:
    owner, name, side = STEPS[step]
    function: Callable[..., Any] = getattr(owner, name)

    def standing(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs) if side == "after" else None
        pipe.send("standing still")
        Event().wait()  # until it is killed
        return result

    setattr(owner, name, standing)
