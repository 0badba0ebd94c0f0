"""The settings of what reaches further than a poll: brokers, the doorbell and Web Push."""

from __future__ import annotations

from .setting_values import (
    PUSH_HOSTS,
    Setting,
    is_below_a_minute,
    is_broker_url,
    is_count,
    is_expiry,
    is_flag,
    is_number_at_least_0,
    is_origins,
    is_positive,
    is_push_hosts,
    is_queue_prefix,
    is_stream_url,
    is_vapid_key,
    is_vapid_subject,
)

REACHING: tuple[Setting, ...] = (
    Setting(
        "NOTIFY_BROKER_URL",
        None,
        "an address that begins with amqp://, amqps://, redis://, rediss://, postgresql:// or memory://,"
        " or 'database', or None",
        is_broker_url,
        "Which broker tells other processes that there is news, and takes letters to queues; ``'database'`` is the"
        " application's own PostgreSQL. With None every page sees news with its next poll.",
        secret=True,
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
        "the private key that 'flask notify vapid' prints, or None",
        is_vapid_key,
        "With what the application proves to the push services that it is the one to which a browser has subscribed "
        "(RFC 8292); None: no Web Push. It is a secret, and should stay: with another, every browser has to "
        "subscribe again.",
        secret=True,
    ),
    Setting(
        "NOTIFY_VAPID_SUBJECT",
        None,
        "a mailto: or an https: address, or None",
        is_vapid_subject,
        "Where the operators of a push service reach you, as in ``'mailto:admin@example.org'``; None is the address of "
        "the mails' sender, or ``NOTIFY_BASE_URL`` if that is https.",
    ),
    Setting(
        "NOTIFY_PUSH_HOSTS",
        PUSH_HOSTS,
        "a tuple of host names like ('fcm.googleapis.com', 'push.example.org:8443')",
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
        "a tuple of origins, each a scheme, a host and perhaps a port",
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
        "NOTIFY_HINT_TTL",
        30,
        "a number of seconds, at least 0",
        is_number_at_least_0,
        "Seconds for which a worker may answer idle polls by the cursor that it has read, while no broker's hint tells "
        "of news: what a hint that is lost, or a program without the broker, delays news by at most. 0 reads it for "
        "each poll.",
    ),
)
