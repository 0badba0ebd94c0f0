"""Push workers as processes of their own, which can be made to stand still at a step, and be killed there."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask_notify.pushing import outbox, sender, service
from tests.processes import Step, stop_at
from tests.pushing.post_office import PRIVATE, PostOffice, make_post_office

# The functions before or after which a worker can be stopped.
STEPS: dict[str, Step] = {
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


def work(orders: Orders, begin: Callable[[], None], stand_still: Callable[[], None]) -> dict[str, int]:
    """Run the job once; return what it did, by outcome."""
    os.environ.update(orders.environment)
    office = make_post_office(orders.url, [], **orders.options)
    sender.Sender._lease_seconds = property(lambda _self: orders.lease_seconds)  # type: ignore[method-assign, assignment]
    if orders.stand_still is not None:
        stop_at(STEPS[orders.stand_still], stand_still)
    begin()
    outcomes = office.run()
    office.close()
    return dict(outcomes)
