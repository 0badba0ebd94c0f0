"""Marking messages seen and unseen, and the count of the unseen."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import Connection, Update, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from .. import emission, inbox
from ..errors import InvalidMessage
from ..inbox import Inboxes
from ..models import Models
from .writing import SendChange

if TYPE_CHECKING:
    from typing_extensions import Self

_MOST_IDS = 10_000


@dataclass
class Marked:
    """What marking has changed."""

    changed: int | None = None
    """How many messages were not so before; None until the commit."""


class SeenChange(emission.Change):
    """Some of a recipient's own messages that are marked seen or unseen.

    :param ids: the messages' keys, or None for all.
    :param until: only those up to this cursor, or None.
    """

    # Before anything is sent in the same transaction: what is new was not seen.
    order: ClassVar[int] = 0

    def __init__(
        self, models: Models, recipient: Any, *, seen: bool, ids: Sequence[int] | None, until: float | None
    ) -> None:
        super().__init__(models, recipient)
        self.seen = seen
        self.ids = ids
        self.until = until
        self.marked = Marked()
        self._changed = 0

    @property
    def subject(self) -> Hashable:
        """Itself: each counts, in their order."""
        return id(self)

    def locked(self) -> None:
        """Nothing is left to settle."""

    @classmethod
    def write(cls, connection: Connection, models: Models, changes: Sequence[Self], inboxes: Inboxes) -> None:
        """Mark the messages, and count them (row B9)."""
        deltas: dict[Any, int] = {}
        for change in changes:
            change._changed = connection.execute(change._update(change.timestamp)).rowcount
            if change._changed:
                sign = -1 if change.seen else 1
                deltas[change.key] = deltas.get(change.key, 0) + sign * change._changed
        owing = any(inboxes[key].mail_due_at is not None for key in deltas)
        inbox.adjust(connection, models, deltas, settle=owing)

    def _update(self, at: float) -> Update:
        message = self.models.message.c
        statement = update(self.models.message).where(message.recipient_id == self.key)
        if self.ids is not None:
            statement = statement.where(message.id.in_(self.ids))
        if self.until is not None:
            statement = statement.where(message.cursor <= self.until)
        if not self.seen:
            # It counts again; its mail and its group are not owed a second time.
            return statement.where(message.seen_at.is_not(None)).values(seen_at=None)
        # Whoever has seen it needs no mail, and the next of its group is a message of its own.
        # Seen at this change's own cursor: who pages through the inbox can tell what was seen since.
        return statement.where(message.seen_at.is_(None)).values(seen_at=at, group_key=None, mail_due_at=None)

    def committed(self) -> None:
        """Tell the caller how many there were."""
        self.marked.changed = self._changed


def mark(
    models: Models, recipient: Any, *, seen: bool, ids: Sequence[int] | None = None, until: float | None = None
) -> Marked:
    """Collect that a recipient has seen messages, or wants them back as unseen.

    :param ids: keys of messages; another's are passed over.
    :param until: a cursor: none that came later is touched.
    :return: an object whose ``changed`` is set at the commit.
    :raises InvalidMessage: for keys that are no numbers, or more than 10,000 of them.
    """
    if ids is not None and not all(isinstance(key, int) and not isinstance(key, bool) for key in ids):
        raise InvalidMessage(f"Messages are marked by their keys, which are whole numbers, got {ids!r:.100}")
    if ids is not None and len(ids) > _MOST_IDS:
        raise InvalidMessage(f"At most {_MOST_IDS} messages can be marked at once, got {len(ids)}. Use until=.")
    change = SeenChange(models, recipient, seen=seen, ids=ids, until=until)
    if ids is None or ids:
        emission.collect(change)
    else:
        change.committed()
    return change.marked


def unseen_count(session: Session, models: Models, recipient: Any) -> int:
    """Return how many messages a recipient has not seen, with what the session has collected."""
    Inbox: Any = models.Inbox
    key = emission.key_of(recipient)
    stored = session.scalar(select(Inbox.unseen_count).where(Inbox.recipient_id == key)) or 0
    mine = [
        change
        for change in emission.pending(session)
        if change.key == key and isinstance(change, (SeenChange, SendChange))
    ]
    return _with_pending(session, models, key, mine) if mine and key is not None else stored


def _with_pending(session: Session, models: Models, key: Any, changes: Sequence[emission.Change]) -> int:
    message = models.message.c
    wanted: ColumnElement[bool] = message.recipient_id == key
    rows = session.execute(
        select(message.id, message.cursor, message.seen_at, message.group_key).where(wanted),
        bind_arguments={"clause": models.message},
    ).all()
    unseen = {row.id: row.group_key for row in rows if row.seen_at is None}
    for change in changes:
        if not isinstance(change, SeenChange):
            continue
        named = {
            row.id
            for row in rows
            if (change.ids is None or row.id in change.ids) and (change.until is None or row.cursor <= change.until)
        }
        if change.seen:
            unseen = {number: group for number, group in unseen.items() if number not in named}
        else:
            unseen |= {number: None for number in named if number not in unseen}
    groups = {group for group in unseen.values() if group is not None}
    count = len(unseen)
    for sent in changes:
        if isinstance(sent, SendChange) and sent.copy.group_key not in groups:
            count += 1
            groups |= {sent.copy.group_key} - {None}
    return count
