"""The settings: one table, each row checked when an application is initialised."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from .errors import ConfigurationError


@dataclass(frozen=True)
class Setting:
    """One key of ``app.config``: its default, what a right value is, and its meaning."""

    name: str
    default: Any
    expected: str
    check: Callable[[Any], bool]
    meaning: str


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_prefix(value: Any) -> bool:
    return isinstance(value, str) and (value == "" or (value.startswith("/") and not value.endswith("/")))


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "NOTIFY_URL_PREFIX",
        "",
        "an empty string or a path like '/live' that begins, and does not end, with a slash",
        _is_prefix,
        "Where the blueprint is mounted: the poll is ``<prefix>/notifications``.",
    ),
    Setting(
        "NOTIFY_POLL_INTERVAL",
        10,
        "a positive number of seconds",
        _is_positive,
        "Seconds between two polls of a page. It is told to the clients with every answer, "
        "so that a change reaches the pages that are already open.",
    ),
    Setting(
        "NOTIFY_FAST_POLL",
        True,
        "True or False",
        _is_flag,
        "Whether an idle poll may be answered before Flask, by the ticket in its ETag.",
    ),
    Setting(
        "NOTIFY_RECHECK_INTERVAL",
        300,
        "a positive number of seconds",
        _is_positive,
        "Seconds for which such a ticket is good; then a poll pays for the whole of Flask "
        "once. A user who was deactivated is refused after at most this long.",
    ),
    Setting(
        "NOTIFY_TOMBSTONE_AGE",
        72 * 3600,
        "a positive number of seconds",
        _is_positive,
        "Seconds for which a removal is told to the clients. One that was away for longer "
        "gets the whole state, and drops what is not in it.",
    ),
    Setting(
        "NOTIFY_MAX_PAYLOAD",
        64 * 1024,
        "a positive whole number of bytes",
        _is_count,
        "Bytes that the JSON text of one notification may have.",
    ),
    Setting(
        "NOTIFY_SHIPPED_MIGRATIONS",
        False,
        "True or False",
        _is_flag,
        "Set it when you run the migrations that ship with Flask-Notify beside your own. It "
        "declares their version table, so that ``flask db migrate`` leaves it alone.",
    ),
)

DEFAULTS: dict[str, Any] = {setting.name: setting.default for setting in SETTINGS}


class Settings:
    """The checked settings of one application.

    :param config: the application's config. Missing keys are set to their defaults, so that
        an application can read them, too.
    :raises ConfigurationError: if a value is not what its row in :data:`SETTINGS` expects.
    """

    def __init__(self, config: MutableMapping[str, Any]) -> None:
        for setting in SETTINGS:
            value = config.setdefault(setting.name, setting.default)
            if not setting.check(value):
                raise ConfigurationError(f"{setting.name} must be {setting.expected}, got {value!r}")
        _refuse_misspelt(config)
        self.url_prefix: str = config["NOTIFY_URL_PREFIX"]
        self.poll_interval: float = config["NOTIFY_POLL_INTERVAL"]
        self.fast_poll: bool = config["NOTIFY_FAST_POLL"]
        self.recheck_interval: float = config["NOTIFY_RECHECK_INTERVAL"]
        self.tombstone_age: float = config["NOTIFY_TOMBSTONE_AGE"]
        self.max_payload: int = config["NOTIFY_MAX_PAYLOAD"]
        self.shipped_migrations: bool = config["NOTIFY_SHIPPED_MIGRATIONS"]


def _refuse_misspelt(config: Mapping[str, Any]) -> None:
    """Refuse a key that is nearly one of ours: the mistake would go unnoticed.

    Any other key that begins like ours is the application's own.
    """
    for key in config:
        if key.startswith("NOTIFY_") and key not in DEFAULTS:
            for meant in get_close_matches(key, DEFAULTS, n=1, cutoff=0.85):
                raise ConfigurationError(
                    f"{key} is not a setting of Flask-Notify, and {meant} is. Rename it, or, if it "
                    "is the application's own, give it a name that is not so easily mistaken."
                )
