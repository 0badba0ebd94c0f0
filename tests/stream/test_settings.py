"""What the settings of the stream may be."""

from __future__ import annotations

from typing import Any

import pytest

from flask_notify.config import Settings
from flask_notify.errors import ConfigurationError


@pytest.mark.parametrize(
    "name,wrong",
    [
        ("NOTIFY_STREAM_URL", ""),
        ("NOTIFY_STREAM_URL", "stream"),
        ("NOTIFY_STREAM_URL", "//push.example.org/stream"),
        ("NOTIFY_STREAM_URL", "/stream?room=1"),
        ("NOTIFY_STREAM_URL", "/a b"),
        ("NOTIFY_STREAM_URL", "ftp://example.org/stream"),
        ("NOTIFY_STREAM_URL", "https://example.org/stream#here"),
        ("NOTIFY_STREAM_URL", "https:///stream"),
        ("NOTIFY_STREAM_URL", 7),
        ("NOTIFY_STREAM_ORIGINS", "https://example.org"),
        ("NOTIFY_STREAM_ORIGINS", ("example.org",)),
        ("NOTIFY_STREAM_ORIGINS", ("https://example.org/",)),
        ("NOTIFY_STREAM_ORIGINS", ("*",)),
        ("NOTIFY_STREAM_ORIGINS", ("null",)),
        ("NOTIFY_STREAM_POLL_INTERVAL", 0),
        ("NOTIFY_STREAM_POLL_INTERVAL", 60),
        ("NOTIFY_STREAM_LIMIT", 0),
        ("NOTIFY_STREAM_LIMIT", 2.5),
    ],
)
def test_a_wrong_setting_is_refused(name: str, wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} must be "):
        Settings({name: wrong})


@pytest.mark.parametrize(
    "url", [None, "/", "/stream", "/live/stream", "http://localhost:8001/stream", "https://push.example.org"]
)
def test_a_stream_is_at_a_path_of_the_site_or_at_an_address(url: str | None) -> None:
    assert Settings({"NOTIFY_STREAM_URL": url}).stream_url == url


def test_without_a_setting_there_is_no_stream() -> None:
    settings = Settings({})

    assert settings.stream_url is None
    assert settings.stream_origins == frozenset()
    assert settings.stream_poll_interval < 60
