"""The inbox's script is small, stands by itself, and makes HTML only of what the server has rendered."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import flask_notify

SCRIPT = Path(flask_notify.__file__).parent / "static" / "notify-inbox.js"


def test_the_script_is_at_most_4_kilobytes_over_the_wire() -> None:
    assert len(gzip.compress(SCRIPT.read_bytes(), compresslevel=6)) <= 4_000


def test_the_script_needs_nothing_else_and_makes_no_html_of_data() -> None:
    text = SCRIPT.read_text()

    assert not re.search(r"^import|import\(|require\(|https?:", text, re.MULTILINE)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", text)
    assert text.count("parseFromString") == 1  # of a part of a page, fetched from this site
