"""What a template calls: ``notify_script()``, ``notify_badge()`` and the other bound elements.

All that one page shows is read once, at one cursor, from which its script then polls.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeGuard, cast

from flask import current_app, request, url_for
from markupsafe import Markup

from ..config import Settings
from ..live.notifications import UNREAD_COUNT
from ..live.polling import Answer
from .poll import current_recipient, read_answer, recipient_key

_PAGE = "flask_notify.page"
"""The key of the environ under which the state is kept for the other elements of a page."""


def notify_script(since: float | None = None) -> Markup:
    """Return the tag of the bundled script; nothing for a visitor who is not logged in.

    :param since: Unix seconds to poll from. The default is the cursor at which this page was
        rendered; 0 dispatches every present value as an event when the page has loaded.
    """
    user = current_recipient()
    if user is None:
        return Markup("")
    state = current_app.extensions["notify"]
    return _render(
        "notify/script.html",
        src=_static("notify.js"),
        url=url_for("notify.poll"),
        since=repr(float(_page().cursor if since is None else since)),
        user=state.signer.alias(str(recipient_key(user))),
        interval=f"{cast(Settings, state.settings).poll_interval:g}",
        stream=_stream(state.settings),
    )


def notify_style() -> Markup:
    """Return the link to the bundled style sheet, for an application that has no own rules."""
    return Markup('<link rel="stylesheet" href="{}">').format(_static("notify.css"))


def notify_badge(name: str = UNREAD_COUNT, id: str | None = None, label: str | None = None) -> Markup:
    """Return a badge with the number that a notification holds, hidden while it is 0.

    :param name: of the notification; the default is the count of unseen messages.
    :param id: of the element, for an application whose own script looks for one.
    :param label: what is counted, for those who hear the page ("new followers").
    """
    shown = _shown(name)
    count = max(0, int(shown.data)) if _is_number(shown.data) else 0
    text = "99+" if count > 99 else str(count)
    return _render_shown("notify/badge.html", shown, count=count, text=text, id=id, label=label)


def notify_progress(name: str, label: str | None = None) -> Markup:
    """Return a progress bar bound to a notification, hidden while there is none.

    :param name: of a notification that holds a percentage, or ``{"progress": percentage}``. Any
        other value is work of which nobody knows how far it is.
    :param label: what is in progress.
    """
    shown = _shown(name)
    data = shown.data.get("progress") if isinstance(shown.data, dict) else shown.data
    value = float(min(100, max(0, data))) if _is_number(data) else None
    return _render_shown("notify/progress.html", shown, value=value, label=label)


def notify_text(name: str, default: str = "") -> Markup:
    """Return an element with the text that a notification holds.

    :param default: what stands there while there is none.
    """
    shown = _shown(name)
    data = default if shown.data is None else shown.data
    # As the script will write it.
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return _render_shown("notify/text.html", shown, text=text, default=default)


def _stream(settings: Settings) -> dict[str, str] | None:
    """Return what the script is told of the doorbell, where there is one."""
    if settings.stream_url is None:
        return None
    return {
        "url": settings.stream_url,
        "interval": f"{settings.stream_poll_interval:g}",
        "src": _static("notify-stream.js"),
    }


def _static(filename: str) -> str:
    from .. import __version__

    # With the version, so that a browser does not keep the file of an older one.
    return url_for("notify.static", filename=filename, v=__version__)


@dataclass(frozen=True)
class _Shown:
    """What the page shows for a name: its data, and the seconds until that is gone."""

    name: str
    present: bool = False
    data: Any = None
    expires_in: float | None = None


def _shown(name: str) -> _Shown:
    for item in _page().items:
        if item.name == name:
            return _Shown(name, True, json.loads(item.data), item.expires_in)
    return _Shown(name)


def _render_shown(template: str, shown: _Shown, **context: Any) -> Markup:
    return _render(template, name=shown.name, present=shown.present, expires_in=shown.expires_in, **context)


def _render(template: str, **context: Any) -> Markup:
    # Not by render_template(): it would run the application's context processors once more for
    # each element, and with them whatever they read from the database.
    return Markup(current_app.jinja_env.get_template(template).render(context).strip())


def _page() -> Answer:
    """Return the recipient's whole state, read once for a page."""
    user = current_recipient()
    if user is None:
        return Answer([], 0.0)
    # Not in g: an application's tests often have many requests in one application context.
    key, present = recipient_key(user), request.environ.get(_PAGE)
    if present is None or present[0] != key:
        present = request.environ[_PAGE] = (key, read_answer(user, since=0.0))
    return cast(Answer, present[1])


def _is_number(data: Any) -> TypeGuard[float]:
    return isinstance(data, (int, float)) and not isinstance(data, bool)
