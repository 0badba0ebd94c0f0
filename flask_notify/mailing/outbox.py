"""The outbox: what is due, which mails wait, who has one in hand, and what became of it.

All functions run in a transaction of the caller's, which is a job and no request. Under the
lock of a recipient's inbox it is settled which of their messages a mail tells of: that is what
makes it one mail, however many workers rendered it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection, insert, or_, select, update

from .. import inbox
from ..database_clock import DatabaseClock
from ..models import Models, RecipientKey
from ..models.columns import MAX_REASON
from ..rules import MailMode

BATCH = 25
"""Recipients, or mails, that a worker takes at a time, so that others get their share of few."""

RENDERING_SECONDS = 120.0
"""Seconds after which the recipients of a worker that died while it rendered are due again."""

_FIRST_PAUSE = 60.0
_LONGEST_PAUSE = 6 * 3600.0

Due: TypeAlias = "dict[int, float]"
"""Messages that are due for one recipient, newest first: their cursors by their keys."""


@dataclass(frozen=True)
class NewMail:
    """A mail that was rendered for one recipient, or the reason why there is none.

    :param due: the messages that it tells of, also those that it only counts.
    :param state: ``pending``, ``skipped`` or ``parked``.
    """

    recipient_id: RecipientKey
    due: Due
    message_id: str
    state: str
    address: str | None = None
    content: bytes | None = None
    reason: str | None = None


class LeasedMail(NamedTuple):
    """A mail that this worker alone may send, for the time of its lease."""

    id: int
    recipient_id: RecipientKey
    message_id: str
    address: str
    content: bytes
    attempts: int
    """Which attempt this is, from 1; it tells this lease from later ones."""


@contextmanager
def working(models: Models) -> Iterator[Connection]:
    """Open a connection for transactions of one's own, at READ COMMITTED whatever is usual."""
    with models.db.engines[models.bind_key].connect() as connection:
        if connection.dialect.name == "sqlite":
            yield connection
        else:
            yield connection.execution_options(isolation_level="READ COMMITTED")


def claim_due(connection: Connection, models: Models, *, now: float, limit: int = BATCH) -> list[RecipientKey]:
    """Take recipients whose mail is due, longest due first; nobody else is given them for two minutes.

    :param now: Unix seconds.
    """
    table, column = models.inbox, models.inbox.c
    due = select(column.recipient_id).where(column.mail_due_at <= now).order_by(column.mail_due_at).limit(limit)
    later = update(table).values(mail_due_at=now + RENDERING_SECONDS)
    if connection.dialect.name == "sqlite":
        taken = later.where(column.recipient_id.in_(due)).returning(column.recipient_id)
        return list(connection.scalars(taken))
    keys = list(connection.scalars(due.with_for_update(skip_locked=True)))
    if keys:
        connection.execute(later.where(inbox.among(connection, column.recipient_id, keys)))
    return keys


def find_due(
    connection: Connection, models: Models, keys: Sequence[RecipientKey], *, now: float
) -> dict[RecipientKey, Due]:
    """Return the unseen messages that are due, by recipient; whoever has none is left out."""
    message = models.message.c
    query = (
        select(message.recipient_id, message.id, message.cursor)
        .where(inbox.among(connection, message.recipient_id, keys))
        .where(message.mail_due_at <= now, message.seen_at.is_(None))
        .order_by(message.recipient_id, message.cursor.desc())
    )
    found: dict[RecipientKey, Due] = {}
    for key, number, cursor in connection.execute(query):
        found.setdefault(key, {})[number] = cursor
    return found


class Stored(NamedTuple):
    """What became of mails that were to be stored; for all others there was nothing due any more."""

    mails: list[NewMail]
    """Those that are in the outbox now."""
    changed: set[RecipientKey]
    """The recipients for whom it was otherwise by now, and who are to be rendered again."""


def store(connection: Connection, models: Models, mails: Mapping[RecipientKey, NewMail], *, now: float) -> Stored:
    """Put mails into the outbox whose messages are still those that are due.

    :param mails: by recipient, as rendered from what :func:`find_due` gave for the same ``now``.
    """
    keys = _lock(connection, models, list(mails))
    due = find_due(connection, models, keys, now=now)
    changed = {key for key, messages in due.items() if messages != mails[key].due}
    fresh = [mails[key] for key in due if key not in changed]
    if fresh:
        _insert(connection, models, fresh, now)
    inbox.settle_due(connection, models, [key for key in keys if key not in changed])
    return Stored(fresh, changed)


def _lock(connection: Connection, models: Models, keys: Sequence[RecipientKey]) -> list[RecipientKey]:
    """Lock inboxes in key order, as emitters do, but leave their cursors: pages hear nothing of mail."""
    table, column = models.inbox, models.inbox.c
    wanted = inbox.among(connection, column.recipient_id, keys)
    if connection.dialect.name == "sqlite":
        # Writing makes us the one writer before anything is read.
        nothing = update(table).where(wanted).values(mail_due_at=column.mail_due_at)
        return list(connection.scalars(nothing.returning(column.recipient_id)))
    lock = select(column.recipient_id).where(wanted).order_by(column.recipient_id)
    return list(connection.scalars(lock.with_for_update()))


def _insert(connection: Connection, models: Models, mails: Sequence[NewMail], now: float) -> None:
    rows = [
        {
            "recipient_id": mail.recipient_id,
            "message_id": mail.message_id,
            "address": mail.address,
            "content": mail.content,
            "state": mail.state,
            "reason": mail.reason and mail.reason[:MAX_REASON],
            "attempts": 0,
            "next_attempt_at": now if mail.state == "pending" else None,
            "created_at": now,
        }
        for mail in mails
    ]
    connection.execute(insert(models.mail), rows)
    message, mail = models.message.c, models.mail.c
    its_mail = (
        select(mail.id)
        .where(mail.recipient_id == message.recipient_id, mail.message_id.in_([new.message_id for new in mails]))
        .scalar_subquery()
    )
    told = inbox.among(connection, message.id, [number for new in mails for number in new.due])
    connection.execute(update(models.message).where(told).values(mail_id=its_mail, mail_due_at=None))


def release_due(connection: Connection, models: Models, keys: Sequence[RecipientKey]) -> None:
    """Give recipients back that were taken by :func:`claim_due`: they are due at once."""
    inbox.settle_due(connection, models, _lock(connection, models, keys))


def lease(
    connection: Connection, models: Models, *, now: float, seconds: float, limit: int = BATCH
) -> list[LeasedMail]:
    """Take pending mails whose time has come; by the database's clock they are ours for some seconds.

    :param now: Unix seconds, to tell whose time has come.
    """
    table, column = models.mail, models.mail.c
    nobody_has_it = or_(column.lease_until.is_(None), column.lease_until <= DatabaseClock())
    # Only pending mails have a next attempt.
    wanted = (
        select(column.id)
        .where(column.next_attempt_at <= now, nobody_has_it)
        .order_by(column.next_attempt_at)
        .limit(limit)
    )
    taking = update(table).values(lease_until=DatabaseClock() + seconds, attempts=column.attempts + 1)
    columns = [column[name] for name in LeasedMail._fields]
    if connection.dialect.name == "sqlite":
        rows = connection.execute(taking.where(column.id.in_(wanted)).returning(*columns)).all()
        return [LeasedMail(*row) for row in rows]
    query = wanted.with_only_columns(*columns).with_for_update(skip_locked=True)
    leased = [LeasedMail(**{**row._mapping, "attempts": row.attempts + 1}) for row in connection.execute(query)]
    if leased:
        connection.execute(taking.where(inbox.among(connection, column.id, [mail.id for mail in leased])))
    return leased


def wanted_among(connection: Connection, models: Models, mails: Sequence[LeasedMail]) -> set[int]:
    """Return the keys of those mails of which the recipient has not seen all, and still wants it mailed."""
    message = models.message.c
    query = select(message.mail_id).where(
        inbox.among(connection, message.recipient_id, list({mail.recipient_id for mail in mails})),
        inbox.among(connection, message.mail_id, [mail.id for mail in mails]),
        message.seen_at.is_(None),
        message.mail_mode.not_in([MailMode.NEVER.value, MailMode.SILENT.value]),
    )
    return set(connection.scalars(query.distinct()))


def note_final(connection: Connection, models: Models, mail: LeasedMail, state: str, reason: str) -> None:
    """Note that a mail never will be sent: ``refused`` or ``cancelled``."""
    final = {"state": state, "reason": reason[:MAX_REASON], "next_attempt_at": None, "lease_until": None}
    connection.execute(update(models.mail).where(*_ours(models, mail)).values(final))


def note_later(
    connection: Connection, models: Models, mail: LeasedMail, reason: str, *, at: float, counts: bool = True
) -> None:
    """Note that a mail is to be tried again.

    :param at: Unix seconds.
    :param counts: whether this was an attempt of its own, and not the server's failure.
    """
    attempts = mail.attempts if counts else mail.attempts - 1
    again = {"next_attempt_at": at, "lease_until": None, "reason": reason[:MAX_REASON], "attempts": attempts}
    connection.execute(update(models.mail).where(*_ours(models, mail)).values(again))


def release(connection: Connection, models: Models, mails: Sequence[LeasedMail]) -> None:
    """Give mails back that were not tried."""
    for mail in mails:
        back = {"lease_until": None, "attempts": mail.attempts - 1}
        connection.execute(update(models.mail).where(*_ours(models, mail)).values(back))


def _ours(models: Models, mail: LeasedMail) -> tuple[Any, ...]:
    """Return the conditions for a mail that no other worker has leased since."""
    column = models.mail.c
    return column.id == mail.id, column.state == "pending", column.attempts == mail.attempts


def pause_after(attempts: int) -> float:
    """Return for how many seconds to wait after that many attempts: from a minute to six hours.

    No two mails wait for quite the same time, so that they do not all come back at once.
    """
    pause = _FIRST_PAUSE * 2.0 ** min(attempts - 1, 20)
    return min(pause * random.uniform(1.0, 1.5), _LONGEST_PAUSE)  # noqa: S311  # nothing depends on chance here


def retry_parked(connection: Connection, models: Models, *, now: float, limit: int = BATCH) -> int:
    """Let messages whose mail could not be rendered be due again; return for how many mails.

    :param now: Unix seconds.
    """
    mail, message = models.mail.c, models.message.c
    parked = select(mail.id, mail.recipient_id).where(mail.state == "parked").order_by(mail.id).limit(limit)
    keys = _lock(connection, models, [row.recipient_id for row in connection.execute(parked)])
    mine = select(mail.id).where(mail.state == "parked", mail.recipient_id.in_(keys))
    numbers = list(connection.scalars(mine))  # now that nobody else can retry them
    wanted = message.mail_mode.not_in([MailMode.NEVER.value, MailMode.SILENT.value])
    told = message.recipient_id.in_(keys), message.mail_id.in_(numbers), message.seen_at.is_(None), wanted
    connection.execute(update(models.message).where(*told).values(mail_id=None, mail_due_at=now))
    over = {"state": "cancelled", "reason": "its messages are in another mail, after rendering this one failed"}
    connection.execute(update(models.mail).where(mail.id.in_(numbers)).values(over))
    inbox.settle_due(connection, models, keys)
    return len(numbers)
