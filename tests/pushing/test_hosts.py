"""To which addresses pushes are sent, and to which they never are."""

from __future__ import annotations

import pytest

from flask_notify.errors import InvalidSubscription
from flask_notify.pushing.hosts import origin_of
from flask_notify.setting_values import PUSH_HOSTS

ALLOWED = frozenset((*PUSH_HOSTS, "push.example.org:8443", "localhost:9000"))


@pytest.mark.parametrize(
    "endpoint, origin",
    [
        ("https://fcm.googleapis.com/fcm/send/abc:DEF-ghi_123", "https://fcm.googleapis.com"),
        ("https://updates.push.services.mozilla.com/wpush/v2/gAAA", "https://updates.push.services.mozilla.com"),
        ("https://wns2-par02p.notify.windows.com/w/?token=BQ%3d%3d", "https://wns2-par02p.notify.windows.com"),
        ("https://web.push.apple.com/QGuQ", "https://web.push.apple.com"),
        ("https://a.b.push.apple.com/QGuQ", "https://a.b.push.apple.com"),
        ("https://FCM.GoogleAPIs.com/x", "https://fcm.googleapis.com"),
        ("https://fcm.googleapis.com:443/x", "https://fcm.googleapis.com"),
        ("https://push.example.org:8443/x", "https://push.example.org:8443"),
        ("https://localhost:9000/", "https://localhost:9000"),
    ],
)
def test_the_browsers_own_services_are_pushed_to(endpoint: str, origin: str) -> None:
    assert origin_of(endpoint, ALLOWED) == origin


@pytest.mark.parametrize(
    "endpoint",
    [
        # Other schemes.
        "http://fcm.googleapis.com/x",
        "ftp://fcm.googleapis.com/x",
        "file:///etc/passwd",
        "//fcm.googleapis.com/x",
        "javascript:alert(1)",
        # Other hosts, and those that only look like one of the list.
        "https://example.org/x",
        "https://googleapis.com/x",
        "https://fcm.googleapis.com.example.org/x",
        "https://evilfcm.googleapis.com/x",
        "https://xnotify.windows.com/x",
        "https://notify.windows.com/x",
        "https://.push.apple.com/x",
        "https://a..push.apple.com/x",
        "https://fcm.googleapis.com./x",
        "https://fcm.googleapis.com%2eexample.org/x",
        "https://fcm.googleаpis.com/x",  # with a Cyrillic а
        # Addresses.
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]:9000/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0x7f.1/x",
        "https://localhost/x",
        # Other ports.
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com:80/x",
        "https://push.example.org/x",
        "https://push.example.org:443/x",
        "https://localhost:9001/x",
        "https://fcm.googleapis.com:/x",
        "https://fcm.googleapis.com:99999999/x",
        # User names, and what parsers read in two ways.
        "https://user@fcm.googleapis.com/x",
        "https://fcm.googleapis.com@example.org/x",
        "https://fcm.googleapis.com:443@example.org/x",
        "https://example.org\\@fcm.googleapis.com/x",
        "https://fcm.googleapis.com\\@example.org/x",
        "https://fcm.googleapis.com/x\\y",
        "https://example.org#@fcm.googleapis.com/x",
        "https://fcm.googleapis.com/x#fragment",
        "https://fcm.googleapis.com?x",
        "https://fcm.googleapis.com",
        " https://fcm.googleapis.com/x",
        "https://fcm.googleapis.com/x\n",
        "https://fcm.googleapis.com/x y",
        "https://fcm.goog\tleapis.com/x",
        "https://fcm.googleapis.com/\r\nHost: example.org",
        "https:/fcm.googleapis.com/x",
        "https:fcm.googleapis.com/x",
        "",
        "https://fcm.googleapis.com/" + "x" * 2_048,
        None,
        12,
        b"https://fcm.googleapis.com/x",
        ["https://fcm.googleapis.com/x"],
    ],
)
def test_nothing_else_is_pushed_to(endpoint: object) -> None:
    with pytest.raises(InvalidSubscription, match="A push service"):
        origin_of(endpoint, ALLOWED)


def test_an_address_on_the_list_is_no_host() -> None:
    with pytest.raises(InvalidSubscription):
        origin_of("https://127.0.0.1:9000/x", {"127.0.0.1:9000"})


def test_a_refusal_names_the_hosts_that_there_are_and_the_setting_but_not_the_address() -> None:
    with pytest.raises(
        InvalidSubscription, match=r"one of fcm\.googleapis\.com; got example\.org\..*NOTIFY_PUSH_HOSTS"
    ) as refusal:
        origin_of("https://example.org/secret", {"fcm.googleapis.com"})

    assert "secret" not in str(refusal.value)
