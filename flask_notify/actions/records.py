"""One object for a client: its fields, its neighbours, and whether it may be deleted; and new ones (row F7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, func, inspect, select
from sqlalchemy.orm import Mapper

from ..errors import InvalidTable, RowNotFound
from ..object_names import label_of
from ..visibility import is_limited
from .columns import columns_of, mapper_of
from .sight import Sight
from .tables import known_by, load, session_of_application, visible_of
from .values import as_json, is_object, key_of

_NOBODY: dict[str, Any] = {"first": None, "prev": None, "next": None, "last": None, "recno": 0, "count": 0}


def data_record(ar: Any, instance: Any, *, navinfo: bool | Select[Any] = False) -> dict[str, Any]:
    """Return an object as ``id``, ``title``, ``data``, ``navinfo`` and ``disable_delete``.

    The fields are those that a table shows by default. An object that the user may not see is None among them.

    :param ar: the request, whose user looks.
    :param navinfo: whether to tell of the neighbours of the object among all of its model by their keys, or among
        the rows of a ``select()`` in its order. It costs a statement that reads all keys; ``navinfo`` is None without.
    :raises InvalidTable: for what is no object of a model.
    :raises RowNotFound: if the user may not see it.
    """
    if not is_object(instance):
        raise InvalidTable(f"A data_record is of an object of a model, got {instance!r}.")
    sight = Sight(ar.user)
    if not sight.sees(instance):
        raise RowNotFound(f"A data_record is of an object that the user may see, got {type(instance).__name__}.")
    mapper = inspect(instance).mapper
    columns = columns_of(mapper)
    load([instance], [column.path for column in columns])
    values = visible_of(sight, [getattr(instance, column.path[0]) for column in columns])
    disable_delete = getattr(instance, "disable_delete", None)
    refused = disable_delete(ar) if callable(disable_delete) else None
    return {
        "id": as_json(key_of(instance)),
        "title": label_of(instance),
        "data": {column.name: as_json(value) for column, value in zip(columns, values, strict=True)},
        "navinfo": None if navinfo is False else navigate(sight, instance, None if navinfo is True else navinfo),
        "disable_delete": str(refused) if refused else None,
    }


def navigate(sight: Sight, instance: Any, statement: Select[Any] | None = None) -> dict[str, Any]:
    """Return an object's place among others: keys of the ``first``, ``prev``, ``next``, ``last``; ``recno``, ``count``.

    ``recno`` counts from 1; it is 0 where the object is not among them, and then it has no neighbours. Rows that
    the user may not see are no neighbours, and are not counted.

    :param statement: a ``select()`` of the object's model; the default is all of them, by their keys.
    """
    mapper: Mapper[Any] = inspect(instance).mapper
    if len(mapper.primary_key) != 1:
        raise InvalidTable(f"navinfo is for models with a key of one column, got {mapper.class_.__name__}.")
    own, key = mapper.primary_key[0], key_of(instance)
    if statement is None and key is not None and not is_limited(mapper.class_):
        return _by_key(mapper, own, key)
    ordered = select(mapper.class_).order_by(own) if statement is None else statement
    keys = list(session_of_application().scalars(ordered.with_only_columns(own, maintain_column_froms=True)))
    visible = sight.visible(mapper.class_, keys)
    return _among([each for each in dict.fromkeys(keys) if each in visible], key)


def _by_key(mapper: Mapper[Any], own: Any, key: Any) -> dict[str, Any]:
    """Find the neighbours by an index, and count."""
    up, down = select(own).order_by(own).limit(1), select(own).order_by(own.desc()).limit(1)
    count = select(func.count(own))
    found = session_of_application().execute(
        select(
            up.scalar_subquery().label("first"),
            down.where(own < key).scalar_subquery().label("prev"),
            up.where(own > key).scalar_subquery().label("next"),
            down.scalar_subquery().label("last"),
            count.where(own <= key).scalar_subquery().label("recno"),
            count.scalar_subquery().label("count"),
        ),
        bind_arguments={"mapper": mapper},
    )
    return {name: as_json(value) for name, value in found.mappings().one().items()}


def _among(keys: Sequence[Any], key: Any) -> dict[str, Any]:
    if not keys:
        return dict(_NOBODY)
    at = keys.index(key) if key in keys else None
    before, after = (None, None) if at is None else (at - 1, at + 1)
    return {
        "first": as_json(keys[0]),
        "prev": None if before is None or before < 0 else as_json(keys[before]),
        "next": None if after is None or after >= len(keys) else as_json(keys[after]),
        "last": as_json(keys[-1]),
        "recno": 0 if at is None else at + 1,
        "count": len(keys),
    }


def create_instance(ar: Any, model: Any, **values: Any) -> Any:
    """Return a new object, which is not added to the session.

    It has the request's ``known_values``, points at its ``master_instance``, and has the values that are given, which
    go before both.

    :param ar: the request.
    :param model: of the object.
    :raises InvalidTable: for a field that the model does not have, or if it is not clear what points at the master.
    """
    mapper = mapper_of(model)
    if mapper is None:
        raise InvalidTable(f"An instance is created of a model, got {model!r}.")
    known: Mapping[str, Any] = ar.known_values or {}
    wanted = {**known, **values}
    unknown = sorted(name for name in wanted if name not in mapper.all_orm_descriptors)
    if unknown:
        raise InvalidTable(
            f"{mapper.class_.__name__} must be created with its own fields, got {', '.join(unknown)}. "
            f"It has {', '.join(sorted(mapper.attrs.keys()))}."
        )
    return mapper.class_(**{**known_by(mapper, ar.master_instance, wanted), **wanted})


def is_obvious_field(ar: Any, model: Any, name: str) -> bool:
    """Whether a field is the same in all rows of a request: it is known, or it points at the master."""
    mapper = mapper_of(model)
    if name in (ar.known_values or {}):
        return True
    return mapper is not None and ar.master_instance is not None and name in known_by(mapper, ar.master_instance, {})
