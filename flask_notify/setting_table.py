"""The table of settings: a row for each, with its default, what a right value is, and its meaning."""

from __future__ import annotations

from .reaching_settings import REACHING
from .setting_values import (
    Setting,
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

__all__ = ["SETTINGS", "Setting"]

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
        secret=True,
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
    *REACHING,
)
