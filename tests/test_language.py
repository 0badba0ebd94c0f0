"""A recipient reads in their own language, by their own clock, whoever makes the request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import flask_babel
import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from flask import request

from flask_notify.language import (
    DOMAIN,
    current_language,
    gettext,
    in_language,
    languages,
    ngettext,
    say_when,
    text_direction,
)
from tests.apps import Site

pytestmark = pytest.mark.databases("sqlite")

MOMENT = datetime(2026, 11, 21, 13, 5, tzinfo=timezone.utc)
GERMAN: dict[Any, Any] = {
    "This is no longer available.": "Das gibt es nicht mehr.",
    ("and %(num)d more", "and %(num)d more"): ("und %(num)d weitere", "und %(num)d weitere"),
}


def translate(directory: Path, domain: str, texts: dict[Any, Any], locale: str = "de") -> None:
    """Write a compiled catalogue."""
    catalog = Catalog(locale=locale)
    for text, translation in texts.items():
        catalog.add(text, translation)
    path = directory / locale / "LC_MESSAGES" / f"{domain}.mo"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_mo(file, catalog)


@pytest.fixture
def translated(build: Callable[..., Site], tmp_path: Path) -> Iterator[Site]:
    """An application in English that speaks German, and whose own choice needs a request."""
    translate(tmp_path, "messages", {"Hello": "Hallo"})
    translate(tmp_path, DOMAIN, GERMAN)
    site = build(BABEL_TRANSLATION_DIRECTORIES=str(tmp_path))
    flask_babel.Babel(
        site.app,
        locale_selector=lambda: request.accept_languages.best_match(["en", "de"]),
        timezone_selector=lambda: request.headers.get("X-Timezone"),
    )
    with site.app.app_context():
        yield site


@pytest.mark.usefixtures("translated")
def test_texts_are_in_the_recipients_language() -> None:
    with in_language("de"):
        assert flask_babel.gettext("Hello") == "Hallo"
        assert gettext("This is no longer available.") == "Das gibt es nicht mehr."
        assert ngettext("and %(num)d more", "and %(num)d more", 3) == "und 3 weitere"


@pytest.mark.usefixtures("translated")
def test_what_nobody_has_translated_stays_english() -> None:
    with in_language("fr"):
        assert gettext("This is no longer available.") == "This is no longer available."
        assert ngettext("and %(num)d more", "and %(num)d more", 3) == "and 3 more"


@pytest.mark.usefixtures("translated")
@pytest.mark.parametrize("locale", [None, "", "klingon", "../../etc", "x" * 35])
def test_without_a_known_language_it_is_the_applications(locale: str | None) -> None:
    with in_language(locale):
        assert current_language() == "en"
        assert flask_babel.gettext("Hello") == "Hello"


def test_whoever_causes_a_message_does_not_choose_its_language_or_clock(translated: Site) -> None:
    headers = {"Accept-Language": "de", "X-Timezone": "Asia/Tokyo"}
    with translated.app.test_request_context(headers=headers):
        assert current_language() == "de"
        with in_language(None, None):
            assert current_language() == "en"
            assert flask_babel.format_datetime(MOMENT, "HH:mm") == "13:05"
        with in_language("de", "Europe/Berlin"):
            assert flask_babel.format_datetime(MOMENT, "HH:mm") == "14:05"
        assert current_language() == "de"
        assert flask_babel.format_datetime(MOMENT, "HH:mm") == "22:05"


@pytest.mark.usefixtures("translated")
def test_an_unknown_time_zone_is_the_applications() -> None:
    with in_language("de", "Mars/Phobos"):
        assert flask_babel.format_datetime(MOMENT, "HH:mm") == "13:05"


@pytest.mark.usefixtures("translated")
def test_one_language_within_another_is_left_again() -> None:
    with in_language("de"):
        with in_language("fr"):
            assert current_language() == "fr"
        assert current_language() == "de"
        assert flask_babel.gettext("Hello") == "Hallo"


@pytest.mark.usefixtures("translated")
def test_times_and_the_direction_of_writing_follow_the_language() -> None:
    local = MOMENT.astimezone(ZoneInfo("Europe/Berlin"))
    with in_language("de"):
        assert say_when(local) == "21.11.2026, 14:05:00"
    with in_language("ar"):
        assert text_direction() == "rtl"
    with in_language("pt_BR"):
        assert current_language() == "pt-BR"
        assert text_direction() == "ltr"


@pytest.mark.usefixtures("translated")
def test_the_languages_to_choose_from_are_those_that_the_application_has() -> None:
    with in_language("en"):
        assert languages() == [("de", "Deutsch"), ("en", "English")]


def test_without_flask_babel_all_is_plain_english(site: Site) -> None:
    with site.app.app_context(), in_language("de", "Europe/Berlin"):
        assert gettext("%(who)s waves", who="Ann") == "Ann waves"
        assert gettext("100%") == "100%"
        assert [ngettext("%(num)d thing", "%(num)d things", num) for num in (0, 1, 2)] == [
            "0 things",
            "1 thing",
            "2 things",
        ]
        assert say_when(MOMENT) == "21 November 2026, 13:05"
        assert (current_language(), text_direction(), languages()) == ("en", "ltr", [])
