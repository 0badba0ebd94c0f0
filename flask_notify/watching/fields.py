"""What of a watched model is told when it changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import Column, Date, DateTime, Time
from sqlalchemy.orm import ColumnProperty, Mapper, MapperProperty, RelationshipDirection, RelationshipProperty

from ..errors import ConfigurationError

# Whatever a model says of itself: these are told without their values.
_SECRET = re.compile(
    r"passw|passphrase|secret|token|api_?key|private_?key|(^|_)(hash|salt|otp|pin)($|_)", re.IGNORECASE
)


@dataclass(frozen=True, eq=False)
class Field:
    """One thing of a model that is told when it changes.

    :param name: what it is called in ``__watch__``, or the attribute's name.
    :param key: the attribute in which a change shows: of a many-to-one relationship its foreign key.
    :param column: the column, or None for a collection.
    :param refers_to: the model that the values are keys of, and the attribute that has these, or None.
    """

    name: str
    key: str
    column: Column[Any] | None
    label: Any
    secret: bool
    choices: Mapping[Any, Any] | None = None
    refers_to: tuple[type[Any], str] | None = None

    def same(self, old: Any, new: Any) -> bool:
        """Return whether two values are one, also where one is yet to be converted by the database."""
        if self.column is not None and self.column.type.compare_values(old, new):
            return True
        return type(old) is not type(new) and None not in (old, new) and str(old) == str(new)


_known: WeakKeyDictionary[Mapper[Any], tuple[Field, ...]] = WeakKeyDictionary()


def fields_of(mapper: Mapper[Any]) -> tuple[Field, ...]:
    """Return what is told of a model.

    :raises ConfigurationError: if ``__watch__`` or ``__watch_secret__`` name what cannot be.
    """
    if mapper not in _known:
        _known[mapper] = tuple(_fields(mapper))
    return _known[mapper]


def _fields(mapper: Mapper[Any]) -> Iterable[Field]:
    named = getattr(mapper.class_, "__watch__", None)
    secret = _names(mapper, "__watch_secret__", getattr(mapper.class_, "__watch_secret__", ()))
    if named is None:
        chosen = [prop for prop in mapper.column_attrs if _is_told_of(prop, mapper)]
        names = [prop.key for prop in chosen]
    else:
        names = _names(mapper, "__watch__", named)
    return [_field(mapper, name, name in secret) for name in names]


def _names(mapper: Mapper[Any], where: str, names: Any) -> list[str]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ConfigurationError(
            f"{mapper.class_.__name__}.{where} must be names of attributes, got {names!r}. Write {where} = ('title',)."
        )
    listed = list(names)
    unknown = [name for name in listed if not isinstance(name, str) or name not in mapper.attrs]
    if unknown:
        raise ConfigurationError(
            f"{mapper.class_.__name__}.{where} must name mapped attributes ({', '.join(mapper.attrs.keys())}), "
            f"got {', '.join(map(str, unknown))}."
        )
    return listed


def _is_told_of(prop: ColumnProperty[Any], mapper: Mapper[Any]) -> bool:
    """Return whether a change of it is worth telling when a model does not say so: all but keys and timestamps."""
    column = prop.columns[0]
    if not isinstance(column, Column) or column is mapper.version_id_col:
        return False
    if any(isinstance(one, Column) and one.primary_key for one in prop.columns):
        return False
    by_itself = (column.default, column.onupdate, column.server_default, column.server_onupdate)
    is_timestamp = isinstance(column.type, (DateTime, Date, Time)) and any(one is not None for one in by_itself)
    return not is_timestamp


def _field(mapper: Mapper[Any], name: str, secret: bool) -> Field:
    prop: MapperProperty[Any] = mapper.attrs[name]
    if isinstance(prop, RelationshipProperty):
        return _relationship(mapper, name, prop, secret)
    column = prop.columns[0] if isinstance(prop, ColumnProperty) else None
    if not isinstance(column, Column):
        raise ConfigurationError(
            f"{mapper.class_.__name__}.__watch__ must name columns and relationships, got {name!r}, which is neither. "
            "Name the columns that it is made of."
        )
    relationship = next((one for one in mapper.relationships if _foreign_key(one) is column), None)
    return _of_column(mapper, name, prop.key, column, secret, relationship)


def _relationship(mapper: Mapper[Any], name: str, prop: RelationshipProperty[Any], secret: bool) -> Field:
    column = _foreign_key(prop)
    if column is not None:
        return _of_column(mapper, name, mapper.get_property_by_column(column).key, column, secret, prop)
    if prop.viewonly or not prop.uselist or prop.lazy in ("dynamic", "write_only") or prop.direction is _MANYTOONE:
        raise ConfigurationError(
            f"{mapper.class_.__name__}.__watch__ can name relationships with a foreign key of one column, and "
            f"collections that are loaded as a whole, got {name!r}. Leave it out, or watch the objects in it."
        )
    label = prop.info.get("label") or _spoken(name)
    return Field(name, prop.key, None, label, secret or _SECRET.search(name) is not None)


_MANYTOONE = RelationshipDirection.MANYTOONE


def _foreign_key(prop: RelationshipProperty[Any]) -> Column[Any] | None:
    """Return the one column by which a many-to-one relationship refers to another model, else None."""
    if prop.direction is not _MANYTOONE or len(prop.local_remote_pairs or ()) != 1:
        return None
    local = cast(Any, prop.local_remote_pairs)[0][0]
    return local if isinstance(local, Column) and not prop.viewonly else None


def _of_column(
    mapper: Mapper[Any],
    name: str,
    key: str,
    column: Column[Any],
    secret: bool,
    relationship: RelationshipProperty[Any] | None,
) -> Field:
    refers_to = _by_relationship(relationship) if relationship is not None else _by_table(mapper, column)
    choices = column.info.get("choices") or getattr(mapper.class_, "__choices__", {}).get(name)
    spoken = name[:-3] if name.endswith("_id") and refers_to is not None else name
    return Field(
        name,
        key,
        column,
        column.info.get("label") or _spoken(spoken),
        secret or any(_SECRET.search(one) for one in (name, key, column.name)),
        None if choices is None else dict(choices),
        refers_to,
    )


def _by_relationship(prop: RelationshipProperty[Any]) -> tuple[type[Any], str]:
    remote = cast(Any, prop.local_remote_pairs)[0][1]
    target = prop.mapper
    return target.class_, target.get_property_by_column(remote).key


def _by_table(mapper: Mapper[Any], column: Column[Any]) -> tuple[type[Any], str] | None:
    """Return to which model a foreign key refers that has no relationship."""
    for foreign_key in column.foreign_keys:
        for target in mapper.registry.mappers:
            if target.inherits is None and target.local_table is foreign_key.column.table:
                return target.class_, target.get_property_by_column(foreign_key.column).key
    return None


def _spoken(name: str) -> str:
    return name.replace("_", " ").strip()
