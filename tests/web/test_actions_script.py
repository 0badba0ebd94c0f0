"""The script of actions is small, stands by itself, and makes HTML only of what the server has rendered."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import flask_notify

SCRIPT = Path(flask_notify.__file__).parent / "static" / "notify-actions.js"


def test_the_script_is_at_most_4_kilobytes_over_the_wire() -> None:
    assert len(gzip.compress(SCRIPT.read_bytes(), compresslevel=6)) <= 4_000


def test_the_script_needs_nothing_else_and_runs_nothing_that_it_is_told() -> None:
    text = SCRIPT.read_text()

    assert not re.search(r"^import|import\(|require\(|https?:", text, re.MULTILINE)
    assert not re.search(r"outerHTML|insertAdjacent|document\.write|eval\(|Function\(|setTimeout\([\"'`]", text)


def test_the_script_makes_html_of_parts_that_the_server_has_rendered_alone() -> None:
    text = SCRIPT.read_text()

    assert text.count("innerHTML") == 1  # of a template, in which no script runs
    assert text.count("parse(markup)") == 2  # what it is called with is a value of the key html
    assert text.count("parseFromString") == 1  # of this very page, fetched anew
