"""What is old in each table, and how a batch of it is removed while everything else goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from sqlalchemy import (
    Alias,
    ColumnElement,
    Connection,
    FromClause,
    Table,
    and_,
    any_,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
)

from .. import inbox, news
from ..config import Settings
from ..models import Models, RecipientKey

BATCH = 1_000
"""The most rows of one transaction that holds the locks of their inboxes."""

LIGHT_BATCH = 5 * BATCH
"""The most rows of one that holds nothing that others want; SQLite, besides, writes whole pages at each commit."""

LOOK_AHEAD = 20 * BATCH
"""Keys among which one read looks for the next old row."""

FINAL = ("sent", "refused", "skipped", "cancelled")
"""The states of a mail that nobody will try again."""

_ALIAS = "old"


@dataclass(frozen=True)
class Limits:
    """What is old.

    :param messages: Unix seconds; messages and mails from before may go. None keeps them all.
    :param removals: Unix seconds; a client that has seen nothing since is given the whole state,
        so that what was removed or has expired need not be told to anybody.
    :param keep_unseen: whether a message that was never seen stays however old it is.
    :param pushes: Unix seconds; pushes of messages from before may go: no browser would show them any more.
    """

    messages: float | None
    removals: float
    keep_unseen: bool = True
    pushes: float = 0.0

    @classmethod
    def of(cls, settings: Settings, now: float) -> Limits:
        """Return those of an application, at some time in Unix seconds."""
        after = settings.remove_after
        messages = None if after is None else now - after * 3600
        pushes = now - max(settings.tombstone_age, settings.push_ttl)
        return cls(messages, now - settings.tombstone_age, settings.keep_unseen, pushes)


class Removal:
    """The old rows of one table."""

    what: ClassVar[str]

    def __init__(self, models: Models, limits: Limits, now: float, dialect: str) -> None:
        self.models = models
        self.limits = limits
        self.now = now
        table = self.table_of(models)
        self.table: FromClause = table if dialect in ("sqlite", "postgresql") else table.alias(_ALIAS)
        self._dialect = dialect

    @staticmethod
    def table_of(models: Models) -> Table:
        """Return the table."""
        raise NotImplementedError

    @property
    def is_due(self) -> bool:
        """Whether the settings let any row go."""
        return True

    @property
    def locks(self) -> bool:
        """Whether the inboxes have to be locked on every database."""
        return False

    @property
    def waits_for_nobody(self) -> bool:
        """Whether a batch is one statement that takes no lock which somebody else may want."""
        return self._dialect == "sqlite" or (self._dialect == "postgresql" and not self.locks)

    @property
    def batch(self) -> int:
        """The most rows that one transaction removes."""
        return LIGHT_BATCH if self.waits_for_nobody else BATCH

    @property
    def old(self) -> ColumnElement[bool]:
        """What is to be removed. Each batch asks again, when nobody else can change it."""
        raise NotImplementedError

    def ranges(self, connection: Connection) -> Iterator[ColumnElement[bool]]:
        """Yield conditions by the primary key, each of a batch at most."""
        key, size = self.table.c.id, self.batch
        position = 0
        while True:
            # No further than that at once: on SQLite, whoever commits waits for a reader.
            end = position + LOOK_AHEAD
            with connection.begin():
                near = select(key).where(key > position, key <= end, self.old).order_by(key).limit(1)
                first = connection.scalar(near)
                beyond = None if first else connection.scalar(select(func.min(key)).where(key > end))
            if first is not None:
                # Where one is old, its neighbours mostly are.
                for position in range(first + size - 1, first + LOOK_AHEAD, size):
                    yield key.between(position - size + 1, position)
            elif beyond is not None:
                position = beyond - 1
            else:
                return

    def remove(self, connection: Connection, within: ColumnElement[bool]) -> int:
        """Remove what is old in a range, in one transaction, and return how many rows it was."""
        if self.locks or not self.waits_for_nobody:
            return self.remove_locked(connection, within)
        doomed = and_(within, self.old)
        if self._dialect == "postgresql":
            # What somebody else has locked is left for the next time: who never waits is in no
            # deadlock. By the rows' places, which do not move while the rows are locked.
            place: ColumnElement[Any] = literal_column("ctid")
            mine = select(place).select_from(self.table).where(doomed).with_for_update(skip_locked=True)
            doomed = place == any_(func.array(mine.scalar_subquery()))
        with connection.begin():
            return connection.execute(delete(cast(Table, self.table)).where(doomed)).rowcount

    def remove_locked(self, connection: Connection, within: ColumnElement[bool]) -> int:
        """Do so with the inboxes concerned locked first.

        InnoDB locks a row's index entries one by one, and others in another order: without the
        inbox, whose lock all who write to a recipient take first, a batch would deadlock with them.
        """
        doomed = and_(within, self.old)
        with connection.begin():
            recipients = connection.scalars(select(self.table.c.recipient_id).where(doomed).distinct()).all()
            if not recipients:
                return 0
            self._lock(connection, recipients)
            return self._delete(connection, and_(doomed, self.table.c.recipient_id.in_(recipients)))

    def _delete(self, connection: Connection, doomed: ColumnElement[bool]) -> int:
        statement = delete(cast(Table, self.table)).where(doomed)
        if isinstance(self.table, Alias):
            # A small table would be scanned, and a scan waits for rows that others have locked.
            # MariaDB takes the hint only where the rows to delete are said to be of an alias.
            statement = statement.prefix_with(_ALIAS).with_hint("FORCE INDEX (PRIMARY)")
        return connection.execute(statement).rowcount

    def _lock(self, connection: Connection, recipients: Sequence[RecipientKey]) -> None:
        key = self.models.inbox.c.recipient_id
        connection.execute(select(key).where(key.in_(recipients)).order_by(key).with_for_update()).all()


class _Messages(Removal):
    """Old messages; those that owe mail stay until it has gone out."""

    what = "messages"

    @staticmethod
    def table_of(models: Models) -> Table:
        return models.message

    @property
    def is_due(self) -> bool:
        return self.limits.messages is not None

    @property
    def old(self) -> ColumnElement[bool]:
        message, mail = self.table.c, self.models.mail.c
        waits = exists().where(mail.id == message.mail_id, mail.state == "pending")
        settled = and_(message.mail_due_at.is_(None), or_(message.mail_id.is_(None), ~waits))
        old = and_(message.created_at < self.limits.messages, settled)
        return and_(old, message.seen_at.is_not(None)) if self.limits.keep_unseen else old

    @property
    def locks(self) -> bool:
        return not self.limits.keep_unseen

    def remove_locked(self, connection: Connection, within: ColumnElement[bool]) -> int:
        message = self.table.c
        doomed = select(message.id, message.recipient_id).where(within, self.old)
        with connection.begin():  # one of its own: SQLite refuses to write where it has read before
            rows = connection.execute(doomed).all()
        if not rows:
            return 0
        recipients = list({row.recipient_id for row in rows})
        still = and_(message.id.in_([row.id for row in rows]), self.old)
        with connection.begin():
            if self.limits.keep_unseen:
                self._lock(connection, recipients)
                return self._delete(connection, still)
            moved = inbox.advance(connection, self.models, recipients, now=self.now)
            counted = select(message.recipient_id, func.count()).where(still, message.seen_at.is_(None))
            unseen = connection.execute(counted.group_by(message.recipient_id)).all()
            removed = self._delete(connection, still)
            inbox.adjust(connection, self.models, {key: -count for key, count in unseen})
        news.committed(inbox.cursors_of(moved), spread=True)
        return removed


class _Values(Removal):
    """Live values that have expired or were removed, once no client needs to be told."""

    what = "values"

    @staticmethod
    def table_of(models: Models) -> Table:
        return models.notification

    @property
    def old(self) -> ColumnElement[bool]:
        value = self.table.c
        gone = or_(value.removed, value.expires_at <= self.now)
        return and_(value.timestamp < self.limits.removals, gone)

    def ranges(self, connection: Connection) -> Iterator[ColumnElement[bool]]:
        key = (self.table.c.recipient_id, self.table.c.name)
        last_of_batch = select(*key).order_by(*key).limit(1).offset(self.batch - 1)
        after: list[ColumnElement[bool]] = []
        while True:
            with connection.begin():
                last = connection.execute(last_of_batch.where(*after)).first()
            if last is None:
                yield and_(true(), *after)
                return
            yield and_(*after, _up_to(key, last))
            after = [_beyond(key, last)]


class _Finished(Removal):
    """Rows that nobody writes to any more: they go without a lock."""

    def remove_locked(self, connection: Connection, within: ColumnElement[bool]) -> int:
        key = self.table.c.id
        with connection.begin():
            rows = connection.scalars(select(key).where(within, self.old)).all()
            return self._delete(connection, and_(key.in_(rows), self.old)) if rows else 0


class _Mails(_Finished):
    """Mails that were sent, or never will be."""

    what = "mails"

    @staticmethod
    def table_of(models: Models) -> Table:
        return models.mail

    @property
    def is_due(self) -> bool:
        return self.limits.messages is not None

    @property
    def old(self) -> ColumnElement[bool]:
        mail = self.table.c
        return and_(mail.state.in_(FINAL), func.coalesce(mail.sent_at, mail.created_at) < self.limits.messages)


class _Fanouts(_Finished):
    """Fan-outs that were finished, except where a recipient was parked: `doctor` shows those."""

    what = "fan-outs"

    @staticmethod
    def table_of(models: Models) -> Table:
        return models.fanout

    @property
    def old(self) -> ColumnElement[bool]:
        fanout, left = self.table.c, self.models.fanout_recipient.c
        return and_(fanout.finished_at < self.limits.removals, ~exists().where(left.fanout_id == fanout.id))


class _Pushes(Removal):
    """Pushes, whatever became of them. Those of a message that is renewed are owed anew: the inboxes are locked."""

    what = "pushes"

    @staticmethod
    def table_of(models: Models) -> Table:
        return models.push

    @property
    def old(self) -> ColumnElement[bool]:
        return self.table.c.cursor < self.limits.pushes


KINDS: tuple[type[Removal], ...] = (_Messages, _Values, _Mails, _Fanouts, _Pushes)


def _beyond(key: Sequence[ColumnElement[Any]], position: Sequence[Any]) -> ColumnElement[bool]:
    # Not (a, b) > (x, y), which MariaDB does not look up in its index.
    (first, second), (value, other) = key, position
    return and_(first >= value, or_(first > value, second > other))


def _up_to(key: Sequence[ColumnElement[Any]], position: Sequence[Any]) -> ColumnElement[bool]:
    (first, second), (value, other) = key, position
    return and_(first <= value, or_(first < value, second <= other))
