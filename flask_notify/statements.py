"""Statements for the hot path: compiled by SQLAlchemy once, run on a bare DBAPI cursor."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    Engine,
    FromClause,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
    null,
    type_coerce,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import UserDefinedType

Schemas: TypeAlias = "frozenset[tuple[str | None, str | None]] | None"


def schemas_of(engine: Engine | Connection) -> Schemas:
    """Return the ``schema_translate_map`` of an engine or a connection."""
    names = engine.get_execution_options().get("schema_translate_map")
    return frozenset(names.items()) if names else None


def constants(table: Table, values: Mapping[str, Any]) -> list[ColumnElement[Any]]:
    """Return values as columns of a SELECT whose rows go into a table, each of its column's type."""
    types = {name: table.c[name].type for name in values}
    return [
        null() if value is None else type_coerce(bindparam(None, value, types[name]), types[name])
        for name, value in values.items()
    ]


class IntegerArray(UserDefinedType[Any]):
    """An array of PostgreSQL, sent as its text: drivers take longer over a list of numbers than the server.

    :param element: the name of the numbers' type.
    """

    cache_ok = True
    render_bind_cast = True

    def __init__(self, element: str) -> None:
        self.element = element

    @classmethod
    def of(cls, element: Integer) -> IntegerArray:
        """Return the type of an array of a column's values."""
        return cls("BIGINT" if isinstance(element, BigInteger) else "INTEGER")

    def get_col_spec(self, **_: Any) -> str:
        """Return its name."""
        return f"{self.element}[]"

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002  # there is but one
        """Return what makes the text."""
        return lambda numbers: "{" + ",".join(map(str, numbers)) + "}"


def recordset(table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> FromClause:
    """Return rows as something that PostgreSQL selects from, each column of the type that a table's has.

    One parameter, however many rows; the driver takes it as it is.

    :param names: of the table's columns.
    :param rows: their values, of types that have a text in JSON; others are sent as ``str`` tells them.
    """
    records = json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=str)
    source = func.json_to_recordset(cast(bindparam(None, records, Text()), JSON()))
    columns = [column(name, table.c[name].type) for name in names]
    return source.table_valued(*columns).render_derived(with_types=True)


class PlainStatement:
    """A SELECT as text and a way to bind it, for one dialect.

    Running it costs what the driver costs: SQLAlchemy's own layers take several times as
    long as a read by primary key does. Only for columns of plain types: numbers and text come
    back as the driver gives them.

    :param schemas: which schema stands for which, as SQLAlchemy's ``schema_translate_map``.
    """

    def __init__(self, select: Select[Any], dialect: Dialect, schemas: Schemas = None) -> None:
        names = dict(schemas) if schemas else None
        compiled = dialect.statement_compiler(
            dialect, select, schema_translate_map=names, render_schema_translate=names is not None
        )
        self.text = str(compiled)
        self._names = compiled.positiontup
        self._processors: dict[str, Callable[[Any], Any]] = {}
        for name, bind in compiled.binds.items():
            processor = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if processor is not None:
                self._processors[name] = processor

    def execute(self, cursor: Any, **values: Any) -> None:
        """Run it on a DBAPI cursor; fetch from that."""
        for name, processor in self._processors.items():
            values[name] = processor(values[name])
        names = self._names
        cursor.execute(self.text, values if names is None else [values[n] for n in names])
