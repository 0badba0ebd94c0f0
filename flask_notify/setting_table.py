"""The table of settings: a row for each, with its default, what a right value is, and its meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .setting_values import (
    is_base_url,
    is_below_a_minute,
    is_count,
    is_expiry,
    is_flag,
    is_hosts,
    is_number_at_least_0,
    is_origins,
    is_positive,
    is_positive_or_none,
    is_prefix,
    is_push_hosts,
    is_queue_prefix,
    is_stream_url,
    is_text,
    is_text_or_none,
    is_time_of_day,
    is_timezone,
    is_vapid_key,
    is_vapid_subject,
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


PUSH_HOSTS = (
    "fcm.googleapis.com",  # Chrome, and most that are made of Chromium
    "updates.push.services.mozilla.com",  # Firefox
    "*.push.services.mozilla.com",
    "*.notify.windows.com",  # Edge
    "*.push.apple.com",  # Safari
)
"""The push services of the browsers, as their makers name them for firewalls: Mozilla's autopush, Firebase Cloud
Messaging, WNS (Microsoft's "allowed hosts") and Apple's "Sending web push notifications"."""

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
        "NOTIFY_RELAY_QUEUES",
        False,
        "True or False",
        is_flag,
        "Whether each message goes to its recipient's durable queue of the broker, too, for other programs "
        "to show. It needs ``NOTIFY_BROKER_URL``, ``NOTIFY_BASE_URL`` and the scheduler.",
    ),
    Setting(
        "NOTIFY_RELAY_QUEUE_PREFIX",
        "_notifs_",
        "a text of 1 to 100 printable characters that does not begin with 'amq.'",
        is_queue_prefix,
        "What the name of each recipient's queue begins with; the recipient's key follows.",
    ),
    Setting(
        "NOTIFY_RELAY_EXPIRY",
        7 * 24 * 3600,
        "a number of seconds from 1 to 4294967",
        is_expiry,
        "Seconds for which a message waits in a queue that nobody reads. Then the broker drops it; it stays in the "
        "inbox.",
    ),
    Setting(
        "NOTIFY_VAPID_PRIVATE_KEY",
        None,
        "the private key that `flask notify vapid` prints, or None",
        is_vapid_key,
        "With what the application proves to the push services that it is the one to which a browser has subscribed "
        "(RFC 8292); None: no Web Push. It is a secret, and should stay: with another, every browser has to "
        "subscribe again.",
    ),
    Setting(
        "NOTIFY_VAPID_SUBJECT",
        None,
        "an address like 'mailto:admin@example.org' or 'https://example.org', or None",
        is_vapid_subject,
        "Where the operators of a push service reach you; None is the address of the mails' sender, or "
        "``NOTIFY_BASE_URL`` if that is https.",
    ),
    Setting(
        "NOTIFY_PUSH_HOSTS",
        PUSH_HOSTS,
        "a tuple of host names like ('fcm.googleapis.com', '*.push.apple.com', 'push.example.org:8443')",
        is_push_hosts,
        "The push services to which pushes are sent, always by https: a browser names its own, and so could anybody. "
        "``*.`` stands for all hosts below a name. A port other than 443 is part of the name.",
    ),
    Setting(
        "NOTIFY_PUSH_TTL",
        24 * 3600,
        "a positive number of seconds",
        is_positive,
        "Seconds after which a push that did not reach the browser is not worth showing any more.",
    ),
    Setting(
        "NOTIFY_PUSH_TIMEOUT",
        10,
        "a positive number of seconds",
        is_positive,
        "Seconds that a push service may take over one push.",
    ),
    Setting(
        "NOTIFY_STREAM_URL",
        None,
        "a path like '/stream', an absolute http or https address, or None",
        is_stream_url,
        "Where pages reach ``flask notify stream``, which rings them when there are news. With None they only poll.",
    ),
    Setting(
        "NOTIFY_STREAM_ORIGINS",
        (),
        "a tuple of origins like ('https://example.org', 'http://localhost:5000')",
        is_origins,
        "Whose pages may listen, beside those of the stream's own host and of ``NOTIFY_BASE_URL``.",
    ),
    Setting(
        "NOTIFY_STREAM_POLL_INTERVAL",
        45,
        "a positive number of seconds, less than 60",
        is_below_a_minute,
        "Seconds between two polls of a page while it listens. Each brings the token for the next minute.",
    ),
    Setting(
        "NOTIFY_STREAM_LIMIT",
        20_000,
        "a positive whole number",
        is_count,
        "Pages that one process of ``flask notify stream`` holds open. Further ones are told to try again, and poll.",
    ),
    Setting(
        "NOTIFY_SCHEDULER",
        False,
        "True or False",
        is_flag,
        "Whether the application runs the jobs by itself, in a thread. Otherwise run ``flask notify run`` beside it.",
    ),
    Setting(
        "NOTIFY_HINT_TTL",
        30,
        "a number of seconds, at least 0",
        is_number_at_least_0,
        "Seconds for which a worker may answer idle polls by the cursor that it has read, while no broker's hint tells "
        "of news: what a hint that is lost, or a program without the broker, delays news by at most. 0 reads it for "
        "each poll.",
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
