"""What an action asks for before it runs: its form, as a page and as part of a dialog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flask import url_for
from markupsafe import Markup
from wtforms import RadioField
from wtforms.widgets import ListWidget

from ..language import gettext
from .csrf import hidden_fields
from .parts import render_part

Pairs = list[tuple[str, str]]
"""Names and values of hidden fields."""

BODY = "notify-dialog-body"
"""The id of the element that holds the form."""

_SECRET = ("password", "file")
_NO_BOX = ("radio", "range", "color", "file")


def render_dialog(action: Any, form: Any, hidden: Pairs, *, live: bool, back: str, wrong: Iterable[str] = ()) -> Markup:
    """Return the form of an action.

    :param action: the action's class.
    :param form: the form with its values and errors, or None for an action that has only to be started.
    :param hidden: the rows, and where to go afterwards.
    :param live: whether the page's script shows it in a dialog; else it is part of a page.
    :param back: where to go for those who change their mind.
    :param wrong: what is wrong with it as a whole.
    """
    fields = [(_kind(field), field, _attributes(field)) for field in form or ()]
    unseen = [text for kind, field, _ in fields if kind == "hidden" for text in texts_of(field.errors)]
    return render_part(
        "notify/dialog.html",
        url=url_for("notify.action", name=action.name),
        csrf=hidden_fields(),
        hidden=hidden,
        live=live,
        back=back,
        wrong=[*wrong, *unseen],
        fields=fields,
        texts_of=texts_of,
        multipart=has_files(form),
        help_text=action.help_text,
        label=action.label,
        style=style_of(action),
    )


def style_of(action: Any) -> str:
    """Return the further class of an action's button."""
    return " notify-button-danger" if action.danger else ""


def title_of(action: Any, form: Any) -> str:
    """Return what stands above an action's form."""
    return str(action.label) if form is not None else gettext("%(action)s?", action=action.label)


def has_files(form: Any) -> bool:
    """Return whether a form takes files, which a browser sends in a way of their own."""
    return any(_input_type(field) == "file" for field in form or ())


def to_ask_again(form: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield the fields, with their attributes, whose values must not or cannot stand in a page: passwords and files."""
    for field in form or ():
        if _input_type(field) in _SECRET:
            yield field, _attributes(field)


def texts_of(errors: Any) -> list[str]:
    """Return the errors of a field as a flat list; those of a form within a form are nested."""
    if isinstance(errors, Mapping):
        return [text for nested in errors.values() for text in texts_of(nested)]
    if isinstance(errors, (list, tuple)):
        return [text for nested in errors for text in texts_of(nested)]
    return [str(errors)]


def _input_type(field: Any) -> str | None:
    """Return the type of the input element that a field is, or None if it is none."""
    found = getattr(field.widget, "input_type", None)
    return None if found is None else str(found)


def _kind(field: Any) -> str:
    kinds = {"hidden": "hidden", "checkbox": "tick"}
    if isinstance(field, RadioField) or isinstance(field.widget, ListWidget):
        return "choices"
    return kinds.get(_input_type(field) or "", "box")


def _attributes(field: Any) -> dict[str, Any]:
    """Return the attributes by which those who hear the page learn what is asked and what was wrong."""
    # The page may have elements of its own with the ids that fields usually have.
    field.id = field.label.field_id = f"notify-field-{field.name}"
    notes = [f"{field.id}-hint"] if field.description else []
    attributes: dict[str, Any] = (
        {} if _kind(field) == "tick" or _input_type(field) in _NO_BOX else {"class": "notify-field"}
    )
    if field.errors:
        notes.append(f"{field.id}-error")
        attributes["aria-invalid"] = "true"
    if notes:
        attributes["aria-describedby"] = " ".join(notes)
    return attributes
