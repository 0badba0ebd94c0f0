"""The doorbell's module: small, fit for a strict Content-Security-Policy, and there only where it is wanted."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import render_template_string

import flask_notify
from tests.apps import Site

SCRIPT = Path(flask_notify.__file__).parent / "static" / "notify-stream.js"
TAGS = r"<script ([^>]*)></script>"


def test_the_module_is_at_most_3_kilobytes_over_the_wire() -> None:
    assert len(gzip.compress(SCRIPT.read_bytes(), compresslevel=6)) <= 3000


def test_the_module_needs_only_the_script_and_makes_no_html() -> None:
    text = SCRIPT.read_text()

    assert re.findall(r"import\(([^)\"]*)\)", text) == ["tag.src"]
    assert not re.search(r"^import|require\(|https?:", text, re.MULTILINE)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", text)


def tags(site: Site) -> list[str]:
    """Return the attributes of the tags that the script takes on a page."""
    key = site.add_user()
    site.app.add_url_rule("/shown", "shown", lambda: render_template_string("{{ notify_script() }}"))
    return re.findall(TAGS, site.client(key).get("/shown").text)


@pytest.mark.databases("sqlite")
def test_with_a_stream_the_page_is_told_its_address_and_loads_the_module(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_STREAM_URL="https://bell.example/listen", NOTIFY_STREAM_POLL_INTERVAL=50)

    script, module = tags(site)

    assert 'data-notify-stream="https://bell.example/listen" data-notify-stream-interval="50"' in script
    assert module == (
        f'type="module" src="/notify/static/notify-stream.js?v={flask_notify.__version__}" data-notify-stream-script'
    )
    source = re.search('src="([^"]+)"', module)
    assert source
    with site.app.test_client().get(source[1]) as answer:
        assert "javascript" in str(answer.mimetype)


@pytest.mark.databases("sqlite")
def test_without_a_stream_nothing_is_added(build: Callable[..., Site]) -> None:
    [script] = tags(build())

    assert "stream" not in script
