"""The outbox of pushes: which are owed, who has one in hand, and what became of it.

A push is a row for each message and browser, written with the message, under the lock of its
recipient's inbox; a message that is renewed is owed anew, by the same row. Whoever sends takes
rows by a lease with a name of its own. A row that is renewed meanwhile keeps its lease, so that
two versions of one message are never on their way at once, and the later one is sent last.

No transaction here holds one row and waits for another: rows are taken without waiting, and
stamped one by one.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Double,
    Select,
    String,
    and_,
    bindparam,
    case,
    delete,
    exists,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)

from .. import inbox, statements
from ..database_clock import DatabaseClock
from ..messages.message_rows import Entry
from ..models import Models, RecipientKey
from ..models.columns import MAX_REASON
from ..rules import decide_push
from .preferences import case_for

BATCH = 100
"""Pushes that a worker takes at a time."""

_CURSORS = 200
"""Cursors for which messages are looked for by one statement."""

_FIRST_PAUSE = 10.0
_LONGEST_PAUSE = 3600.0


class LeasedPush(NamedTuple):
    """A push that one worker alone may send, for the time of its lease.

    :param cursor: which version of the message it was when it was leased, or when the push was written.
    :param attempts: which attempt this is, from 1.
    """

    id: int
    recipient_id: RecipientKey
    message_id: int
    subscription_id: int
    cursor: float
    attempts: int


class _Settings(NamedTuple):
    """What a recipient has said of pushes."""

    muted: bool
    push: bool | None


def write(connection: Connection, models: Models, entries: Sequence[Entry], now: float) -> None:
    """Write what is owed to the browsers of those who want new messages pushed (see :func:`.writing.write`).

    It costs one statement, and one more where any of the recipients has subscribed.
    """
    types = {entry.copy.outgoing.kind.name for entry in entries}
    settings, own = _of_subscribed(connection, models, list({entry.copy.key: None for entry in entries}), types)
    wanted: defaultdict[float, list[RecipientKey]] = defaultdict(list)
    renewed = []
    for entry in entries:
        key, kind = entry.copy.key, entry.copy.outgoing.kind
        if key not in settings:
            continue
        critical = entry.decision.rule == "critical"
        if decide_push(case_for(kind, settings[key], own.get((key, kind.name)), critical=critical)).wanted:
            wanted[entry.copy.cursor].append(key)
            if entry.message_id is not None:
                renewed.append({"recipient": key, "message": entry.message_id, "new_cursor": entry.copy.cursor})
    if renewed:
        connection.execute(_renewing(models, now), renewed)
    cursors = list(wanted.items())
    for start in range(0, len(cursors), _CURSORS):
        _insert(connection, models, cursors[start : start + _CURSORS], now, missing_only=bool(renewed))


def _of_subscribed(
    connection: Connection, models: Models, keys: Sequence[RecipientKey], types: Iterable[str]
) -> tuple[dict[RecipientKey, _Settings], dict[tuple[RecipientKey, str], bool]]:
    """Return what those recipients who have subscribed have said, in general and of types."""
    box, own, subscription = models.inbox.c, models.push_preference.c, models.push_subscription.c
    query = (
        select(box.recipient_id, box.muted, box.push, own.type, own.push)
        .outerjoin_from(
            models.inbox,
            models.push_preference,
            and_(own.recipient_id == box.recipient_id, own.type.in_(sorted(types))),
        )
        .where(inbox.among(connection, box.recipient_id, keys))
        .where(exists().where(subscription.recipient_id == box.recipient_id))
    )
    settings: dict[RecipientKey, _Settings] = {}
    opinions: dict[tuple[RecipientKey, str], bool] = {}
    for key, muted, push, type_, wanted in connection.execute(query):
        settings[key] = _Settings(muted, push)
        if type_ is not None:
            opinions[key, type_] = wanted
    return settings, opinions


def _renewing(models: Models, now: float) -> Any:
    column = models.push.c
    mine = (
        column.recipient_id == bindparam("recipient", type_=column.recipient_id.type),
        column.message_id == bindparam("message", type_=column.message_id.type),
    )
    owed = {"state": "pending", "reason": None, "attempts": 0, "next_attempt_at": now, "settled_at": None}
    return update(models.push).where(*mine).values(cursor=bindparam("new_cursor", type_=Double), **owed)


def _insert(
    connection: Connection,
    models: Models,
    wanted: Sequence[tuple[float, Sequence[RecipientKey]]],
    now: float,
    *,
    missing_only: bool,
) -> None:
    """Write a row for each browser of those recipients whose messages have these cursors: one statement."""
    message, subscription = models.message.c, models.push_subscription.c
    theirs = (
        and_(message.cursor == cursor, inbox.among(connection, message.recipient_id, keys)) for cursor, keys in wanted
    )
    same = {"state": "pending", "attempts": 0, "next_attempt_at": now}
    rows = (
        select(
            message.recipient_id,
            message.id,
            subscription.id,
            message.cursor,
            *statements.constants(models.push, same),
        )
        .join_from(models.message, models.push_subscription, subscription.recipient_id == message.recipient_id)
        .where(or_(*theirs))
        .order_by(message.recipient_id, message.id, subscription.id)
    )
    if missing_only:
        present = models.push.alias("present")
        known = exists().where(
            present.c.recipient_id == message.recipient_id,
            present.c.message_id == message.id,
            present.c.subscription_id == subscription.id,
        )
        rows = rows.where(~known)
    names = ["recipient_id", "message_id", "subscription_id", "cursor", *same]
    connection.execute(insert(models.push).from_select(names, rows))


def is_any_due(connection: Connection, models: Models, *, now: float) -> bool:
    """Return whether there is a push whose time has come, and which nobody has in hand.

    :param now: Unix seconds.
    """
    return connection.execute(_due(models, now).limit(1)).first() is not None


def lease(
    connection: Connection, models: Models, owner: str, *, now: float, seconds: float, limit: int = BATCH
) -> list[LeasedPush]:
    """Take pushes whose time has come; by the database's clock they are ours for some seconds.

    :param owner: a name that no other lease has.
    :param now: Unix seconds, to tell whose time has come.
    """
    table, column = models.push, models.push.c
    wanted = _due(models, now).order_by(column.next_attempt_at).limit(limit)
    until = DatabaseClock() + seconds
    taking = update(table).values(lease_until=until, lease_owner=owner, attempts=column.attempts + 1)
    columns = [column[name] for name in LeasedPush._fields]
    if connection.dialect.name == "sqlite":
        rows = connection.execute(taking.where(column.id.in_(wanted)).returning(*columns)).all()
        return [LeasedPush(*row) for row in rows]
    query = wanted.with_only_columns(*columns).with_for_update(skip_locked=True)
    leased = [LeasedPush(**{**row._mapping, "attempts": row.attempts + 1}) for row in connection.execute(query)]
    if leased:
        connection.execute(taking.where(inbox.among(connection, column.id, [push.id for push in leased])))
    return leased


def _due(models: Models, now: float) -> Select[int]:
    column = models.push.c
    nobody_has_it = or_(column.lease_until.is_(None), column.lease_until <= DatabaseClock())
    # Only pending pushes have a next attempt.
    return select(column.id).where(column.next_attempt_at <= now, nobody_has_it)


def settle(
    connection: Connection, models: Models, push: LeasedPush, owner: str, state: str, reason: str | None, *, now: float
) -> None:
    """Note that a push was ``sent``, or never will be: ``dropped`` or ``parked``.

    One that was renewed meanwhile stays owed, and is given back; one that another has leased since is left alone.

    :param now: Unix seconds.
    """
    column = models.push.c
    renewed = column.cursor > push.cursor
    values = {
        "state": case((renewed, column.state), else_=literal(state)),
        "reason": case((renewed, null()), else_=literal(reason and reason[:MAX_REASON], String)),
        "next_attempt_at": case((renewed, column.next_attempt_at), else_=null()),
        "settled_at": case((renewed, null()), else_=literal(now, Double)),
        "lease_until": None,
        "lease_owner": None,
    }
    connection.execute(update(models.push).where(column.id == push.id, column.lease_owner == owner).values(values))


def postpone(
    connection: Connection,
    models: Models,
    push: LeasedPush,
    owner: str,
    reason: str,
    *,
    at: float,
    counts: bool = True,
) -> None:
    """Note that a push is to be tried again, and give it back.

    :param at: Unix seconds. One that was renewed meanwhile is tried at once.
    :param counts: whether this was an attempt of its own.
    """
    column = models.push.c
    renewed = column.cursor > push.cursor
    values = {
        "reason": case((renewed, null()), else_=literal(reason[:MAX_REASON], String)),
        "next_attempt_at": case((renewed, column.next_attempt_at), else_=literal(at, Double)),
        "attempts": case((renewed, column.attempts), else_=literal(push.attempts if counts else push.attempts - 1)),
        "lease_until": None,
        "lease_owner": None,
    }
    connection.execute(update(models.push).where(column.id == push.id, column.lease_owner == owner).values(values))


def pause_after(attempts: int) -> float:
    """Return for how many seconds to wait after that many attempts: from ten seconds to an hour.

    No two pushes wait for quite the same time, so that they do not all come back at once.
    """
    pause = _FIRST_PAUSE * 2.0 ** min(attempts - 1, 20)
    return min(pause * random.uniform(1.0, 1.5), _LONGEST_PAUSE)  # noqa: S311  # nothing depends on chance here


def forget_browser(connection: Connection, models: Models, push: LeasedPush, endpoint_hash: str) -> None:
    """Remove a subscription that the push service knows no more, unless the browser has come to another account."""
    column = models.push_subscription.c
    gone = column.id == push.subscription_id, column.recipient_id == push.recipient_id
    connection.execute(delete(models.push_subscription).where(*gone, column.endpoint_hash == endpoint_hash))
