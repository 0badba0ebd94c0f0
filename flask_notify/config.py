"""The settings: one table, each row checked when an application is initialised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from .errors import ConfigurationError
from .setting_values import (
    is_base_url,
    is_count,
    is_flag,
    is_hosts,
    is_number_at_least_0,
    is_positive,
    is_positive_or_none,
    is_prefix,
    is_text,
    is_text_or_none,
    is_time_of_day,
    is_timezone,
    is_weekday,
)


@dataclass(frozen=True)
class Setting:
    """One key of ``app.config``: its default, what a right value is, and its meaning."""

    name: str
    default: Any
    expected: str
    check: Callable[[Any], bool]
    meaning: str


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "NOTIFY_URL_PREFIX",
        "",
        "an empty string or a path like '/live' that begins, and does not end, with a slash",
        is_prefix,
        "Where the blueprint is mounted: the poll is ``<prefix>/notifications``.",
    ),
    Setting(
        "NOTIFY_POLL_INTERVAL",
        10,
        "a positive number of seconds",
        is_positive,
        "Seconds between two polls of a page. It is told to the clients with every answer, "
        "so that a change reaches the pages that are already open.",
    ),
    Setting(
        "NOTIFY_FAST_POLL",
        True,
        "True or False",
        is_flag,
        "Whether an idle poll may be answered before Flask, by the ticket in its ETag.",
    ),
    Setting(
        "NOTIFY_RECHECK_INTERVAL",
        300,
        "a positive number of seconds",
        is_positive,
        "Seconds for which such a ticket is good; then a poll pays for the whole of Flask "
        "once. A user who was deactivated is refused after at most this long.",
    ),
    Setting(
        "NOTIFY_TOMBSTONE_AGE",
        72 * 3600,
        "a positive number of seconds",
        is_positive,
        "Seconds for which a removal is told to the clients. One that was away for longer "
        "gets the whole state, and drops what is not in it.",
    ),
    Setting(
        "NOTIFY_MAX_PAYLOAD",
        64 * 1024,
        "a positive whole number of bytes",
        is_count,
        "Bytes that the JSON text of one notification may have.",
    ),
    Setting(
        "NOTIFY_INLINE_RECIPIENTS",
        1_000,
        "a positive whole number",
        is_count,
        "Up to how many recipients an emission is written in the caller's own transaction. One to"
        " more is recorded there, and moved by the scheduler in batches of at most 1,000.",
    ),
    Setting(
        "NOTIFY_PRIVATE_MESSAGE_LENGTH",
        140,
        "a positive whole number",
        is_count,
        "Characters that a private message may have.",
    ),
    Setting(
        "NOTIFY_MESSAGES_PER_PAGE",
        20,
        "a positive whole number",
        is_count,
        "Messages on one page of the inbox.",
    ),
    Setting(
        "NOTIFY_REMOVE_AFTER",
        336,
        "a positive number of hours, or None to keep all for ever",
        is_positive_or_none,
        "Hours after which messages and mails that were sent are removed.",
    ),
    Setting(
        "NOTIFY_KEEP_UNSEEN",
        True,
        "True or False",
        is_flag,
        "Whether a message that was never seen is kept however old it is.",
    ),
    Setting(
        "NOTIFY_BASE_URL",
        None,
        "an absolute http or https address, or None",
        is_base_url,
        "What every link in a mail begins with. No mail is sent without it.",
    ),
    Setting(
        "NOTIFY_MAIL_SENDER",
        None,
        "a mail address with or without a name, or None",
        is_text_or_none,
        "Whom the mails are from; None is Flask-Mail's ``MAIL_DEFAULT_SENDER``.",
    ),
    Setting(
        "NOTIFY_MAIL_SUBJECT_PREFIX",
        "",
        "a text on one line",
        is_text,
        "What the subject of each mail begins with, as in ``'[Microblog] '``.",
    ),
    Setting(
        "NOTIFY_LIST_ID",
        None,
        "a name like 'notifications.example.org', or None",
        is_text_or_none,
        "The List-Id of the mails (RFC 2919); None makes one of the host of ``NOTIFY_BASE_URL``.",
    ),
    Setting(
        "NOTIFY_OFTEN_DELAY",
        300,
        "a number of seconds, at least 0",
        is_number_at_least_0,
        "Seconds that a recipient has to see a message before it is mailed in the mode ``often``.",
    ),
    Setting(
        "NOTIFY_DIGEST_TIME",
        "08:00",
        "a time of day like '08:00'",
        is_time_of_day,
        "When daily and weekly digests are due, by each recipient's own clock.",
    ),
    Setting(
        "NOTIFY_DIGEST_WEEKDAY",
        0,
        "a weekday from 0 (Monday) to 6 (Sunday)",
        is_weekday,
        "On which day weekly digests are due.",
    ),
    Setting(
        "NOTIFY_DIGEST_LIMIT",
        20,
        "a positive whole number",
        is_count,
        "Messages that one mail shows; it tells how many more there are.",
    ),
    Setting(
        "NOTIFY_TIMEZONE",
        "UTC",
        "the name of a time zone like 'Europe/Berlin'",
        is_timezone,
        "The time zone of recipients who have set none.",
    ),
    Setting(
        "NOTIFY_MAIL_TIMEOUT",
        60,
        "a positive number of seconds",
        is_positive,
        "Seconds that sending one mail may take in all, from connecting to the server's last "
        "word. It must be less than half of ``NOTIFY_MAIL_LEASE``.",
    ),
    Setting(
        "NOTIFY_MAIL_LEASE",
        300,
        "a positive number of seconds",
        is_positive,
        "Seconds for which a mail is one worker's alone. The mail of a worker that died is taken "
        "up by another after this long.",
    ),
    Setting(
        "NOTIFY_MAIL_ATTEMPTS",
        10,
        "a positive whole number",
        is_count,
        "How many times a mail is tried, ever more slowly, before it is given up.",
    ),
    Setting(
        "NOTIFY_UNSUBSCRIBE_KEY",
        None,
        "a text, or None",
        is_text_or_none,
        "What the links to unsubscribe are signed with; None is ``SECRET_KEY``. Keys in "
        "``SECRET_KEY_FALLBACKS`` are accepted, too: these links have to work for as long as the "
        "mails exist.",
    ),
    Setting(
        "NOTIFY_ACTION_HOSTS",
        (),
        "a tuple of host names like ('docs.example.org', 'localhost:8000')",
        is_hosts,
        "Hosts to which an action's response may lead by ``open_url``, beside the site's own. A port that "
        "is not the scheme's own is part of the name.",
    ),
    Setting(
        "NOTIFY_SCHEDULER",
        False,
        "True or False",
        is_flag,
        "Whether the application runs the jobs by itself, in a thread. Otherwise run ``flask notify run`` beside it.",
    ),
    Setting(
        "NOTIFY_SHIPPED_MIGRATIONS",
        False,
        "True or False",
        is_flag,
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
        if config["NOTIFY_MAIL_TIMEOUT"] >= config["NOTIFY_MAIL_LEASE"] / 2:
            raise ConfigurationError(
                "NOTIFY_MAIL_TIMEOUT must be less than half of NOTIFY_MAIL_LEASE, got "
                f"{config['NOTIFY_MAIL_TIMEOUT']!r} and {config['NOTIFY_MAIL_LEASE']!r}: a mail that is still "
                "being sent when its lease ends would be sent twice. Raise the lease, or lower the timeout."
            )
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
        self.scheduler: bool = config["NOTIFY_SCHEDULER"]
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
