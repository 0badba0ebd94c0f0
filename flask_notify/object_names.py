"""What people call objects and values."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm.exc import DetachedInstanceError, ObjectDeletedError

_NEW_WORD = re.compile(r"[_.]+|(?<=[a-z0-9])(?=[A-Z])")
_NAMES = ("display_name", "username", "name", "title")


def label_of(instance: Any) -> str:
    """Return what an object is called, in one line.

    It is what ``str()`` makes of it, where its class says so. Else what it has as ``display_name``,
    ``username``, ``name`` or ``title``, and at last its model and key: "Post 3". A user is called as in
    messages, by one of these: what ``str()`` makes of a user may not be meant for others.
    """
    if instance is None:
        return ""
    try:
        return " ".join(_name(instance).split()) or _by_key(instance)
    except (AttributeError, DetachedInstanceError, ObjectDeletedError):
        # It is gone, or something is that it asks for its name.
        return _by_key(instance)


def enum_label(value: Enum) -> str:
    """Return what people call a value of an enum: its ``label``, else its name in words."""
    label = getattr(value, "label", None)
    return words_of(value.name) if label is None or callable(label) else str(label)


def words_of(name: str) -> str:
    """Return a name from the code as people write it: "BlogPost" is "Blog post"."""
    return _NEW_WORD.sub(" ", name).strip().lower().capitalize()


def _name(instance: Any) -> str:
    kind: Any = type(instance)
    # What RecipientMixin, which is built upon this, gives to the user model.
    is_user = hasattr(kind, "__notify_overrides__")
    if kind.__str__ is not object.__str__ and not is_user:
        return str(instance)
    for attribute in _NAMES:
        name = getattr(instance, attribute, None)
        if isinstance(name, str) and name:
            return name
    return _by_key(instance)


def _by_key(instance: Any) -> str:
    state = inspect(instance)
    key = "" if not state.identity else f" {state.identity[0]}"
    return f"{state.mapper.class_.__name__}{key}"
