"""The languages in which people get their messages and mails; with Flask-Babel, and in English without it.

The pages are in English. What is sent is in the language that its recipient has chosen: it is made for each of them, by
the methods of the message types.
"""

from __future__ import annotations

from typing import Any

from flask import Flask

try:
    import flask_babel
except ImportError:
    flask_babel = None

#: English as the pages have it; ``translations/`` has the others.
DEFAULT = "en_GB"


def gettext(text: str, **values: Any) -> str:
    """Return a text in the current language, with the values put in."""
    if flask_babel is not None:
        return str(flask_babel.gettext(text, **values))
    return text % values if values else text


def lazy_gettext(text: str) -> Any:
    """Return a text that is put into the current language where it is shown."""
    return text if flask_babel is None else flask_babel.lazy_gettext(text)


def init_app(app: Flask) -> None:
    """Let there be more than one language."""
    if flask_babel is not None:
        flask_babel.Babel(app, default_locale=DEFAULT)
