"""What people of the microblog are told is in the language that each has chosen."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from flask import Flask

from examples import microblog
from tests.example.visitor import Visitor

HERE = Path(microblog.__file__).parent
CATALOGUES = sorted((HERE / "translations").glob("*/LC_MESSAGES/messages.po"))


def choose(person: Visitor, language: str) -> None:
    """Let somebody choose their language."""
    answer = person.send("/preferences", locale=language, desktop="y", widget_shown="y")
    assert answer.status_code == 303, answer.text


@pytest.mark.parametrize(
    "language, told", [("de", "alice hat dich erwähnt"), ("es", "alice te ha mencionado"), ("", "alice mentioned you")]
)
def test_people_are_told_in_their_own_language(alice: Visitor, bob: Visitor, language: str, told: str) -> None:
    choose(bob, language)

    alice.post("Has @bob seen the limes?")

    [message] = bob.messages()
    assert message["subject"] == told


def test_who_causes_it_does_not_choose_the_language(alice: Visitor, bob: Visitor) -> None:
    choose(alice, "de")

    alice.post("Has @bob seen the limes?")

    assert [message["subject"] for message in bob.messages()] == ["alice mentioned you"]


def test_the_languages_are_offered_by_their_own_names(alice: Visitor) -> None:
    page = alice.open("/preferences")

    assert ">Deutsch<" in page
    assert ">Español<" in page


def _catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file) if path.suffix == ".po" else read_mo(file)


def _texts(catalogue: Catalog) -> dict[object, object]:
    return {message.id: message.string for message in catalogue if message.id}


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_a_catalogue_has_every_text_and_no_other(path: Path) -> None:
    keywords = {"gettext": None, "lazy_gettext": None}
    found = extract_from_dir(HERE, [("**.py", "python")], keywords=keywords)
    texts = _texts(_catalogue(path))

    assert set(texts) == {text for _, _, text, _, _ in found}
    assert all(texts.values())


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_a_catalogue_is_compiled(path: Path) -> None:
    assert _texts(_catalogue(path.with_suffix(".mo"))) == _texts(_catalogue(path)), "pybabel compile -d …/translations"


@pytest.fixture
def without_babel(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An interpreter without Flask-Babel, as far as the microblog can tell."""
    from examples.microblog import languages

    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "flask_babel", None)
        importlib.reload(languages)
        yield
    importlib.reload(languages)


@pytest.mark.usefixtures("without_babel")
def test_without_flask_babel_everybody_is_told_in_english(make_app: Callable[..., Flask]) -> None:
    from examples.microblog import languages

    app = make_app()
    languages.init_app(app)

    assert languages.gettext("%(who)s follows you", who="bob") == "bob follows you"
    assert languages.lazy_gettext("Mentions") == "Mentions"
