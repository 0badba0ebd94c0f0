"""What a table holds, before it is rendered: its columns, the rows that the user may see, and how many there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, cast

from flask import current_app
from sqlalchemy import Select, func, inspect, select
from sqlalchemy.orm import Mapper, RelationshipDirection, Session, object_session, selectinload

from ..errors import InvalidTable
from ..language import gettext
from ..object_names import words_of
from ..visibility import is_limited
from .columns import Column, ColumnSpec, columns_of, mapper_of
from .sight import Sight
from .values import is_many, is_object

DEFAULT_LIMIT = 15
"""Rows that are shown where nothing else is asked for."""

_BATCH = 500


@dataclass(frozen=True)
class Table:
    """Rows of which a user may see all.

    :param title: what it shows.
    :param objects: the rows that are shown.
    :param count: how many there are in all.
    :param names: of its columns, as of :func:`.columns_of`.
    :param obvious: fields that its columns leave out by default.
    """

    title: str
    mapper: Mapper[Any] | None
    objects: list[Any]
    count: int
    no_data_text: str
    sight: Sight
    names: str | Iterable[ColumnSpec] | None = None
    obvious: frozenset[str] = frozenset()

    @property
    def more(self) -> int:
        """How many rows there are beyond those that are shown."""
        return self.count - len(self.objects)

    @cached_property
    def columns(self) -> list[Column]:
        """Its columns; none where there is nothing to tell them from."""
        if self.names is None and self.mapper is None and not self.objects:
            return []
        return columns_of(self.mapper, self.names, self.obvious)

    def rows(self) -> list[list[Any]]:
        """Return the values of each row, column by column, before :meth:`.Column.finish`.

        What a column leads through is loaded for all rows at once. An object that the user may not
        see is left out.
        """
        load(self.objects, [column.path for column in self.columns])
        values = [self._values(column) for column in self.columns]
        return [list(row) for row in zip(*values, strict=True)] if values else []

    def numeric(self, rows: Sequence[Sequence[Any]]) -> list[bool]:
        """Return for each column whether it is one of numbers, by the values of its rows."""
        return [column.is_numeric(row[at] for row in rows) for at, column in enumerate(self.columns)]

    def _values(self, column: Column) -> list[Any]:
        if column.function is not None:
            made = [column.function(row) for row in self.objects]
            return self._seen([list(value) if isinstance(value, Iterator) else value for value in made])
        here: list[Any] = list(self.objects)
        for step in column.path:
            here = self._seen([None if each is None else getattr(each, step) for each in here])
        return here

    def _seen(self, values: list[Any]) -> list[Any]:
        return visible_of(self.sight, values)


@dataclass(frozen=True)
class Wanted:
    """What of some rows is wanted.

    :param names: of the columns, as of :func:`.columns_of`.
    :param master: of a model or a ``select()``: only rows that point at this object.
    :param known_values: likewise: only rows with these values.
    :param limit: how many rows are shown; None is 15, and 0 all of them.
    :param title: what they are; the default is the model's.
    :param no_data_text: what is said where there are none.
    """

    names: str | Iterable[ColumnSpec] | None = None
    master: Any = None
    known_values: Mapping[str, Any] | None = None
    limit: int | None = None
    title: str | None = None
    no_data_text: str | None = None


def table_of(user: Any, spec: Any, wanted: Wanted) -> Table:
    """Find the rows of a table.

    :param user: who looks. Rows that ``visible_to(user, ids)`` of their model hides are neither shown nor counted.
    :param spec: a model, a ``select()`` of one, objects, or the collection of a relationship.
    :raises InvalidTable: for what has no rows.
    """
    limit, master = wanted.limit, wanted.master
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise InvalidTable(f"A limit must be a number of rows, 0 for all of them or None for 15, got {limit!r}.")
    shown, sight = DEFAULT_LIMIT if limit is None else limit or None, Sight(user)
    if isinstance(spec, Mapping):  # a collection by names
        spec = list(spec.values())
    statement = _statement(spec)
    known = dict(wanted.known_values or {})
    if statement is None:
        if master is not None or known:
            raise InvalidTable("Only rows of a model or a select() can be narrowed, got objects. Give a select().")
        mapper, objects, count = _given(spec, shown, sight)
    else:
        mapper = _entity_of(statement)
        known |= known_by(mapper, master, known)
        statement = _narrowed(statement, mapper, known)
        objects, count = _found(statement, mapper, shown, sight)
    return Table(
        title=_title_of(mapper) if wanted.title is None else str(wanted.title),
        mapper=mapper,
        objects=objects,
        count=count,
        no_data_text=gettext("No data to display") if wanted.no_data_text is None else str(wanted.no_data_text),
        sight=sight,
        names=wanted.names,
        obvious=frozenset(known),
    )


def known_by(mapper: Mapper[Any], master: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return which relationship of a model leads to a master, with the master as its value.

    :param known: other values, of which one may say already which relationship is meant.
    :raises InvalidTable: if there is none, or nobody can tell which of several is meant.
    """
    if master is None:
        return {}
    if not is_object(master):
        raise InvalidTable(f"A master_instance must be an object of a model, got {master!r}.")
    fitting = [
        relationship.key
        for relationship in mapper.relationships
        if relationship.direction is RelationshipDirection.MANYTOONE
        and not relationship.viewonly
        and isinstance(master, relationship.mapper.class_)
    ]
    named = [name for name in fitting if known.get(name) is master]
    if len(named or fitting) == 1:
        return {(named or fitting)[0]: master}
    rows, kind = mapper.class_.__name__, type(master).__name__
    if not fitting:
        raise InvalidTable(
            f"{rows} must have a relationship to {kind} where that is the master_instance, got none. "
            "Add one, or give a select() without master_instance."
        )
    raise InvalidTable(
        f"It is not clear which of {', '.join(sorted(fitting))} leads from {rows} to the master_instance. "
        f"Name it, as in known_values={{{sorted(fitting)[0]!r}: …}}."
    )


def load(objects: Sequence[Any], paths: Iterable[Sequence[str]]) -> None:
    """Load what some paths lead through, for all objects at once; what is loaded already is not read again."""
    by_mapper: defaultdict[Mapper[Any], list[Any]] = defaultdict(list)
    for each in objects:
        if is_object(each) and inspect(each).persistent:
            by_mapper[inspect(each).mapper].append(each)
    for mapper, mine in by_mapper.items():
        options = [option for path in paths if (option := _option(mapper, path, mine)) is not None]
        # SQLAlchemy fills what is missing in objects that the session has, when they are read once more.
        for start in range(0, len(mine) if options else 0, _BATCH):
            part = mine[start : start + _BATCH]
            key = mapper.primary_key
            if len(key) == 1:
                wanted = select(mapper.class_).where(key[0].in_([inspect(each).identity[0] for each in part]))
                cast(Session, object_session(part[0])).scalars(wanted.options(*options)).all()


def visible_of(sight: Sight, values: list[Any]) -> list[Any]:
    """Return values of which those are None, or left out of a collection, that the user may not see."""
    sight.look(each for value in values for each in (value if is_many(value) else [value]))
    return [
        [each for each in value if sight.sees(each)] if is_many(value) else value if sight.sees(value) else None
        for value in values
    ]


def session_of_application() -> Session:
    """Return the session of the current application."""
    return cast(Session, current_app.extensions["notify"].notify.db.session())


def _statement(spec: Any) -> Select[Any] | None:
    if isinstance(spec, Select):
        return spec
    mapper = mapper_of(spec)
    if mapper is not None:
        return select(mapper.class_).order_by(*mapper.primary_key)
    for attribute in ("select", "statement"):  # of a write-only or dynamic collection, or a Query
        found = getattr(spec, attribute, None)
        statement = found() if attribute == "select" and callable(found) else found
        if isinstance(statement, Select):
            return statement
    return None


def _entity_of(statement: Select[Any]) -> Mapper[Any]:
    described = statement.column_descriptions
    entity = described[0].get("entity") if len(described) == 1 else None
    mapper = mapper_of(entity)
    if mapper is None or described[0]["expr"] is not entity:
        raise InvalidTable(
            f"A select() must be of one model, as in select(Post), got one of {len(described)} column(s). "
            "Show what belongs to the model by column_names."
        )
    return mapper


def _narrowed(statement: Select[Any], mapper: Mapper[Any], known: Mapping[str, Any]) -> Select[Any]:
    unknown = sorted(set(known) - set(mapper.attrs.keys()))
    if unknown:
        raise InvalidTable(
            f"known_values must name fields of {mapper.class_.__name__}, got {', '.join(unknown)}. "
            f"It has {', '.join(sorted(mapper.attrs.keys()))}."
        )
    return statement.where(*(getattr(mapper.class_, name) == value for name, value in known.items()))


def _given(spec: Any, limit: int | None, sight: Sight) -> tuple[Mapper[Any] | None, list[Any], int]:
    if not isinstance(spec, Iterable) or isinstance(spec, (str, bytes)) or is_object(spec):
        raise InvalidTable(
            f"What is shown must be a model, a select(), objects, or the collection of a relationship, got {spec!r}."
        )
    given = list(spec)
    sight.look(given)
    seen = [each for each in given if sight.sees(each)]
    models = {inspect(each).mapper if is_object(each) else None for each in seen}
    mapper = models.pop() if len(models) == 1 else _common(models)
    return mapper, seen[:limit], len(seen)


def _common(mappers: set[Mapper[Any] | None]) -> Mapper[Any] | None:
    """Return the mapper of which all others inherit, if one of them is it."""
    known = [mapper for mapper in mappers if mapper is not None]
    found = [one for one in known if len(known) == len(mappers) and all(other.isa(one) for other in known)]
    return found[0] if found else None


def _found(statement: Select[Any], mapper: Mapper[Any], limit: int | None, sight: Sight) -> tuple[list[Any], int]:
    session = session_of_application()
    if is_limited(mapper.class_):
        return _found_visible(session, statement, mapper, limit, sight)
    if limit is None or _has_own_limit(statement):
        objects = list(session.scalars(statement).unique())
        return objects[:limit], len(objects)
    objects = list(session.scalars(statement.limit(limit + 1)).unique())
    if len(objects) <= limit:
        return objects, len(objects)
    keys = statement.with_only_columns(*mapper.primary_key, maintain_column_froms=True).order_by(None)
    count = session.scalar(select(func.count()).select_from(keys.subquery()), bind_arguments={"mapper": mapper})
    return objects[:limit], max(len(objects), count or 0)


def _found_visible(
    session: Session, statement: Select[Any], mapper: Mapper[Any], limit: int | None, sight: Sight
) -> tuple[list[Any], int]:
    """Read the keys of all rows, ask which of them the user may see, and load those that are shown."""
    own = mapper.primary_key
    if len(own) > 1 or _has_own_limit(statement) or statement._distinct:
        _mapper, objects, count = _given(session.scalars(statement).unique(), limit, sight)
        return objects, count
    keys = list(session.scalars(statement.with_only_columns(own[0], maintain_column_froms=True)))
    visible = sight.visible(mapper.class_, keys)
    ordered = [key for key in dict.fromkeys(keys) if key in visible]
    shown = list(islice(ordered, limit))
    found: list[Any] = []
    for start in range(0, len(shown), _BATCH):
        found += session.scalars(statement.where(own[0].in_(shown[start : start + _BATCH]))).unique()
    return found, len(ordered)


def _has_own_limit(statement: Select[Any]) -> bool:
    return statement._limit_clause is not None or statement._fetch_clause is not None


def _option(mapper: Mapper[Any], path: Sequence[str], objects: Sequence[Any]) -> Any:
    """Return what loads the relationships of a path; None where it leads through none, or they are loaded."""
    option: Any = None
    here: Mapper[Any] | None = mapper
    is_missing = False
    for step in path:
        relationship = None if here is None else here.relationships.get(step)
        if here is None or relationship is None or relationship.lazy in ("dynamic", "write_only"):
            break
        attribute = getattr(here.class_, step)
        is_missing = is_missing or option is not None or any(step in inspect(each).unloaded for each in objects)
        option = selectinload(attribute) if option is None else option.selectinload(attribute)
        here = relationship.mapper
    return option if is_missing else None


def _title_of(mapper: Mapper[Any] | None) -> str:
    """Return what a model's table is called: ``__table_args__ = {"info": {"label": …}}``, or its name."""
    if mapper is None:
        return ""
    label = getattr(mapper.local_table, "info", {}).get("label")
    return str(label) if label else words_of(mapper.class_.__name__)
