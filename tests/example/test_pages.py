"""What all pages have in common, and the pages for what goes wrong."""

from __future__ import annotations

import ast
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from xml.etree import ElementTree

import pytest
from flask import Flask, abort

from examples import microblog
from examples.microblog import avatars, create_app
from examples.microblog.times import in_words
from tests.example.visitor import Visitor

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=timezone.utc)


def test_every_page_has_a_policy_that_allows_nothing_from_elsewhere(alice: Visitor) -> None:
    for path in ("/", "/explore", "/exports/", "/user/alice", "/user/alice/followers", "/nowhere"):
        policy = alice.client.get(path).headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy


def test_no_page_has_styles_or_scripts_of_its_own_or_from_elsewhere(alice: Visitor) -> None:
    alice.post("One.")
    for path in ("/", "/explore", "/exports/", "/user/alice", "/profile"):
        page = alice.open(path)
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


def test_a_page_that_is_not_there_says_so_kindly(app: Flask, alice: Visitor) -> None:
    assert "There is nothing here" in alice.open("/user/nobody", 404)
    assert "There is nothing here" in Visitor(app).open("/nowhere", 404)


def test_a_failure_of_the_site_is_admitted(app: Flask) -> None:
    app.add_url_rule("/broken", view_func=lambda: abort(500))

    assert "Something broke on our side" in Visitor(app).open("/broken", 500)


@pytest.mark.parametrize(
    "path, words",
    [
        ("/", "It is quiet here."),
        ("/explore", "Nobody has written anything yet."),
        ("/user/alice", "You have not written anything yet."),
        ("/user/alice/followers", "No followers so far."),
        ("/user/alice/following", "Nobody yet."),
        ("/exports/", "No exports yet."),
    ],
)
def test_a_page_with_nothing_on_it_says_something_kind(alice: Visitor, path: str, words: str) -> None:
    assert words in alice.open(path)


def test_visitors_without_an_account_can_look_around_but_are_not_polled_for(app: Flask, alice: Visitor) -> None:
    alice.post("Come in.")

    page = Visitor(app).open("/explore")

    assert "Come in." in page
    assert "data-notify-url" not in page


def test_a_portrait_depends_on_the_name_alone() -> None:
    assert avatars.draw("alice") == avatars.draw("alice")
    assert avatars.draw("alice") != avatars.draw("bob")


def test_a_portrait_is_a_picture_that_can_do_nothing(app: Flask) -> None:
    answer = app.test_client().get("/avatar/alice.svg")

    ElementTree.fromstring(answer.text)  # noqa: S314 - the text is our own
    assert answer.mimetype == "image/svg+xml"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"


@pytest.mark.parametrize("name", ["<script>", "ALICE", "a" * 33, "a%22b"])
def test_only_names_that_people_can_have_are_drawn(app: Flask, name: str) -> None:
    assert app.test_client().get(f"/avatar/{name}.svg").status_code == 404


@pytest.mark.parametrize(
    "ago, words",
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=8), "1 week ago"),
        (timedelta(days=34), "4 weeks ago"),
        (timedelta(days=36), "10 May 2026"),
    ],
)
def test_times_are_told_as_people_tell_them(ago: timedelta, words: str) -> None:
    assert in_words(NOW - ago, NOW) == words


def test_the_key_of_the_sessions_is_kept(app: Flask) -> None:
    assert create_app().secret_key == app.secret_key
    assert Path(app.instance_path, "secret_key").stat().st_mode & 0o077 == 0


def test_the_readme_counts_the_lines_of_the_actions_right() -> None:
    folder = Path(microblog.__file__).parent
    rows = re.findall(
        r"^``(\w+)`` +``([\w/.]+)`` +(\d+) ", (folder / "README.rst").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert {name: int(count) for name, _, count in rows} == {
        name: length(folder / path, name) for name, path, _ in rows
    }
    assert len(rows) == 5


def length(path: Path, name: str) -> int:
    """Count the lines of a class, with its decorator, and without comments and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    [found] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    for node in (found, *found.body):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            del node.body[0]
    return sum(bool(line.strip()) for line in ast.unparse(found).splitlines())


def test_adopting_the_extension_takes_at_most_15_lines() -> None:
    # What the application then has to say is its own: where, and of which type, stands in its other modules.
    folder = Path(microblog.__file__).parent
    sources = [folder / "__init__.py", folder / "extensions.py", folder / "models" / "user.py"]
    sources += folder.rglob("*.html")
    # So are the buttons of what it lets people watch and do, and what they may switch on for their desktop.
    wiring = re.compile(
        r"flask_notify|Notify\(|\(RecipientMixin|import .*\bnotify$|notify\.(init_app|static')"
        r"|\{.*notify_(?!watch|action\(|select|desktop|test_button)"
    )

    lines = [line for path in sources for line in path.read_text(encoding="utf-8").splitlines() if wiring.search(line)]

    assert 8 <= len(lines) <= 15, lines
