"""Statements for the hot path: compiled by SQLAlchemy once, run on a bare DBAPI cursor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, Select, Table, bindparam, null, type_coerce
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import ColumnElement

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
