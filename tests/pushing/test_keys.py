"""The keys by which push services know the application, and what must be set with them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from flask import Flask

from flask_notify import Notify
from flask_notify.config import Settings
from flask_notify.errors import ConfigurationError
from flask_notify.pushing.keys import Vapid, generate, subject_of
from tests.apps import make_app
from tests.servers.push import decode

PRIVATE, PUBLIC = generate()
NOW = 1_790_000_000.0


def claims_of(header: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(decode(header.split("t=")[1].split(".")[1]))
    return told


def test_a_token_is_for_one_origin_and_ends_within_a_day() -> None:
    vapid = Vapid(PRIVATE, "mailto:admin@example.org")

    first, second = (vapid.authorization(f"https://{host}.example", now=NOW) for host in ("one", "two"))

    assert claims_of(first) == {"aud": "https://one.example", "sub": "mailto:admin@example.org", "exp": NOW + 12 * 3600}
    assert claims_of(second)["aud"] == "https://two.example"
    assert first.endswith(f"k={PUBLIC}")


def test_a_token_is_used_again_for_some_hours() -> None:
    vapid = Vapid(PRIVATE, "mailto:admin@example.org")
    first = vapid.authorization("https://one.example", now=NOW)

    assert vapid.authorization("https://one.example", now=NOW + 5 * 3600) == first
    assert claims_of(vapid.authorization("https://one.example", now=NOW + 7 * 3600))["exp"] == NOW + 19 * 3600


def test_the_public_key_belongs_to_the_private_one() -> None:
    assert Vapid(PRIVATE, "mailto:a@example.org").public_key == PUBLIC
    assert len(decode(PUBLIC)) == 65
    assert generate() != generate()


@pytest.mark.parametrize(
    "config, subject",
    [
        ({"NOTIFY_VAPID_SUBJECT": "https://example.org"}, "https://example.org"),
        ({"NOTIFY_MAIL_SENDER": "Microblog <news@example.org>"}, "mailto:news@example.org"),
        ({"MAIL_DEFAULT_SENDER": ("Microblog", "news@example.org")}, "mailto:news@example.org"),
        ({"MAIL_DEFAULT_SENDER": "news@example.org"}, "mailto:news@example.org"),
        ({"NOTIFY_BASE_URL": "https://example.org:8443/app"}, "https://example.org"),
        (
            {"NOTIFY_VAPID_SUBJECT": "mailto:me@example.org", "NOTIFY_MAIL_SENDER": "news@example.org"},
            "mailto:me@example.org",
        ),
    ],
)
def test_who_is_responsible_is_found_in_the_settings(config: dict[str, Any], subject: str) -> None:
    found = subject_of(Settings(dict(config)), config)

    assert found == subject
    Vapid(PRIVATE, found)


@pytest.mark.parametrize(
    "config", [{}, {"NOTIFY_BASE_URL": "http://localhost:5000"}, {"MAIL_DEFAULT_SENDER": "nobody"}]
)
def test_where_nobody_can_be_reached_the_setting_is_named(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="Set NOTIFY_VAPID_SUBJECT = 'mailto:"):
        make_app("sqlite://", NOTIFY_VAPID_PRIVATE_KEY=PRIVATE, **config)


# By name: a key that is made anew in each process would give the tests of each other names.
@pytest.mark.parametrize(
    "key",
    ["", "A" * 42, "A" * 44, "-----BEGIN PRIVATE KEY-----", PRIVATE + "=", 12],
    ids=["empty", "short", "long", "pem", "padded", "number"],
)
def test_what_is_no_key_is_refused_with_the_command_that_makes_one(key: Any) -> None:
    with pytest.raises(
        ConfigurationError, match="NOTIFY_VAPID_PRIVATE_KEY must be the private key that 'flask notify vapid'"
    ):
        make_app("sqlite://", NOTIFY_VAPID_PRIVATE_KEY=key, NOTIFY_VAPID_SUBJECT="mailto:a@example.org")


@pytest.mark.parametrize("number", ["A" * 43, "_" * 42 + "8"])
def test_a_number_that_is_no_key_of_the_curve_is_refused_and_not_told(number: str) -> None:
    with pytest.raises(ConfigurationError, match="Make a new one") as refusal:
        make_app("sqlite://", NOTIFY_VAPID_PRIVATE_KEY=number, NOTIFY_VAPID_SUBJECT="mailto:a@example.org")

    assert number not in str(refusal.value)


@pytest.mark.parametrize(
    "subject", ["admin@example.org", "http://example.org", "mailto:admin", "https://example.org/a b"]
)
def test_a_subject_that_a_push_service_refuses_is_refused_at_once(subject: str) -> None:
    with pytest.raises(ConfigurationError, match="NOTIFY_VAPID_SUBJECT must be a"):
        make_app("sqlite://", NOTIFY_VAPID_PRIVATE_KEY=PRIVATE, NOTIFY_VAPID_SUBJECT=subject)


@pytest.mark.parametrize(
    "hosts", ["fcm.googleapis.com", ("127.0.0.1:8443",), ("https://fcm.googleapis.com",), ("*",), ("a.*",)]
)
def test_what_is_no_list_of_hosts_is_refused(hosts: Any) -> None:
    with pytest.raises(ConfigurationError, match="NOTIFY_PUSH_HOSTS must be a tuple of host names"):
        make_app("sqlite://", NOTIFY_PUSH_HOSTS=hosts)


def test_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py_vapid", None)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)

    for needs_it in (generate, lambda: Vapid(PRIVATE, "mailto:a@example.org")):
        with pytest.raises(ConfigurationError, match=r"pip install 'flask-notify\[push\]'"):
            needs_it()


def test_an_application_without_a_key_imports_nothing_of_the_extra() -> None:
    packages = ("pywebpush", "py_vapid", "cryptography", "requests", "aiohttp")
    code = (
        "import sys; from tests.apps import make_app; make_app('sqlite://');"
        f"print([name for name in {packages} if name in sys.modules])"
    )

    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert found.stdout.strip() == "[]"


def test_the_command_makes_a_pair_and_changes_nothing() -> None:
    site = make_app("sqlite://")
    runner = site.app.test_cli_runner()

    told = json.loads(runner.invoke(args=["notify", "vapid", "--json"]).stdout)
    printed = runner.invoke(args=["notify", "vapid"])

    assert Vapid(told["private_key"], "mailto:a@example.org").public_key == told["public_key"]
    assert printed.exit_code == 0
    line = printed.stdout.splitlines()[0]
    private = line.removeprefix('NOTIFY_VAPID_PRIVATE_KEY = "').removesuffix('"')
    assert private != told["private_key"]
    app = Flask("tests.keys")
    app.config.update(NOTIFY_VAPID_PRIVATE_KEY=private, NOTIFY_VAPID_SUBJECT="mailto:a@example.org", SECRET_KEY="x")
    Notify().init_app(app)
    assert app.extensions["notify"].vapid.public_key in printed.stdout
    site.close()
