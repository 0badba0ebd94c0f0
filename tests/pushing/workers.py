"""Push workers as processes of their own, which can be made to stand still at a step, and be killed there."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from flask_notify.pushing import outbox, sender, service
from tests.pushing.post_office import PRIVATE, PostOffice, make_post_office

# A process that has imported all this once, and makes the workers: they begin at once.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])

# The functions before or after which a worker can be stopped.
STEPS: dict[str, tuple[Any, str, str]] = {
    "before the lease": (outbox, "lease", "before"),
    "in the leasing transaction": (outbox, "lease", "after"),
    "after the lease": (sender, "write_all", "before"),
    "before the push": (service.PushServices, "hand_over", "before"),
    "after the push": (service.PushServices, "hand_over", "after"),
    "before the stamp's commit": (outbox, "settle", "after"),
}


@dataclass(frozen=True)
class Orders:
    """What one worker is to do."""

    url: str
    stand_still: str | None
    lease_seconds: float
    options: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)


def orders_of(office: PostOffice, url: str, stand_still: str | None = None, lease_seconds: float = 90.0) -> Orders:
    """Return the orders for a worker of the same application."""
    hosts = tuple(one.place for one in office.services)
    options = {"NOTIFY_PUSH_HOSTS": hosts, "NOTIFY_VAPID_PRIVATE_KEY": PRIVATE}
    # The process that makes the workers has the environment of its own beginning.
    return Orders(url, stand_still, lease_seconds, options, {"REQUESTS_CA_BUNDLE": os.environ["REQUESTS_CA_BUNDLE"]})


class Worker:
    """A process that runs the job once, when it is told to."""

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
        os.environ.update(orders.environment)
        office = make_post_office(orders.url, [], **orders.options)
        sender.Sender._lease_seconds = property(lambda _self: orders.lease_seconds)  # type: ignore[method-assign, assignment]
        if orders.stand_still is not None:
            _stand_still_at(orders.stand_still, pipe)
        pipe.send("ready")
        pipe.recv()
        outcomes = office.run()
        office.close()
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
