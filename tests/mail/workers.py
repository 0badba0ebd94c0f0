"""Mail workers as processes of their own, which can be made to stand still at a step, and be killed there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask_notify.mailing import letter, outbox, stamps, transport
from tests.mail.office import make_office
from tests.processes import Step, stop_at

# The functions before or after which a worker can be stopped.
STEPS: dict[str, Step] = {
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


def work(orders: Orders, begin: Callable[[], None], stand_still: Callable[[], None]) -> dict[str, int]:
    """Run the mail worker once; return what it did, by outcome."""
    office = make_office(orders.url, orders.smtp_port, **orders.options)
    office.now = orders.now
    if orders.stand_still is not None:
        stop_at(STEPS[orders.stand_still], stand_still)
    begin()
    outcomes = office.run().outcomes
    office.site.close()
    return dict(outcomes)
