"""Which columns a table has: fields of a model, what is reached through them, properties and functions (row F7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from numbers import Number
from typing import Any, TypeAlias

from sqlalchemy import LargeBinary, inspect
from sqlalchemy.orm import ColumnProperty, Mapper, RelationshipDirection, RelationshipProperty

from ..errors import InvalidTable
from .values import choice_of, name_in_words

_PRIVATE = re.compile(
    r"passw|passphrase|secret|token|api_?key|private_?key|(^|_)(hash|salt|otp|pin)($|_)", re.IGNORECASE
)

ColumnSpec: TypeAlias = "str | Callable[[Any], Any] | tuple[str, Callable[[Any], Any]]"
"""A name, a function of the row, or a label and a function."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    :param name: by which it is known in JSON.
    :param label: what people read above it, already in their language.
    :param path: the attributes by which its value is reached from the row.
    :param function: what is called with the row instead.
    :param info: of the database's column: ``label`` and ``choices``.
    """

    name: str
    label: str
    path: tuple[str, ...] = ()
    function: Callable[[Any], Any] | None = None
    info: dict[Any, Any] = field(default_factory=dict)

    def is_numeric(self, values: Iterable[Any]) -> bool:
        """Whether these values of it are numbers, which are aligned at the right; of a choice the label is shown."""
        shown = [value for value in values if value is not None]
        numbers = (isinstance(value, Number) and not isinstance(value, (bool, Enum)) for value in shown)
        return bool(shown) and all(numbers) and not self.info.get("choices")

    def finish(self, value: Any) -> Any:
        """Return what is shown for a value of the last attribute: its label, if it is a choice."""
        return choice_of(self.info, value) if self.info else value


def columns_of(
    mapper: Mapper[Any] | None, names: str | Iterable[ColumnSpec] | None = None, obvious: Iterable[str] = ()
) -> list[Column]:
    """Return the columns of a table.

    :param mapper: of the model whose objects are its rows; None if they are of none.
    :param names: names with spaces between them, or :data:`ColumnSpec`. A name may lead through others:
        ``author.name``, or ``author__name``. None is all fields that are not secret, where
        a foreign key is shown as the object that it points at.
    :param obvious: fields that the defaults leave out, for they are the same in every row.
    :raises InvalidTable: for a name that is not there, or is among the model's ``__watch_secret__``.
    """
    if names is None:
        if mapper is None:
            raise InvalidTable(
                "Rows that are not objects of one model have no columns by themselves, got no column_names. Name them."
            )
        return [_column_named(mapper, name) for name in default_names(mapper, obvious)]
    specs: Sequence[ColumnSpec] = names.split() if isinstance(names, str) else list(names)
    if not specs:
        raise InvalidTable("A table must have at least one column, got empty column_names. Leave it out for all.")
    columns = [_column_named(mapper, spec) if isinstance(spec, str) else _column_calling(spec) for spec in specs]
    # In JSON each has a name of its own.
    taken: set[str] = set()
    for at, column in enumerate(columns, start=1):
        if not column.name or column.name in taken:
            columns[at - 1] = replace(column, name=f"{column.name or 'column'}_{at}")
        taken.add(columns[at - 1].name)
    return columns


def default_names(mapper: Mapper[Any], obvious: Iterable[str] = ()) -> list[str]:
    """Return the names of the fields that are shown of a model where none are named.

    Left out are what ``__watch_secret__`` names, whatever is called like a password, a hash, a token or a key to
    something, binary data, and what is loaded only when it is asked for.
    """
    owners = _owners_of_foreign_keys(mapper)
    hidden = {*obvious, *_secret(mapper)}
    found: list[str] = []
    for property_ in mapper.column_attrs:
        column = property_.columns[0]
        name = owners.get(column, property_.key)
        if _is_shown(property_) and not {name, property_.key} & {*hidden, *found}:
            found.append(name)
    return found


def is_secret(mapper: Mapper[Any], name: str) -> bool:
    """Whether a model declares that a field is never shown."""
    return name in _secret(mapper)


def _secret(mapper: Mapper[Any]) -> set[str]:
    named = getattr(mapper.class_, "__watch_secret__", None) or ()
    return {named} if isinstance(named, str) else set(named)


def _is_shown(property_: ColumnProperty[Any]) -> bool:
    column = property_.columns[0]
    names = (property_.key, getattr(column, "name", None) or "")
    is_private = any(name.startswith("_") or _PRIVATE.search(name) for name in names)
    return not (property_.deferred or is_private or isinstance(column.type, LargeBinary))


def _owners_of_foreign_keys(mapper: Mapper[Any]) -> dict[Any, str]:
    """Return the relationship that stands for each foreign key of one column."""
    owners: dict[Any, str] = {}
    for relationship in mapper.relationships:
        local = list(relationship.local_columns)
        if relationship.direction is RelationshipDirection.MANYTOONE and len(local) == 1:
            owners.setdefault(local[0], relationship.key)
    return owners


def _column_calling(spec: Any) -> Column:
    label, function = spec if isinstance(spec, tuple) and len(spec) == 2 else (None, spec)
    name = getattr(function, "__name__", "<lambda>")
    if not callable(function) or (label is None and name == "<lambda>"):
        raise InvalidTable(
            "A column must be a name, a function with a name, or a pair of a label and a function, "
            f"got {spec!r}. Write ('Label', function)."
        )
    label = str(getattr(function, "label", None) or name_in_words(name)) if label is None else str(label)
    return Column(name if name != "<lambda>" else label, label, function=function)


def _column_named(mapper: Mapper[Any] | None, name: str) -> Column:
    path = tuple(re.split(r"\.|(?<=[^_])__(?=[^_])", name))
    here, last = mapper, len(path) - 1
    for at, step in enumerate(path):
        if not step or step.startswith("_"):
            raise InvalidTable(f"A column must be named by public attributes, got {name!r}. Name another.")
        if here is None:
            continue
        _check(here, step, name)
        property_ = here.attrs.get(step)
        if at < last:
            here = property_.mapper if isinstance(property_, RelationshipProperty) else None
    described = None if here is None else here.attrs.get(path[-1])
    return _describe(name, path, described)


def _check(mapper: Mapper[Any], step: str, name: str) -> None:
    if is_secret(mapper, step):
        raise InvalidTable(
            f"{mapper.class_.__name__}.{step} is in __watch_secret__ and never shown, got it in the column {name!r}. "
            "Leave it out."
        )
    relationship = mapper.relationships.get(step)
    if relationship is not None and relationship.lazy in ("dynamic", "write_only"):
        raise InvalidTable(
            f"A column must be what an object holds, and {mapper.class_.__name__}.{step} is a query, got {name!r}. "
            "Write a function of the row that says what of it is shown."
        )
    if step not in mapper.all_orm_descriptors and not hasattr(mapper.class_, step):
        known = ", ".join(sorted(default_names(mapper)))
        raise InvalidTable(
            f"A column must be an attribute of {mapper.class_.__name__}, got {name!r}. It has {known}, for example."
        )


def _describe(name: str, path: tuple[str, ...], property_: Any) -> Column:
    info: dict[Any, Any] = {}
    if isinstance(property_, ColumnProperty):
        column = property_.columns[0]
        info = {**getattr(column, "info", {}), **property_.info}
        choices = getattr(property_.parent.class_, "__choices__", {}).get(path[-1])
        info |= {} if choices is None else {"choices": choices}
    elif isinstance(property_, RelationshipProperty):
        info = {**_info_of_foreign_key(property_), **property_.info}
    label = str(info["label"]) if info.get("label") else name_in_words(path[-1])
    return Column(name, label, path, info=info)


def _info_of_foreign_key(relationship: RelationshipProperty[Any]) -> dict[Any, Any]:
    """Return the label of the foreign key that a relationship stands for."""
    local = list(relationship.local_columns)
    label = local[0].info.get("label") if len(local) == 1 and local[0].foreign_keys else None
    return {"label": label} if label else {}


def mapper_of(model: Any) -> Mapper[Any] | None:
    """Return the mapper of a model; None for what is no model."""
    found = inspect(model, raiseerr=False) if isinstance(model, type) else None
    return found if isinstance(found, Mapper) else None
