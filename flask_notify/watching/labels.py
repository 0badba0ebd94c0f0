"""What the objects are called to which changed foreign keys refer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import DetachedInstanceError, ObjectDeletedError

from ..language import gettext
from ..messages.message_types import name_of
from ..object_names import label_of
from .changes import Noticed, Unknown

_BATCH = 1_000


def doer_of(user: Any) -> str:
    """Return what whoever has done something is called, also one of whom nothing can be read any more."""
    try:
        return name_of(user)
    except (DetachedInstanceError, ObjectDeletedError):
        return gettext("somebody")


class Referred:
    """The objects to which changed foreign keys refer, and did before: read in one statement per model and batch."""

    def __init__(self, session: Session, changes: Iterable[Noticed]) -> None:
        wanted: dict[tuple[type[Any], str], set[Any]] = {}
        for change in changes:
            fields = change.fields
            for name, values in change.values.items():
                refers_to = fields[name].refers_to
                if refers_to is not None and not fields[name].secret:
                    wanted.setdefault(refers_to, set()).update(values)
        self._found: dict[tuple[type[Any], str], dict[Any, Any]] = {}
        for (model, key), keys in wanted.items():
            self._found[model, key] = _load(session, model, key, list(keys - {None, Unknown.UNKNOWN}))

    def label(self, refers_to: tuple[type[Any], str], value: Any) -> str | None:
        """Return what the object is called that has this key, or None if it is gone."""
        found = self._found.get(refers_to, {}).get(value)
        return None if found is None else label_of(found)


def _load(session: Session, model: type[Any], key: str, values: list[Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for start in range(0, len(values), _BATCH):
        wanted = select(model).where(getattr(model, key).in_(values[start : start + _BATCH]))
        found.update((getattr(one, key), one) for one in session.scalars(wanted))
    return found
