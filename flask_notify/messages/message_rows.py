"""The rows of messages: which are new, which take the place of another, and what is counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, case, insert, null, select, update
from sqlalchemy.dialects import mysql

from .. import inbox, statements
from ..inbox import Inboxes
from ..models import Models, RecipientKey
from ..models.reading import GROUP_INDEX
from ..rules import Decision, MailMode
from .message_types import Text
from .outgoing import Outgoing

_FEW = 8
"""Rows for which a statement of their own is not worth its while."""

_KINDS = 8
"""Texts that are written by a statement of their own each, if they are for more than a few."""

_BATCH = 1_000
"""Rows that differ, per statement."""

_GROUPS = 10_000
"""Groups that are looked for by one statement."""


@dataclass(eq=False, slots=True)
class Copy:
    """One recipient's copy of what is sent.

    :param pair: the mode that the emitter gave for this recipient, or None.
    :param cursor: Unix seconds, given under the inbox's lock.
    """

    outgoing: Outgoing
    key: RecipientKey
    text: Text
    pair: MailMode | None = None
    allowed: bool = True
    cursor: float = 0.0

    @property
    def group_key(self) -> str | None:
        """See :attr:`.Outgoing.group_key`."""
        return self.outgoing.group_key


@dataclass(eq=False, slots=True)
class Entry:
    """A copy that is stored, and how it is mailed."""

    copy: Copy
    decision: Decision
    due_at: float | None
    count: int = 1
    message_id: int | None = None
    """The key of the message that it renews, or None for one of its own."""


def collapse(connection: Connection, models: Models, entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Return the entries that are messages of their own, and those that renew a present one (row B6)."""
    grouped = [entry.copy for entry in entries if entry.copy.group_key is not None]
    present = _unseen_of_groups(connection, models, grouped) if grouped else {}
    fresh: list[Entry] = []
    last: dict[Any, Entry] = {}
    for entry in entries:
        group = (entry.copy.key, entry.copy.group_key)
        if group[1] is None or (group not in present and group not in last):
            fresh.append(entry)
        elif entry.copy.outgoing.kind.collapse == "first":
            continue
        elif group in last:
            last[group].count += entry.count
            last[group].copy = entry.copy
            continue
        else:
            entry.message_id = present[group]
        last[group] = entry
    renewed = [entry for entry in last.values() if entry.message_id is not None]
    return fresh, renewed


def _unseen_of_groups(
    connection: Connection, models: Models, copies: Sequence[Copy]
) -> dict[tuple[RecipientKey, str | None], int]:
    message = models.message.c
    keys = list({copy.key: None for copy in copies})
    groups = list({copy.group_key: None for copy in copies})
    present: dict[tuple[RecipientKey, str | None], int] = {}
    for start in range(0, len(groups), _GROUPS):
        query = (
            select(message.recipient_id, message.group_key, message.id)
            .where(
                inbox.among(connection, message.recipient_id, keys),
                message.group_key.in_(groups[start : start + _GROUPS]),
            )
            # Under repeatable reads a plain one would look into the past; the inbox's lock is held.
            .with_for_update()
        )
        for dialect in ("mysql", "mariadb"):
            # A scan of a table that seems small would wait for rows of recipients who are not ours.
            query = query.with_hint(models.message, f"FORCE INDEX ({GROUP_INDEX})", dialect)
        present.update(((row[0], row[1]), row[2]) for row in connection.execute(query))
    return present


def add(connection: Connection, models: Models, entries: Sequence[Entry], inboxes: Inboxes, now: float) -> None:
    """Insert messages of their own: one statement for many that differ only in their recipient, else one per batch."""
    alike: dict[Any, list[Entry]] = {}
    for entry in entries:
        copy = entry.copy
        newest = copy.cursor == inboxes[copy.key].cursor
        what = (id(copy.outgoing), id(entry.decision), entry.due_at, entry.count, newest, copy.text)
        alike.setdefault(what, []).append(entry)
    # Of many small groups each would cost a statement; together they cost one for each batch.
    enough = _FEW if len(alike) <= _KINDS else _BATCH // 2
    others: list[Entry] = []
    for (*_, newest, _), group in alike.items():
        if newest and len(group) >= enough:
            _insert_alike(connection, models, group, now)
        else:
            others += group
    for batch in _batches(others):
        rows = [{**_values(entry, now), "recipient_id": entry.copy.key, "cursor": entry.copy.cursor} for entry in batch]
        if connection.dialect.name == "postgresql" and len(rows) >= _FEW:
            _insert_recordset(connection, models, rows)
        else:
            connection.execute(insert(models.message), rows)


def _insert_recordset(connection: Connection, models: Models, rows: list[dict[str, Any]]) -> None:
    """Insert messages that differ in anything by one statement; PostgreSQL's drivers are slow at many."""
    names, same = _split_columns(rows, {"recipient_id", "cursor"})
    source = statements.recordset(models.message, names, [[row[name] for name in names] for row in rows])
    selected = select(*source.c, *statements.constants(models.message, same)).order_by(source.c.recipient_id)
    connection.execute(insert(models.message).from_select([*names, *same], selected))


def _split_columns(rows: Sequence[dict[str, Any]], differing: set[str]) -> tuple[list[str], dict[str, Any]]:
    """Return the names of the columns in which rows differ, and the values of those in which they do not."""
    first = rows[0]
    names = [name for name in first if name in differing or any(row[name] != first[name] for row in rows)]
    return names, {name: value for name, value in first.items() if name not in names}


def _batches(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    return (entries[start : start + _BATCH] for start in range(0, len(entries), _BATCH))


def _insert_alike(connection: Connection, models: Models, entries: Sequence[Entry], now: float) -> None:
    """Insert messages that differ only in their recipient, whose inbox knows the cursor: one statement."""
    values = _values(entries[0], now)
    source = models.inbox.c
    rows = (
        select(source.recipient_id, source.cursor, *statements.constants(models.message, values))
        .where(inbox.among(connection, source.recipient_id, [entry.copy.key for entry in entries]))
        .order_by(source.recipient_id)
    )
    connection.execute(insert(models.message).from_select(["recipient_id", "cursor", *values], rows))


def _values(entry: Entry, now: float) -> dict[str, Any]:
    outgoing, text = entry.copy.outgoing, entry.copy.text
    return {
        "sender_id": outgoing.sender_id,
        "type": outgoing.kind.name,
        "subject": text.subject,
        "body": text.body,
        "rich": text.rich,
        "url": text.url,
        "data": outgoing.data_json,
        "target_type": outgoing.target_type,
        "target_id": outgoing.target_id,
        "created_at": now,
        "mail_mode": entry.decision.mode.value,
        "rule": entry.decision.rule,
        "mail_due_at": entry.due_at,
        "count": entry.count,
        "group_key": outgoing.group_key,
    }


def renew(connection: Connection, models: Models, entries: Sequence[Entry], now: float) -> None:
    """Let messages take the place of those that they renew, in a statement for each batch of one mail mode."""
    by_mode: dict[MailMode | None, list[Entry]] = {}
    for entry in entries:
        own = entry.decision.mode
        by_mode.setdefault(own if own in (MailMode.NEVER, MailMode.OFTEN) else None, []).append(entry)
    for mode, alike in by_mode.items():
        for batch in _batches(alike):
            rows = [
                {
                    **_values(entry, now),
                    "id": entry.message_id,
                    "recipient_id": entry.copy.key,
                    "cursor": entry.copy.cursor,
                }
                for entry in batch
            ]
            _RENEW.get(connection.dialect.name, _renew_one_by_one)(connection, models, rows, mode)


def _renewed(models: Models, new: Any, mode: MailMode | None) -> list[tuple[str, Any]]:
    """Return what columns become of a message that is renewed, in an order in which they may be set one by one.

    :param new: the columns of what comes in its place.
    :param mode: ``never``, ``often``, or None for the modes of digests.
    """
    message = models.message.c
    mail: list[tuple[str, Any]]
    if mode is MailMode.NEVER:
        mail = [("mail_due_at", null())]
    else:
        # One that was mailed is told again by the next digest only: ten small changes are
        # not ten mails. One that waits for its mail keeps its hour.
        settled = message.mail_id.is_(None) & message.sent_at.is_(None)
        if mode is not MailMode.OFTEN:
            settled = message.mail_id.is_(None) | message.sent_at.is_not(None)
        owed = message.mail_due_at.is_(None) & settled
        # MariaDB sets one column after the other: the one that is asked last.
        mail = [
            ("mail_id", case((owed, null()), else_=message.mail_id)),
            ("mail_due_at", case((owed, new.mail_due_at), else_=message.mail_due_at)),
        ]
    return [*((name, new[name]) for name in _RENEWED), ("count", message["count"] + new["count"]), *mail]


_RENEWED = ("sender_id", "subject", "body", "rich", "url", "data", "created_at", "cursor", "mail_mode", "rule")


def _renew_one_by_one(
    connection: Connection, models: Models, rows: list[dict[str, Any]], mode: MailMode | None
) -> None:
    """Update by key; for a driver to which another row of values costs next to nothing."""
    message = models.message
    new = {name: bindparam(f"new_{name}", type_=message.c[name].type) for name in rows[0]}
    statement = update(message).where(message.c.id == new["id"])
    changes = _renewed(models, _Columns(new), mode)
    needed = {"id", "count", *_RENEWED} | ({"mail_due_at"} if mode is not MailMode.NEVER else set())
    values = [{f"new_{name}": row[name] for name in needed} for row in rows]
    connection.execute(statement.ordered_values(*((message.c[name], value) for name, value in changes)), values)


class _Columns(dict[str, Any]):
    """Columns by name, as items and as attributes."""

    __getattr__ = dict.__getitem__


def _renew_postgresql(
    connection: Connection, models: Models, rows: list[dict[str, Any]], mode: MailMode | None
) -> None:
    message = models.message
    names = list(rows[0])
    source = statements.recordset(message, names, [[row[name] for name in names] for row in rows])
    changes = _renewed(models, source.c, mode)
    connection.execute(update(message).where(message.c.id == source.c.id).values(dict(changes)))


def _renew_mariadb(connection: Connection, models: Models, rows: list[dict[str, Any]], mode: MailMode | None) -> None:
    # The rows are there and locked, with their inboxes: nothing is inserted. Many rows of values fit
    # into one INSERT, where of UPDATEs each would be a trip to the server.
    statement = mysql.insert(models.message)
    connection.execute(statement.on_duplicate_key_update(_renewed(models, statement.inserted, mode)), rows)


_RENEW = {"postgresql": _renew_postgresql, "mysql": _renew_mariadb, "mariadb": _renew_mariadb}


def tally(
    connection: Connection,
    models: Models,
    fresh: Sequence[Entry],
    renewed: Sequence[Entry],
    now: float | None,
) -> None:
    """Add up what each recipient got, and note it: for all who got the same in one statement."""
    unseen: dict[RecipientKey, int] = {}
    due: dict[RecipientKey, float] = {}
    for entry in (*fresh, *renewed):
        key = entry.copy.key
        unseen[key] = unseen.get(key, 0) + (entry.message_id is None)
        if entry.due_at is not None:
            due[key] = min(entry.due_at, due.get(key, entry.due_at))
    alike: dict[tuple[int, float | None], list[RecipientKey]] = {}
    for key, count in unseen.items():
        alike.setdefault((count, due.get(key)), []).append(key)
    if len(alike) > _KINDS:
        _count_each(connection, models, unseen, due, now)
        return
    for (count, due_at_), keys in alike.items():
        inbox.count_messages(connection, models, keys, count, due_at_, now=now)


def _count_each(
    connection: Connection,
    models: Models,
    unseen: dict[RecipientKey, int],
    due: dict[RecipientKey, float],
    now: float | None,
) -> None:
    """Note what recipients got of whom hardly two got the same, in a statement for each batch."""
    key = models.inbox.c.recipient_id
    for some in ([key for key in unseen if key in due], [key for key in unseen if key not in due]):
        for start in range(0, len(some), _BATCH):
            keys = some[start : start + _BATCH]
            each = [bindparam(None, key_, key.type) for key_ in keys]
            counts = case(*zip(each, (unseen[key_] for key_ in keys), strict=True), value=key)
            dues = case(*zip(each, (due[key_] for key_ in keys), strict=True), value=key) if keys[0] in due else None
            inbox.count_messages(connection, models, keys, counts, dues, now=now)
