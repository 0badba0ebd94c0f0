"""The documentation is complete, and what it shows works."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import flask_notify
from flask_notify import RecipientMixin, errors
from flask_notify.cli import notify_cli
from flask_notify.setting_table import SETTINGS, Setting
from tests.apps import Site

DOCS = Path(__file__).parents[1] / "docs"
HELPERS = (
    "notify_script",
    "notify_style",
    "notify_badge",
    "notify_progress",
    "notify_text",
    "notify_inbox",
    "notify_inbox_widget",
    "notify_action",
    "action_button",
    "notify_select",
    "obj2html",
    "notify_actions_script",
    "notify_watch",
    "notify_desktop_button",
    "notify_desktop_script",
    "notify_test_button",
)


def page(name: str) -> str:
    return (DOCS / f"{name}.rst").read_text()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_documented_with_its_default(setting: Setting) -> None:
    text = page("reference/settings")

    entry = re.search(rf"^\.\. confval:: {setting.name}\n(.*?)(?=^\S|\Z)", text, re.DOTALL | re.MULTILINE)

    assert entry
    assert f":default: ``{setting.default!r}``" in entry[1]
    assert f":type: {setting.expected}" in entry[1]
    assert setting.meaning in " ".join(entry[1].split())


def test_no_setting_is_documented_that_is_none() -> None:
    documented = re.findall(r"^\.\. confval:: (\w+)", page("reference/settings"), re.MULTILINE)

    assert documented == [setting.name for setting in SETTINGS]


@pytest.mark.parametrize("name", flask_notify.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    assert re.search(rf"^\.\. (auto\w+|py:data):: flask_notify\.{name}$", page("reference/api"), re.MULTILINE)


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("name", HELPERS)
def test_every_template_helper_is_documented(site: Site, name: str) -> None:
    assert name in site.app.jinja_env.globals
    assert f".. autofunction:: {name}\n" in page("reference/templates")


@pytest.mark.databases("sqlite")
def test_there_is_no_template_helper_that_is_not_documented(site: Site) -> None:
    helpers = {name for name in site.app.jinja_env.globals if name.startswith("notify_")}

    assert helpers == {name for name in HELPERS if name.startswith("notify_")}


@pytest.mark.parametrize("command", sorted(notify_cli.commands))
def test_every_command_is_documented(command: str) -> None:
    assert f"``flask notify {command}``" in page("reference/commands")


def test_what_a_user_can_do_has_docstrings() -> None:
    members = [member for name, member in vars(RecipientMixin).items() if not name.startswith("_")]

    assert all(member.__doc__ for member in members)


def test_every_error_says_when_it_is_raised() -> None:
    raised = [error for error in vars(errors).values() if isinstance(error, type)]

    assert all(error.__doc__ for error in raised)


def test_every_page_is_reachable() -> None:
    index = page("index")
    entries = re.findall(r"^   ([\w/*-]+)$", index, re.MULTILINE)
    reachable = {path for entry in entries for path in DOCS.glob(f"{entry}.rst")}

    assert reachable == set(DOCS.rglob("*.rst")) - {DOCS / "index.rst"}


@pytest.fixture
def quickstart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """A client of the application that the quickstart shows."""
    monkeypatch.setenv("FLASK_SQLALCHEMY_DATABASE_URI", f"sqlite:///{tmp_path / 'quickstart.sqlite'}")
    monkeypatch.setenv("FLASK_WTF_CSRF_ENABLED", "false")
    names = runpy.run_path(str(DOCS / "code" / "quickstart.py"))
    yield names["app"].test_client()
    with names["app"].app_context():
        names["db"].engine.dispose()


def test_the_quickstart_works(quickstart: FlaskClient) -> None:
    quickstart.get("/")

    quickstart.post("/wave")

    items = quickstart.get("/notifications").get_json()
    assert ("waves", 1) in [(item["name"], item["data"]) for item in items]
    assert 'data-notify-badge="waves"' in quickstart.get("/").text


def test_the_quickstart_marks_the_lines_that_adopting_takes() -> None:
    lines = (DOCS / "code" / "quickstart.py").read_text().splitlines()
    marked = re.search(r":emphasize-lines: ([\d,]+)", page("quickstart"))
    assert marked
    numbers = [int(number) for number in marked[1].split(",")]

    ours = re.compile("[Nn]otify|RecipientMixin|add_notification")
    assert [number for number, line in enumerate(lines, start=1) if ours.search(line)] == numbers
    assert len(numbers) <= 15
