"""The recipient's language and clock, where the application has Flask-Babel; plain English where it has none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import current_app, g

DOMAIN = "flask_notify"
"""The gettext domain of the extension's own texts; an application's directories may hold it, too."""

_TRANSLATIONS = str(Path(__file__).parent / "translations")


@contextmanager
def in_language(locale: str | None, timezone: str | None = None) -> Iterator[None]:
    """Render in a recipient's language and time zone, whoever makes the request, or outside of any.

    :param locale: as in "de" or "pt_BR"; None, and one that nobody knows, is the application's default.
    :param timezone: an IANA name; likewise.
    """
    babel = _babel()
    if babel is None:
        yield
        return
    # The application's own choice looks at the request: at whoever caused the message, or at nobody.
    with babel.force_locale(_known_locale(locale)), _forced_timezone(babel, timezone):
        yield


def current_language_key() -> str:
    """Return by what a text is found again that was rendered in the current language and time zone."""
    babel = _babel()
    return "" if babel is None else f"{babel.get_locale()} {babel.get_timezone()}"


def language_matters() -> bool:
    """Return whether there is more than one language to render in."""
    return _babel() is not None


def translators() -> tuple[Callable[..., str], Callable[..., str]]:
    """Return :func:`gettext` and :func:`ngettext`, for many texts in one application."""
    return (_plain, _plain_number) if _babel() is None else (gettext, ngettext)


def gettext(text: str, **values: Any) -> str:
    """Return one of the extension's own texts in the current language."""
    domain = _domain()
    return _plain(text, **values) if domain is None else str(domain.gettext(text, **values))


def translated(text: str) -> str:
    """Return one of the application's texts in the current language, with nothing put into it."""
    babel = _babel()
    return text if babel is None else str(babel.gettext(text))


def ngettext(one: str, many: str, num: int, **values: Any) -> str:
    """Return one of two texts, as the number demands in the current language; it is their value ``num``."""
    domain = _domain()
    if domain is None:
        return _plain_number(one, many, num, **values)
    return str(domain.ngettext(one, many, num, **values))


def say_when(moment: datetime) -> str:
    """Return a local time as people write it, in the current language."""
    babel = _babel()
    if babel is not None:
        return str(babel.format_datetime(moment, "medium", rebase=False))
    return f"{moment.day} {moment:%B %Y, %H:%M}"


def say_moment(moment: datetime) -> str:
    """Return a moment as people write it, by the current clock; one without a zone is taken as it is."""
    babel = _babel()
    if moment.tzinfo is None:
        return say_when(moment)
    if babel is not None:
        return say_when(moment.astimezone(babel.get_timezone()))
    return f"{say_when(moment.astimezone(timezone.utc))} UTC"


def say_date(day: date) -> str:
    """Return a day as people write it, in the current language."""
    babel = _babel()
    if babel is not None:
        return str(babel.format_date(day, "medium", rebase=False))
    return f"{day.day} {day:%B %Y}"


def current_language() -> str:
    """Return the language's code as HTML has it: "pt-BR"."""
    babel = _babel()
    found = None if babel is None else babel.get_locale()
    return "en" if found is None else str(found).replace("_", "-")


def text_direction() -> str:
    """Return in which direction the current language is written: "ltr" or "rtl"."""
    babel = _babel()
    found = None if babel is None else babel.get_locale()
    return "ltr" if found is None else str(found.text_direction)


def languages() -> list[tuple[str, str]]:
    """Return the languages that the application is translated to: the code of each, and its own name for itself."""
    babel = _babel()
    if babel is None:
        return []
    found = {str(locale): locale for locale in _instance().list_translations()}
    return [(code, (locale.display_name or code).capitalize()) for code, locale in sorted(found.items())]


def _plain(text: str, **values: Any) -> str:
    return text % values if values else text


def _plain_number(one: str, many: str, num: int, **values: Any) -> str:
    return (one if num == 1 else many) % {"num": num, **values}


def _known_locale(locale: str | None) -> str:
    found = None if not locale else _parse_locale(locale)
    return str(_instance().default_locale) if found is None else found


@lru_cache(maxsize=1024)
def _parse_locale(locale: str) -> str | None:
    from babel import Locale, UnknownLocaleError

    try:
        return str(Locale.parse(locale.replace("-", "_")))
    except (ValueError, UnknownLocaleError):
        return None


@contextmanager
def _forced_timezone(babel: Any, name: str | None) -> Iterator[None]:
    """Set what Flask-Babel keeps of the time zone; it has a function of its own for the language only."""
    import pytz

    babel.get_locale()  # makes the namespace
    kept = g._flask_babel
    before = getattr(kept, "babel_tzinfo", None)
    try:
        kept.babel_tzinfo = pytz.timezone(name) if name else _instance().default_timezone
    except pytz.UnknownTimeZoneError:
        kept.babel_tzinfo = _instance().default_timezone
    try:
        yield
    finally:
        kept.babel_tzinfo = before


def _babel() -> Any:
    """Return the module of Flask-Babel, where the application uses it."""
    try:
        extensions = current_app.extensions
    except RuntimeError:  # outside of any application
        return None
    if "babel" not in extensions:
        return None
    import flask_babel

    return flask_babel


def _instance() -> Any:
    return current_app.extensions["babel"].instance


def _domain() -> Any:
    if _babel() is None:
        return None
    # The application's come last, and so win.
    return _make_domain((_TRANSLATIONS, *current_app.extensions["babel"].translation_directories))


@lru_cache(maxsize=64)
def _make_domain(directories: tuple[str, ...]) -> Any:
    from flask_babel import Domain

    return Domain(list(directories), DOMAIN)
