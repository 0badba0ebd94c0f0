"""The recipient's language, where the application has Flask-Babel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app, has_app_context


@contextmanager
def in_language(locale: str | None, timezone: str | None = None) -> Iterator[None]:  # noqa: ARG001
    """Render in a recipient's language; without one, or without Flask-Babel, as the application does."""
    if locale is None or not has_app_context() or "babel" not in current_app.extensions:
        yield
        return
    from flask_babel import force_locale

    with force_locale(locale):
        yield
