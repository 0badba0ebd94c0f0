"""What is shipped for the page: small, checked, and fit for a strict Content-Security-Policy."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import flask_notify
from tests.conftest import missing
from tests.servers import Unavailable

PACKAGE = Path(flask_notify.__file__).parent
SCRIPT = PACKAGE / "static" / "notify.js"
TEMPLATES = sorted((PACKAGE / "templates" / "notify").glob("*.html"))
ROOT = Path(__file__).parents[1]


def test_the_script_is_at_most_5_and_a_half_kilobytes_over_the_wire() -> None:
    assert len(gzip.compress(SCRIPT.read_bytes(), compresslevel=6)) <= 5500


def test_the_script_needs_nothing_else_and_makes_no_html() -> None:
    text = SCRIPT.read_text()

    assert not re.search(r"^import|import\(|require\(|https?:", text, re.MULTILINE)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", text)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_nothing_inline(template: Path) -> None:
    text = template.read_text()

    assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:|\|\s*safe", text)
    assert re.search(r"<script(?![^>]*\ssrc=)", text) is None


def test_the_types_of_the_script_are_right() -> None:
    compiler = ROOT / "node_modules" / ".bin" / "tsc"
    if shutil.which("node") is None or not compiler.exists():
        missing(Unavailable("TypeScript", "npm ci"))

    checked = subprocess.run([compiler, "-p", ROOT / "jsconfig.json"], capture_output=True, text=True, check=False)

    assert (checked.returncode, checked.stdout) == (0, "")
