"""What the value of a setting may be."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_BROKERS = ("amqp", "amqps", "redis", "rediss", "postgresql", "postgresql+psycopg", "memory")


@dataclass(frozen=True)
class Setting:
    """One key of ``app.config``: its default, what a right value is, and its meaning.

    :ivar secret: whether a value is, or may hold, a password: no error shows it.
    """

    name: str
    default: Any
    expected: str
    check: Callable[[Any], bool]
    meaning: str
    secret: bool = False


PUSH_HOSTS = (
    "fcm.googleapis.com",  # Chrome, and most that are made of Chromium
    "updates.push.services.mozilla.com",  # Firefox
    "*.push.services.mozilla.com",
    "*.notify.windows.com",  # Edge
    "*.push.apple.com",  # Safari
)
"""The push services of the browsers, as their makers name them for firewalls: Mozilla's autopush, Firebase Cloud
Messaging, WNS (Microsoft's "allowed hosts") and Apple's "Sending web push notifications"."""


def is_number(value: Any) -> bool:
    """Return whether it is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_positive(value: Any) -> bool:
    """Return whether it is a number above 0."""
    return is_number(value) and value > 0


def is_count(value: Any) -> bool:
    """Return whether it is a whole number above 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_flag(value: Any) -> bool:
    """Return whether it is True or False."""
    return isinstance(value, bool)


def is_number_at_least_0(value: Any) -> bool:
    """Return whether it is a number, at least 0."""
    return is_number(value) and value >= 0


def is_expiry(value: Any) -> bool:
    """Return whether it is a number of seconds that fits into the milliseconds, in 32 bits, of RabbitMQ."""
    return is_number(value) and 1 <= value <= (2**32 - 1) // 1000


def is_text(value: Any) -> bool:
    """Return whether it is a text on one line."""
    return isinstance(value, str) and not any(ord(char) < 32 for char in value)


def is_text_or_none(value: Any) -> bool:
    """Return whether it is a text on one line, not empty, or None."""
    return value is None or (is_text(value) and value != "")


def is_positive_or_none(value: Any) -> bool:
    """Return whether it is a number above 0, or None."""
    return value is None or is_positive(value)


def is_base_url(value: Any) -> bool:
    """Return whether it is the address of a site, or None."""
    if value is None:
        return True
    if not is_text(value):
        return False
    parts = urlsplit(value)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)


def is_broker_url(value: Any) -> bool:
    """Return whether it is the address of a broker, "database" for the application's own, or None."""
    if value is None or value == "database":
        return True
    if not is_text(value):
        return False
    try:
        parts = urlsplit(value)
        # To look at the port is to check it. PostgreSQL without a host is the one on this machine.
        named = parts.port != 0 and (bool(parts.hostname) or parts.scheme.startswith("postgresql"))
    except ValueError:
        return False
    return named and parts.scheme in _BROKERS


def is_stream_url(value: Any) -> bool:
    """Return whether it is a path of the site, the address of another, or None."""
    if not isinstance(value, str) or not value.startswith("/"):
        return is_base_url(value)
    return re.fullmatch(r"/(?:[A-Za-z0-9_.~-]+/?)*", value) is not None


def is_origins(value: Any) -> bool:
    """Return whether it is origins of pages: a scheme and a host, each with or without a port."""
    if not isinstance(value, (tuple, list, set, frozenset)):
        return False
    return all(
        isinstance(origin, str)
        and is_hosts([origin.partition("://")[2]])
        and origin.startswith(("http://", "https://"))
        for origin in value
    )


def is_below_a_minute(value: Any) -> bool:
    """Return whether it is a number above 0 and below 60."""
    return is_positive(value) and value < 60


def is_time_of_day(value: Any) -> bool:
    """Return whether it is a time like "08:00"."""
    return isinstance(value, str) and re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value) is not None


def is_weekday(value: Any) -> bool:
    """Return whether it is a day from 0 to 6."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 6


def is_timezone(value: Any) -> bool:
    """Return whether it is the name of a time zone."""
    try:
        return isinstance(value, str) and ZoneInfo(value) is not None
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return False


def is_hosts(value: Any) -> bool:
    """Return whether it is names of hosts, each with or without a port."""
    return isinstance(value, (tuple, list, set, frozenset)) and all(
        isinstance(host, str) and re.fullmatch(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", host)
        for host in value
    )


def is_queue_prefix(value: Any) -> bool:
    """Return whether it is what a queue's name may begin with."""
    return isinstance(value, str) and 1 <= len(value) <= 100 and value.isprintable() and not value.startswith("amq.")


def is_push_hosts(value: Any) -> bool:
    """Return whether it is names of hosts, each with or without a port or a ``*.`` for all that is below it."""
    return isinstance(value, (tuple, list, set, frozenset)) and all(
        isinstance(host, str) and re.fullmatch(r"(?:\*\.)?[A-Za-z0-9_.-]*[A-Za-z][A-Za-z0-9_.-]*(?::[0-9]{1,5})?", host)
        for host in value
    )


def is_vapid_key(value: Any) -> bool:
    """Return whether it is 32 bytes in URL-safe Base64 without padding, or None."""
    return value is None or (isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]{43}", value) is not None)


def is_vapid_subject(value: Any) -> bool:
    """Return whether it is where the operators of a push service reach those of the application, or None."""
    return value is None or (
        isinstance(value, str) and re.fullmatch(r"mailto:[^\s@]+@[^\s@]+|https://[\w.-]+", value) is not None
    )


def is_prefix(value: Any) -> bool:
    """Return whether it is empty, or a path without a slash at its end."""
    return isinstance(value, str) and (value == "" or (value.startswith("/") and not value.endswith("/")))
