"""A broker that is away: told once in the log, and tried again ever more slowly."""

from __future__ import annotations

import logging
import random
from contextlib import suppress
from typing import TYPE_CHECKING

from ..brokers.base import BrokerUnavailable

if TYPE_CHECKING:
    from ..brokers.base import Broker

_FIRST = 0.25
_LONGEST = 15.0

_log = logging.getLogger("flask_notify")


class Outage:
    """Whether a broker is away now, and how long to wait before it is tried again.

    :param without: what does not happen meanwhile, for the log.
    """

    def __init__(self, without: str) -> None:
        self._without = without
        self._failures = 0

    def goes_on(self, error: Exception) -> float:
        """Note that it has failed, and return how many seconds to wait now.

        Each pause is a little by chance, so that not all processes knock at the same time.
        """
        if not self._failures:
            is_bug = not isinstance(error, BrokerUnavailable)
            _log.warning("%s: %s. It is tried again by itself", self._without, error, exc_info=is_bug)
        longest = min(_LONGEST, _FIRST * 2 ** min(self._failures, 10))
        self._failures += 1
        return random.uniform(longest / 2, longest)  # noqa: S311  # no secret

    def is_over(self) -> None:
        """Note that it works."""
        if self._failures:
            _log.info("The broker is back after %s failures", self._failures)
        self._failures = 0


def close(broker: Broker | None) -> None:
    """Close what may be broken already."""
    if broker is not None:
        with suppress(Exception):
            broker.close()
