"""What has become of an object in one transaction: its flushes folded into one change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, TypeAlias

from sqlalchemy import ClauseElement, inspect, select
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.orm.state import InstanceState

from .fields import Field, fields_of

_BATCH = 1_000

Kind: TypeAlias = Literal["created", "modified", "deleted"]


class Unknown(Enum):
    """Stands for the old value of what was changed in place, and is known by nobody any more."""

    UNKNOWN = "unknown"


@dataclass(frozen=True)
class FieldChange:
    """What has become of one field.

    :param name: the field's name.
    :param label: what people call it.
    :param old: its value before the transaction; of a collection, what was taken out. None for a secret.
    :param new: its value now; of a collection, what was put in. None for a secret.
    :param text_old: what people read for the old value; empty where values are not told.
    :param text_new: likewise, for the new one.
    :param summary: what is told of it: "old → new", how many lines have changed, or that it has.
    """

    name: str
    label: str
    old: Any
    new: Any
    text_old: str
    text_new: str
    summary: str

    def __str__(self) -> str:
        """Return the line that tells of it."""
        return self.summary


@dataclass(frozen=True)
class Change:
    """What has become of a watched object in one transaction.

    :param kind: ``created``, ``modified`` or ``deleted``.
    :param object: the instance.
    :param label: what people call it; of one that was deleted, as it was.
    :param fields: what has changed of one that was modified, in the order of ``__watch__``; else empty.
    """

    kind: Kind
    object: Any
    label: str
    fields: tuple[FieldChange, ...] = ()


@dataclass(eq=False)
class Noticed:
    """What one flush has done to one object.

    :param doer: who has done it, or None.
    :param label: of an object that is deleted: what people call it.
    :param values: the old and the new value of what has changed, by the field's name; of
        collections what was taken out and what was put in.
    :param seen_by: of an object that is deleted: which of its watchers might see it, by their keys.
    """

    kind: Kind
    object: Any
    doer: Any
    label: str = ""
    values: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    seen_by: dict[Any, bool] = field(default_factory=dict)

    @property
    def mapper(self) -> Mapper[Any]:
        """The object's mapper."""
        state: InstanceState[Any] = inspect(self.object)
        return state.mapper

    @property
    def fields(self) -> dict[str, Field]:
        """The fields of its model by their names."""
        return {one.name: one for one in fields_of(self.mapper)}

    @property
    def keys(self) -> list[str]:
        """The attributes in which its values are, in their order."""
        fields = self.fields
        return [fields[name].key for name in self.values]


def fold(session: Session, records: Iterable[Noticed]) -> list[Noticed]:
    """Return what has become of each object: first old and present values, and nothing of what was undone."""
    by_object: dict[int, list[Noticed]] = {}
    for record in records:
        by_object.setdefault(id(record.object), []).append(record)
    folded = [one for one in map(_fold_one, by_object.values()) if one is not None]
    _look_at_present(session, folded)
    return [one for one in folded if one.kind != "modified" or _is_left(one)]


def _fold_one(records: list[Noticed]) -> Noticed | None:
    first, last = records[0], records[-1]
    if last.kind == "deleted":
        return None if first.kind == "created" else last
    if first.kind == "created":
        return Noticed("created", first.object, last.doer)
    values: dict[str, tuple[Any, Any]] = {}
    fields = first.fields
    for record in records:
        for name, (old, new) in record.values.items():
            if fields[name].column is None:
                values[name] = _both(values.get(name, ((), ())), (old, new))
            else:
                values[name] = (values[name][0] if name in values else old, new)
    return Noticed("modified", first.object, last.doer, values=values)


def _look_at_present(session: Session, changes: Iterable[Noticed]) -> None:
    """Replace the new values by what is there: an expression was worked out by the database."""
    stale: dict[Mapper[Any], list[Noticed]] = {}
    for change in changes:
        if not change.values:
            continue
        state: InstanceState[Any] = inspect(change.object)
        if state.session is session and any(key not in state.dict for key in change.keys):
            stale.setdefault(change.mapper, []).append(change)
    for mapper, expired in stale.items():
        _read(session, mapper, [inspect(change.object).identity[0] for change in expired])
    for change in changes:
        state = inspect(change.object)
        for name, key in zip(list(change.values), change.keys, strict=True):
            if change.fields[name].column is not None:
                old, new = change.values[name]
                present = getattr(change.object, key) if state.session is session else state.dict.get(key, new)
                change.values[name] = (old, Unknown.UNKNOWN if isinstance(present, ClauseElement) else present)


def _read(session: Session, mapper: Mapper[Any], keys: list[Any]) -> None:
    """Read objects anew that were expired, many by one statement."""
    for start in range(0, len(keys), _BATCH):
        wanted = mapper.primary_key[0].in_(keys[start : start + _BATCH])
        session.scalars(select(mapper.class_).where(wanted).execution_options(populate_existing=True)).all()


def _is_left(change: Noticed) -> bool:
    """Return whether anything is other than before, once what is not has been taken out."""
    for name, (old, new) in list(change.values.items()):
        if change.fields[name].column is None:
            undone = not old and not new
        else:
            undone = Unknown.UNKNOWN not in (old, new) and change.fields[name].same(old, new)
        if undone:
            del change.values[name]
    return bool(change.values)


_Moved: TypeAlias = "tuple[tuple[Any, ...], tuple[Any, ...]]"


def _both(before: _Moved, after: _Moved) -> _Moved:
    """Return what was taken out of a collection and put into it, by two flushes one after the other."""
    out, into = list(before[0]), list(before[1])
    for one in after[0]:
        _move(one, into, out)
    for one in after[1]:
        _move(one, out, into)
    return tuple(out), tuple(into)


def _move(one: Any, undone: list[Any], done: list[Any]) -> None:
    where = next((index for index, other in enumerate(undone) if other is one), None)
    if where is None:
        done.append(one)
    else:
        del undone[where]
