"""Parts of a page, and what each of them needs."""

from __future__ import annotations

from typing import Any

from flask import current_app, request, url_for
from markupsafe import Markup

from ..language import current_language, gettext, text_direction
from .access import alias_of
from .poll import current_recipient
from .templating import _static


def render_part(template: str, **context: Any) -> Markup:
    """Render a part of a page, without running the application's context processors once more."""
    rendered = current_app.jinja_env.get_template(template).render(context | {"url_for": url_for, "_": gettext})
    return Markup(rendered.strip())  # noqa: S704  # by a template that escapes


def inbox_script() -> Markup:
    """Return the tag of the script by which the inbox needs no reload; a page may have it more than once."""
    user = current_recipient()
    return Markup('<script type="module" src="{}" data-notify-csrf="{}" data-notify-of="{}"></script>').format(
        _static("notify-inbox.js"), url_for("notify.csrf"), "" if user is None else alias_of(user)
    )


def frame() -> dict[str, Any]:
    """Return what every page of the extension's own needs."""
    return {"_": gettext, "language": current_language(), "direction": text_direction()}


def here() -> str:
    """Return the path of the page that is shown, for a form that is to lead back to it."""
    return f"{request.script_root}{request.full_path.rstrip('?')}"
