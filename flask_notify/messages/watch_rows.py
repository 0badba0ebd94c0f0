"""The rows of watches: who watches which object, and how each wants to be told of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, insert, select, update

from .. import inbox
from ..models import Models, RecipientKey
from ..models.reading import WATCHERS_INDEX
from ..rules import MailMode

Target: TypeAlias = "tuple[str, str]"
"""An object: its model's name, and its key as text (see :func:`.outgoing.target_of`)."""

Row: TypeAlias = "tuple[RecipientKey, str, str]"
"""The key of a watch: the recipient's, and the object."""

_BATCH = 500
"""Objects, or recipients, that one statement names: of 1,000 MariaDB makes a table, and reads all of ours beside it."""


class Watching(NamedTuple):
    """That somebody watches an object, or has muted it.

    :param mode: the recipient's own for this object; None is no opinion, ``silent`` is muted.
    """

    mode: MailMode | None = None

    @property
    def muted(self) -> bool:
        """Whether the recipient wants to hear nothing of the object; then they are no watcher of it."""
        return self.mode is MailMode.SILENT


def watchers_of(
    connection: Connection, models: Models, targets: Iterable[Target]
) -> dict[Target, list[tuple[RecipientKey, MailMode | None]]]:
    """Return who watches objects, each with their own mode for the object.

    Who has muted one is among them, with ``silent``. An object that nobody watches is left out. It takes one
    statement per model and 500 objects.
    """
    watch = models.watch.c
    found: dict[Target, list[tuple[RecipientKey, MailMode | None]]] = {}
    query = select(watch.target_type, watch.target_id, watch.recipient_id, watch.mail_mode)
    query = _by_object(models, query)
    for wanted in _among_objects(connection, models, targets):
        for row in connection.execute(query.where(wanted)):
            found.setdefault((row[0], row[1]), []).append((row[2], MailMode.parse(row[3])))
    return found


def modes_of(
    connection: Connection, models: Models, keys: Sequence[RecipientKey], targets: Iterable[Target]
) -> dict[Row, MailMode]:
    """Return the modes that recipients have set for objects; without objects nothing is asked."""
    watch = models.watch.c
    query = select(watch.recipient_id, watch.target_type, watch.target_id, watch.mail_mode)
    query = query.where(watch.mail_mode.is_not(None))
    return {
        (row[0], row[1], row[2]): MailMode(row[3])
        for wanted in _among(connection, models, keys, targets)
        for row in connection.execute(query.where(wanted))
    }


def with_a_mode(connection: Connection, models: Models, key: RecipientKey, limit: int) -> list[tuple[Target, MailMode]]:
    """Return the objects for which a recipient has a mode of their own, the muted ones among them, by their names.

    :param limit: so many at most.
    """
    watch = models.watch.c
    query = select(watch.target_type, watch.target_id, watch.mail_mode)
    mine = query.where(watch.recipient_id == key, watch.mail_mode.is_not(None))
    rows = connection.execute(mine.order_by(watch.target_type, watch.target_id).limit(limit))
    return [((row[0], row[1]), MailMode(row[2])) for row in rows]


def stored(
    connection: Connection,
    models: Models,
    keys: Sequence[RecipientKey],
    targets: Iterable[Target],
    *,
    to_write: bool = False,
) -> dict[Row, Watching]:
    """Return which of some objects recipients watch or have muted.

    :param to_write: whether the inboxes' locks are held, and the rows are about to be changed.
    """
    watch = models.watch.c
    query = select(watch.recipient_id, watch.target_type, watch.target_id, watch.mail_mode)
    if to_write:
        # Under repeatable reads a plain one would look into the past. By the primary key, which begins
        # with the recipient: nobody else's rows are waited for.
        query = query.with_for_update()
        for dialect in ("mysql", "mariadb"):
            query = query.with_hint(models.watch, "FORCE INDEX (PRIMARY)", dialect)
    return {
        (row[0], row[1], row[2]): Watching(MailMode.parse(row[3]))
        for wanted in _among(connection, models, keys, targets)
        for row in connection.execute(query.where(wanted))
    }


def replace(
    connection: Connection, models: Models, before: Mapping[Row, Watching], after: Mapping[Row, Watching | None]
) -> None:
    """Make rows what they are to be; None is none. The recipients' inboxes are locked."""
    changed = {row: watching for row, watching in after.items() if watching != before.get(row)}
    remove(connection, models, [row for row, watching in changed.items() if watching is None])
    known = {row: watching for row, watching in changed.items() if watching is not None}
    fresh = [_values(*row, watching) for row, watching in known.items() if row not in before]
    if fresh:
        connection.execute(insert(models.watch), fresh)
    renewed = [_named(row) | {"mode": _text(watching)} for row, watching in known.items() if row in before]
    if renewed:
        mode = bindparam("mode", type_=models.watch.c.mail_mode.type)
        connection.execute(update(models.watch).where(*_is_row(models)).values(mail_mode=mode), renewed)


def remove(connection: Connection, models: Models, rows: Collection[Row]) -> None:
    """Delete rows whose recipients' inboxes are locked; one that is not there is no error."""
    if rows:
        # Each by its whole key: with lists MariaDB may read, and lock, rows of recipients who are not ours.
        connection.execute(delete(models.watch).where(*_is_row(models)), [_named(row) for row in rows])


def forget(connection: Connection, models: Models, target_type: str, ids: Iterable[Any]) -> None:
    """Delete what is left of those who watched objects of these keys, before new objects get the keys.

    For objects that are inserted in this transaction: SQLite gives the keys of deleted rows away again, and
    applications do so with keys of their own making. Objects that are deleted need :func:`.watches.forget_deleted`.
    """
    left = watchers_of(connection, models, ((target_type, str(key)) for key in ids))
    remove(connection, models, [(key, *target) for target, watchers in left.items() for key, _ in watchers])


def _by_object(models: Models, query: Select[Any]) -> Select[Any]:
    for dialect in ("mysql", "mariadb"):
        # It would read all of a table that seems small, or all recipients' rows for long lists.
        query = query.with_hint(models.watch, f"FORCE INDEX ({WATCHERS_INDEX})", dialect)
    return query


def _among(
    connection: Connection, models: Models, keys: Sequence[RecipientKey], targets: Iterable[Target]
) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that are together: a watch of one of the recipients of one of the objects."""
    targets = list(targets)
    for start in range(0, len(keys), _BATCH):
        theirs = inbox.among(connection, models.watch.c.recipient_id, keys[start : start + _BATCH])
        for wanted in _among_objects(connection, models, targets):
            yield theirs & wanted


def _among_objects(connection: Connection, models: Models, targets: Iterable[Target]) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that are together: a watch of one of the objects."""
    by_type: dict[str, dict[str, None]] = {}
    for kind, key in targets:
        by_type.setdefault(kind, {})[key] = None
    watch = models.watch.c
    for kind, ids in by_type.items():
        listed = list(ids)
        for start in range(0, len(listed), _BATCH):
            batch = listed[start : start + _BATCH]
            yield (watch.target_type == kind) & inbox.among(connection, watch.target_id, batch)


def _is_row(models: Models) -> list[ColumnElement[bool]]:
    columns = models.watch.primary_key.columns
    return [column == bindparam(f"its_{column.name}", type_=column.type) for column in columns]


def _named(row: Row) -> dict[str, Any]:
    names = ("its_recipient_id", "its_target_type", "its_target_id")
    return dict(zip(names, row, strict=True))


def _values(recipient: RecipientKey, target_type: str, target_id: str, watching: Watching) -> dict[str, Any]:
    return {
        "recipient_id": recipient,
        "target_type": target_type,
        "target_id": target_id,
        "mail_mode": _text(watching),
    }


def _text(watching: Watching) -> str | None:
    return None if watching.mode is None else watching.mode.value
