"""The settings of one application, each checked against its row of the table when it is initialised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from difflib import get_close_matches
from typing import Any, TypeAlias

from .errors import ConfigurationError
from .setting_table import SETTINGS

__all__ = ["DEFAULTS", "SETTINGS", "Settings"]

Alongside: TypeAlias = "Callable[[Any, Any, Any, float], None]"
"""Writes what goes along with new messages, in their transaction (see :func:`.writing.write`): given the
connection, the models, the entries that were written, and the time in Unix seconds. Which there are follows
from the settings of an application."""

DEFAULTS: dict[str, Any] = {setting.name: setting.default for setting in SETTINGS}


class Settings:
    """The checked settings of one application.

    :param config: the application's config. Missing keys are set to their defaults, so that
        an application can read them, too.
    :raises ConfigurationError: if a value is not what its row in :data:`SETTINGS` expects.
    """

    def __init__(self, config: MutableMapping[str, Any]) -> None:
        _check(config)
        self.alongside: list[Alongside] = []
        self.url_prefix: str = config["NOTIFY_URL_PREFIX"]
        self.poll_interval: float = config["NOTIFY_POLL_INTERVAL"]
        self.fast_poll: bool = config["NOTIFY_FAST_POLL"]
        self.recheck_interval: float = config["NOTIFY_RECHECK_INTERVAL"]
        self.tombstone_age: float = config["NOTIFY_TOMBSTONE_AGE"]
        self.max_payload: int = config["NOTIFY_MAX_PAYLOAD"]
        self.inline_recipients: int = config["NOTIFY_INLINE_RECIPIENTS"]
        self.private_message_length: int = config["NOTIFY_PRIVATE_MESSAGE_LENGTH"]
        self.messages_per_page: int = config["NOTIFY_MESSAGES_PER_PAGE"]
        self.remove_after: float | None = config["NOTIFY_REMOVE_AFTER"]
        self.keep_unseen: bool = config["NOTIFY_KEEP_UNSEEN"]
        self.base_url: str | None = config["NOTIFY_BASE_URL"]
        self.mail_sender: str | None = config["NOTIFY_MAIL_SENDER"]
        self.mail_subject_prefix: str = config["NOTIFY_MAIL_SUBJECT_PREFIX"]
        self.list_id: str | None = config["NOTIFY_LIST_ID"]
        self.often_delay: float = config["NOTIFY_OFTEN_DELAY"]
        self.digest_time: str = config["NOTIFY_DIGEST_TIME"]
        self.digest_weekday: int = config["NOTIFY_DIGEST_WEEKDAY"]
        self.digest_limit: int = config["NOTIFY_DIGEST_LIMIT"]
        self.timezone: str = config["NOTIFY_TIMEZONE"]
        self.mail_timeout: float = config["NOTIFY_MAIL_TIMEOUT"]
        self.mail_lease: float = config["NOTIFY_MAIL_LEASE"]
        self.mail_attempts: int = config["NOTIFY_MAIL_ATTEMPTS"]
        self.unsubscribe_key: str | None = config["NOTIFY_UNSUBSCRIBE_KEY"]
        self.action_hosts: frozenset[str] = frozenset(host.lower() for host in config["NOTIFY_ACTION_HOSTS"])
        self.broker_url: str | None = config["NOTIFY_BROKER_URL"]
        self.scheduler: bool = config["NOTIFY_SCHEDULER"]
        self.shipped_migrations: bool = config["NOTIFY_SHIPPED_MIGRATIONS"]
        self._read_reaching(config)

    def _read_reaching(self, config: Mapping[str, Any]) -> None:
        """Read the settings of what reaches further than a poll."""
        self.relay_queues: bool = config["NOTIFY_RELAY_QUEUES"]
        self.relay_queue_prefix: str = config["NOTIFY_RELAY_QUEUE_PREFIX"]
        self.relay_expiry: float = config["NOTIFY_RELAY_EXPIRY"]
        self.vapid_private_key: str | None = config["NOTIFY_VAPID_PRIVATE_KEY"]
        self.vapid_subject: str | None = config["NOTIFY_VAPID_SUBJECT"]
        self.push_hosts: frozenset[str] = frozenset(host.lower() for host in config["NOTIFY_PUSH_HOSTS"])
        self.push_ttl: float = config["NOTIFY_PUSH_TTL"]
        self.push_timeout: float = config["NOTIFY_PUSH_TIMEOUT"]
        self.stream_url: str | None = config["NOTIFY_STREAM_URL"]
        self.stream_origins: frozenset[str] = frozenset(origin.lower() for origin in config["NOTIFY_STREAM_ORIGINS"])
        self.stream_poll_interval: float = config["NOTIFY_STREAM_POLL_INTERVAL"]
        self.stream_limit: int = config["NOTIFY_STREAM_LIMIT"]
        self.hint_ttl: float = config["NOTIFY_HINT_TTL"]


def _check(config: MutableMapping[str, Any]) -> None:
    for setting in SETTINGS:
        value = config.setdefault(setting.name, setting.default)
        if not setting.check(value):
            got = "a value that is not shown, for it may be secret" if setting.secret else repr(value)
            raise ConfigurationError(f"{setting.name} must be {setting.expected}, got {got}")
    _refuse_misspelt(config)
    if config["NOTIFY_MAIL_TIMEOUT"] >= config["NOTIFY_MAIL_LEASE"] / 2:
        raise ConfigurationError(
            "NOTIFY_MAIL_TIMEOUT must be less than half of NOTIFY_MAIL_LEASE, got "
            f"{config['NOTIFY_MAIL_TIMEOUT']!r} and {config['NOTIFY_MAIL_LEASE']!r}: a mail that is still "
            "being sent when its lease ends would be sent twice. Raise the lease, or lower the timeout."
        )
    _check_relay(config)


def _check_relay(config: Mapping[str, Any]) -> None:
    if not config["NOTIFY_RELAY_QUEUES"]:
        return
    # The scheme alone is told: the rest of it may have a password.
    scheme = (config.get("NOTIFY_BROKER_URL") or "none at all").partition("://")[0]
    if scheme not in ("amqp", "amqps", "redis", "rediss", "memory"):
        raise ConfigurationError(
            "NOTIFY_RELAY_QUEUES needs a broker that has queues, which is one at amqp://… or redis://…, got "
            f"{scheme}. Set NOTIFY_BROKER_URL, or leave NOTIFY_RELAY_QUEUES away."
        )
    if config["NOTIFY_BASE_URL"] is None:
        raise ConfigurationError(
            "NOTIFY_RELAY_QUEUES needs NOTIFY_BASE_URL, got None: who reads the queues does not know the site, and "
            "paths of it would lead nowhere. Set it to the address of your site, as in 'https://example.org'."
        )


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
