"""What a template calls to show actions: ``notify_action()``, ``notify_select()``, ``obj2html()`` and the script."""

from __future__ import annotations

from typing import Any, cast

from flask import current_app, request, url_for
from markupsafe import Markup
from sqlalchemy import inspect

from ..actions.renderers.base import Renderer
from ..actions.renderers.buttons import Button, button_of
from ..actions.renderers.html import HtmlRenderer, use_button
from ..actions.request import ActionRequest
from ..actions.running import ActionRunner
from ..errors import ConfigurationError
from ..language import gettext
from .csrf import hidden_fields
from .dialogs import style_of
from .parts import here, render_part
from .poll import current_recipient
from .templating import _static

_REQUEST = "flask_notify.action_request"
"""The key of the environ under which a page keeps the request in whose name its buttons are shown."""


def notify_action(action: Any, row: Any = None, *, label: Any = None, quiet: bool = False) -> Markup:
    """Return a button that runs an action; one that the user may not run is disabled.

    It is a form, which works without JavaScript. Of an action that asks for something first it leads to the
    dialog. An action on selected rows has one button for all: the rows are chosen by :func:`notify_select`.

    :param action: a declared action, or its name.
    :param row: the object on which it runs; none for an action without rows, or on selected ones.
    :param label: what stands on the button, in place of the action's own label.
    :param quiet: whether the button is to stand back.
    :raises UnknownAction: if it was not declared.
    :raises ConfigurationError: if it needs a row, and got none.
    """
    ar = _asking()
    if ar.user is None:
        # Nobody is asked: what is permitted to whom is said of users.
        spawned = ar.spawn(action)
        button = Button(spawned, row, str(spawned.action.label if label is None else label), permitted=False)
        return _draw(button, quiet=quiet, refused=gettext("Log in to do this."))
    return _draw(button_of(ar, action, row, label), quiet=quiet)


def action_button(action: Any, row: Any = None, **options: Any) -> Markup:
    """Return a button that runs an action: Lino's name for :func:`notify_action`."""
    return notify_action(action, row, **options)


def notify_select(action: Any, row: Any, *, label: Any = None) -> Markup:
    """Return a box that selects a row for an action on selected rows; it belongs to the button of that action.

    :param action: a declared action with ``select = "many"``, or its name.
    :param row: an object.
    :param label: what those hear who cannot see the row.
    """
    ar = _asking()
    spawned = ar.spawn(action)
    return render_part(
        "notify/select.html",
        form=_form_id(spawned.action),
        key=key_text(row),
        permitted=ar.user is not None and _runner().may_run(spawned, row),
        label=gettext("Select %(what)s", what=ar.obj2str(row)) if label is None else label,
    )


def obj2html(obj: Any, text: str | None = None) -> Markup:
    """Return a link to an object's page, or its text where it has none.

    The page is what its method ``get_absolute_url()`` returns, or its attribute ``notify_url``.

    :param text: what the link says, in place of ``str(obj)``.
    """
    return _asking().obj2html(obj, text)


def notify_actions_script() -> Markup:
    """Return the tag of the script by which actions need no reload; nothing for a visitor who is not logged in."""
    if current_recipient() is None:
        return Markup("")
    return render_part(
        "notify/actions_script.html",
        src=_static("notify-actions.js"),
        hosts=" ".join(sorted(_runner().hosts())),
    )


def renderer() -> Renderer:
    """Return what shows rows and buttons on a page."""
    return HtmlRenderer()


def key_text(row: Any) -> str:
    """Return the key of an object as a form sends it."""
    identity = inspect(row).identity
    if identity is None:
        raise ConfigurationError(f"A button is for a row that is stored, got {row!r}. Commit it before.")
    return str(identity[0])


def _draw(button: Button, *, quiet: bool = False, refused: str | None = None) -> Markup:
    """Return the form of a button, or a disabled button."""
    action, row = button.action, button.row
    if action.select == "one" and row is None:
        raise ConfigurationError(f"The action {action.name!r} runs on a row, got none. Give it: notify_action(…, row).")
    key = "" if row is None else key_text(row)
    asks = action.form is not None
    return render_part(
        "notify/action_button.html",
        refused=None if button.permitted else refused or button.title,
        label=button.label,
        style=" notify-button-quiet" if quiet else style_of(action),
        help_text=action.help_text,
        # The boxes of the rows belong to it, wherever they are on the page.
        id=_form_id(action) if action.select == "many" and row is None else None,
        dialog=asks,
        url=url_for("notify.action", name=action.name),
        csrf=hidden_fields() if button.permitted and not asks else "",
        rows=[key] if key else [],
        here=here(),
        button=f"{action.name} {key}".strip(),
    )


def _asking() -> ActionRequest:
    """Return the request in whose name all buttons of a page are shown."""
    user = current_recipient()
    # Not in g: an application's tests often have many requests in one application context.
    present = request.environ.get(_REQUEST)
    if present is None or present.real_user is not user:
        present = request.environ[_REQUEST] = _runner().request(user=user, renderer=renderer())
    return cast(ActionRequest, present)


def _form_id(action: Any) -> str:
    return f"notify-action-{action.name}"


def _runner() -> ActionRunner:
    return cast(ActionRunner, current_app.extensions["notify"].notify.action_runner)


use_button(_draw)
