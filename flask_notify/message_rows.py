"""The rows of messages: which are new, which take the place of another, and what is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Double, case, insert, literal, null, select, update

from . import inbox, statements
from .inbox import Inboxes
from .message_types import Text
from .models import Models, RecipientKey
from .models.reading import GROUP_INDEX
from .outgoing import Outgoing
from .rules import Decision, MailMode

_FEW = 8
"""Rows for which a statement of their own is not worth its while."""


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
    query = (
        select(message.recipient_id, message.group_key, message.id)
        .where(
            inbox.among(connection, message.recipient_id, keys),
            message.group_key.in_({copy.group_key for copy in copies}),
        )
        # Under repeatable reads a plain one would look into the past; the inbox's lock is held.
        .with_for_update()
    )
    for dialect in ("mysql", "mariadb"):
        # A scan of a table that seems small would wait for rows of recipients who are not ours.
        query = query.with_hint(models.message, f"FORCE INDEX ({GROUP_INDEX})", dialect)
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def add(connection: Connection, models: Models, entries: Sequence[Entry], inboxes: Inboxes, now: float) -> None:
    """Insert messages of their own; those that differ only in their recipient by one statement."""
    alike: dict[Any, list[Entry]] = {}
    for entry in entries:
        copy = entry.copy
        newest = copy.cursor == inboxes[copy.key].cursor
        what = (id(copy.outgoing), id(entry.decision), entry.due_at, entry.count, newest, copy.text)
        alike.setdefault(what, []).append(entry)
    rendered: dict[Any, list[Entry]] = {}
    for (*what, newest, _), group in alike.items():
        if newest and len(group) >= _FEW:
            _insert_alike(connection, models, group, now)
        else:
            rendered.setdefault(tuple(what), []).extend(group)
    alone: list[Entry] = []
    for group in rendered.values():
        if len(group) >= _FEW and connection.dialect.name == "postgresql":
            _insert_rendered(connection, models, group, now)
        else:
            alone += group
    if alone:
        rows = [{**_values(entry, now), "recipient_id": entry.copy.key, "cursor": entry.copy.cursor} for entry in alone]
        connection.execute(insert(models.message), rows)


def _insert_rendered(connection: Connection, models: Models, entries: Sequence[Entry], now: float) -> None:
    """Insert messages that differ in their texts, too, by one statement; PostgreSQL's drivers are slow at many."""
    names = ["recipient_id", "cursor", *Text._fields]
    rows = [(entry.copy.key, entry.copy.cursor, *entry.copy.text) for entry in entries]
    source = statements.recordset(models.message, names, rows)
    same = {name: value for name, value in _values(entries[0], now).items() if name not in names}
    selected = select(*source.c, *statements.constants(models.message, same)).order_by(source.c.recipient_id)
    connection.execute(insert(models.message).from_select([*names, *same], selected))


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
    """Let messages take the place of those that they renew."""
    message = models.message
    for entry in entries:
        values = _values(entry, now)
        due = values.pop("mail_due_at")
        values["cursor"] = entry.copy.cursor
        values["count"] = message.c.count + entry.count
        values["mail_due_at"] = message.c.mail_due_at
        if entry.decision.mode is MailMode.NEVER:
            values["mail_due_at"] = null()
        else:
            # One that was mailed is told again by the next digest only: ten small changes are
            # not ten mails. One that waits for its mail keeps its hour.
            settled = message.c.mail_id.is_(None) & message.c.sent_at.is_(None)
            if entry.decision.mode is not MailMode.OFTEN:
                settled = message.c.mail_id.is_(None) | message.c.sent_at.is_not(None)
            owed = message.c.mail_due_at.is_(None) & settled
            values["mail_due_at"] = case((owed, literal(due, Double)), else_=message.c.mail_due_at)
            values["mail_id"] = case((owed, null()), else_=message.c.mail_id)
        connection.execute(update(message).where(message.c.id == entry.message_id).values(values))


def tally(
    connection: Connection,
    models: Models,
    fresh: Sequence[Entry],
    renewed: Sequence[Entry],
    now: float | None,
) -> None:
    """Add up what each recipient got, and note it for all who got the same in one statement."""
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
    for (count, due_at_), keys in alike.items():
        inbox.count_messages(connection, models, keys, count, due_at_, now=now)
