"""What people read of a change, in the language that is current: "title: Draft → Final"."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, time
from difflib import SequenceMatcher
from enum import Enum
from typing import Any

from ..language import gettext, ngettext, say_date, say_moment
from ..object_names import enum_label, label_of
from .changes import Change, FieldChange, Noticed, Unknown
from .fields import Field
from .labels import Referred

LONG = 80
"""Characters from which on a text is told by the lines that have changed."""

_MOST_LINES = 5_000
_MOST_NAMED = 10
_NOTHING = "—"


def describe(change: Noticed, referred: Referred) -> Change:
    """Return what is told of a change, with texts in the current language."""
    label = change.label or label_of(change.object)
    fields = change.fields
    told = (_describe(fields[name], *change.values[name], referred) for name in fields if name in change.values)
    return Change(change.kind, change.object, label, tuple(told))


def _describe(field: Field, old: Any, new: Any, referred: Referred) -> FieldChange:
    label = str(field.label)
    changed = gettext("%(field)s changed", field=label)
    if field.secret:
        # Neither value nor length: a hook cannot tell what it is not given.
        return FieldChange(field.name, label, None, None, "", "", changed)
    if field.column is None:
        out, into = _listed(old), _listed(new)
        return FieldChange(field.name, label, old, new, out, into, f"{label}: {_moved(out, into)}")
    if Unknown.UNKNOWN in (old, new):
        known = None if new is Unknown.UNKNOWN else new
        return FieldChange(field.name, label, None, known, "", "", changed)
    if _is_long(old) or _is_long(new):
        lines = _count_lines(old or "", new or "")
        return FieldChange(field.name, label, old, new, "", "", f"{label}: {lines}" if lines else changed)
    before, after = _say(field, old, referred), _say(field, new, referred)
    if before is None or after is None:
        return FieldChange(field.name, label, old, new, "", "", changed)
    return FieldChange(field.name, label, old, new, before, after, f"{label}: {before} → {after}")


def _say(field: Field, value: Any, referred: Referred) -> str | None:
    """Return a value as people read it, or None for one that is not told."""
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, (bytes, bytearray, memoryview)):
        return None
    if field.refers_to is not None:
        return shorten(referred.label(field.refers_to, value) or str(value))
    if field.choices is not None and _is_one_of(field.choices, value):
        return shorten(str(field.choices[value]))
    return shorten(_as_text(value))


def _as_text(value: Any) -> str:
    for kind, say in _SAID.items():
        if isinstance(value, kind):
            return say(value)
    return str(value)


def _say_json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        return str(value)


# In this order: a moment is a date, too.
_SAID: dict[Any, Callable[[Any], str]] = {
    Enum: enum_label,
    bool: lambda value: gettext("yes") if value else gettext("no"),
    datetime: say_moment,
    date: say_date,
    time: lambda value: value.isoformat(timespec="minutes"),
    (dict, list, tuple): _say_json,
}


def _is_one_of(choices: Any, value: Any) -> bool:
    try:
        return value in choices
    except TypeError:  # it cannot be hashed, and so is none
        return False


def shorten(text: str) -> str:
    """Return a text in one line of sensible length."""
    line = " ".join(text.split())
    return line if len(line) <= LONG else line[: LONG - 1] + "…"


def _listed(objects: tuple[Any, ...]) -> str:
    """Return what objects are called, one after the other."""
    names = [shorten(label_of(one)) for one in objects[:_MOST_NAMED]]
    return ", ".join([*names, "…"] if len(objects) > _MOST_NAMED else names)


def _moved(out: str, into: str) -> str:
    """Return what was put into a collection and taken out of it."""
    added, removed = gettext("added %(names)s", names=into), gettext("removed %(names)s", names=out)
    return "; ".join(text for text, names in ((added, into), (removed, out)) if names)


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and (len(value) > LONG or "\n" in value or "\r" in value)


def _count_lines(old: str, new: str) -> str:
    """Return how many lines have changed; empty where that does not tell anything."""
    before, after = str(old).splitlines(), str(new).splitlines()
    if len(before) + len(after) > _MOST_LINES:
        return ""
    changed = added = removed = 0
    for kind, start, end, new_start, new_end in SequenceMatcher(None, before, after).get_opcodes():
        if kind == "equal":
            continue
        left, came = end - start, new_end - new_start
        changed += min(left, came)
        removed += max(left - came, 0)
        added += max(came - left, 0)
    return ", ".join(_say_lines(changed, added, removed))


def _say_lines(changed: int, added: int, removed: int) -> list[str]:
    texts = []
    if changed:
        texts.append(ngettext("%(num)d line changed", "%(num)d lines changed", changed))
    if added and texts:
        texts.append(ngettext("%(num)d added", "%(num)d added", added))
    elif added:
        texts.append(ngettext("%(num)d line added", "%(num)d lines added", added))
    if removed and texts:
        texts.append(ngettext("%(num)d removed", "%(num)d removed", removed))
    elif removed:
        texts.append(ngettext("%(num)d line removed", "%(num)d lines removed", removed))
    return texts
