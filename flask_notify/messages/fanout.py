"""Emissions to many: recorded with the caller's transaction, moved into the inboxes in batches.

A batch is one transaction. It takes recipients off the list, locks their inboxes and writes to
them: who dies in between leaves the list as it was, and two who work at the same list get
different recipients.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, exists, func, insert, literal, select, update
from sqlalchemy.orm import Session

from .. import emission, inbox, news, signals
from ..config import Settings
from ..durability import without_waiting
from ..errors import UnknownType
from ..language import in_language
from ..leases import holder
from ..live import notifications
from ..models import Models, RecipientKey
from ..models.columns import MAX_REASON
from ..rules import MailMode
from ..site import visited
from . import claims, writing
from .message_rows import Copy
from .message_types import Registry, Text
from .outgoing import Outgoing, load

BATCH = 1_000
"""Recipients per transaction."""

_LATELY = 60
"""Seconds after the end of its lease for which a scheduler that died is expected to be replaced."""

_log = logging.getLogger("flask_notify")


def record_query(
    models: Models, settings: Settings, types: Registry, one: Outgoing, keys: Any, session: Session
) -> int:
    """Record a message for the recipients whom a query gives, in the caller's transaction.

    :param keys: a select of one column of keys, each once.
    :return: how many there are.
    """
    fanout_id = _record(session, models, "message", one.dump())
    rows = keys.subquery()
    listed = select(literal(fanout_id), rows.c[0]).order_by(rows.c[0])
    listing = insert(models.fanout_recipient).from_select(["fanout_id", "recipient_id"], listed)
    # SQLAlchemy does not keep the number of inserted rows unless it is asked to.
    result: Any = session.execute(listing, execution_options={"preserve_rowcount": True})
    return _recorded(session, models, settings, types, fanout_id, result.rowcount)


def record_pairs(
    models: Models,
    settings: Settings,
    types: Registry,
    one: Outgoing,
    session: Session,
    pairs: Sequence[tuple[RecipientKey, MailMode | None]],
) -> int:
    """Record a message for a long list of recipients, each with the mode given for them."""
    fanout_id = _record(session, models, "message", one.dump())
    for start in range(0, len(pairs), BATCH):
        rows = [
            {"fanout_id": fanout_id, "recipient_id": key, "mail_mode": pair and pair.value}
            for key, pair in pairs[start : start + BATCH]
        ]
        session.execute(insert(models.fanout_recipient), rows)
    return _recorded(session, models, settings, types, fanout_id, len(pairs))


def broadcast(
    models: Models, settings: Settings, types: Registry, name: str, data: Any, *, expires_in: float | None
) -> int:
    """Give everybody a live value (row A13; see :meth:`.Notify.broadcast`)."""
    notifications.check_name(name)
    notifications.check_expiry(expires_in)
    payload = notifications.encode(data, settings.max_payload)
    session = models.db.session()
    # Of the users, not of the inboxes: those who were there before may still have none.
    ours = {"clause": models.inbox}
    total = session.scalar(select(func.count()).select_from(models.user_table), bind_arguments=ours) or 0
    if total <= settings.inline_recipients:
        keys = session.scalars(select(models.key_column), bind_arguments=ours).all()
        for key in keys:
            notifications.give(models, emission.ByKey(key), name, payload, expires_in)
        return len(keys)
    content = json.dumps({"name": name, "payload": payload, "expires_in": expires_in})
    fanout_id = _record(session, models, "value", content)
    return _recorded(session, models, settings, types, fanout_id, total)


def _record(session: Session, models: Models, kind: str, content: str) -> int:
    values = {"kind": kind, "content": content, "created_at": models.clock(), "total": 0}
    result: Any = session.execute(insert(models.fanout).values(values))
    return int(result.inserted_primary_key[0])


def _recorded(session: Session, models: Models, settings: Settings, types: Registry, fanout_id: int, total: int) -> int:
    mine = models.fanout.c.id == fanout_id
    session.execute(update(models.fanout).where(mine).values(total=total))
    emission.after_commit(session, lambda: _drain_if_alone(models, settings, types, total))
    return total


def _drain_if_alone(models: Models, settings: Settings, types: Registry, total: int) -> None:
    # The commit has happened: whatever goes wrong here, the caller's work is done, and the list stays.
    try:
        if scheduler_is_there(models):
            return
        _log.warning(
            "No scheduler runs, so an emission to %s recipients is moved by the process that emitted it. "
            "Run `flask notify run`, or set NOTIFY_SCHEDULER.",
            total,
        )
        for _ in drain(models, settings, types):
            pass
    except Exception:  # noqa: BLE001  # whatever it is
        _log.exception("An emission to %s recipients was recorded, and could not be moved yet", total)


def scheduler_is_there(models: Models) -> bool:
    """Return whether a scheduler runs, by the database's clock; one that was stopped in order does not."""
    scheduler = holder(models)
    return scheduler is not None and scheduler.seconds_left > -_LATELY


def backlog(models: Models) -> int:
    """Return how many recipients wait for what was emitted to them."""
    fanout = models.fanout.c
    waiting = select(func.sum(fanout.total - fanout.moved)).where(fanout.finished_at.is_(None))
    return int(models.db.session.scalar(waiting, bind_arguments={"clause": models.inbox}) or 0)


def drain(
    models: Models, settings: Settings, types: Registry, stop: Callable[[], bool] = lambda: False
) -> Iterator[int]:
    """Move all that waits, oldest first, and yield the size of each batch.

    Several may do so at once. Each batch is a transaction of a session of its own.

    :param stop: asked between two batches.
    """
    after = 0
    while not stop():
        with models.db.session.session_factory() as session:
            fanout_id = session.scalar(
                select(models.fanout.c.id)
                .where(models.fanout.c.finished_at.is_(None), models.fanout.c.id > after)
                .order_by(models.fanout.c.id)
                .limit(1),
                bind_arguments={"clause": models.inbox},
            )
        if fanout_id is None:
            return
        while not stop() and (moved := move_batch(models, settings, types, fanout_id)):
            yield moved
        after = fanout_id


def move_batch(models: Models, settings: Settings, types: Registry, fanout_id: int) -> int:
    """Move one batch in one transaction.

    :return: how many recipients were taken off the list; 0 if there is nothing left to take.
    """
    try:
        moved = _move_batch(models, settings, types, fanout_id, make=False)
    except _InboxesAreMissing:
        moved = _move_batch(models, settings, types, fanout_id, make=True)
    if moved:
        signals.tell(signals.fanout_moved, fanout_id=fanout_id, moved=moved)
    return moved


class _InboxesAreMissing(Exception):
    """Some of a batch's recipients have no inbox yet, or are gone."""


def _move_batch(models: Models, settings: Settings, types: Registry, fanout_id: int, *, make: bool) -> int:
    with models.db.session.session_factory() as session:
        connection = session.connection(bind_arguments={"clause": models.inbox})
        if not settings.relay_queues:  # or what the disk has lost might be in a broker's queue already
            without_waiting(connection)
        mine = models.fanout.c.id == fanout_id
        kind, content = connection.execute(select(models.fanout.c.kind, models.fanout.c.content).where(mine)).one()
        if kind == "value":
            moved = _move_value(session, models, fanout_id)
        else:
            moved = _move_messages(session, models, settings, types, fanout_id, content, make=make)
        session.commit()
    return moved


def _move_messages(
    session: Session, models: Models, settings: Settings, types: Registry, fanout_id: int, content: str, *, make: bool
) -> int:
    connection = session.connection(bind_arguments={"clause": models.inbox})
    taken = claims.take(connection, models, fanout_id, BATCH)
    if not taken:
        _finish(connection, models, fanout_id)
        return 0
    try:
        one = load(models, settings, types, content, session)
    except UnknownType as error:
        _park(connection, models, fanout_id, {key: _reason(error) for key in taken})
        return len(taken)
    with visited(settings.base_url):
        copies, parked = _render(session, models, one, taken)
    _park(connection, models, fanout_id, parked)
    if copies:
        _put(session, models, copies, make=make)
    _note_moved(connection, models, fanout_id, len(taken))
    return len(taken)


def _put(session: Session, models: Models, copies: list[Copy], *, make: bool) -> None:
    connection = session.connection(bind_arguments={"clause": models.inbox})
    now = models.clock()
    inboxes = inbox.lock(connection, models, [copy.key for copy in copies], now=now, make=make)
    if len(inboxes) < len(copies):
        if not make:
            raise _InboxesAreMissing
        copies = [copy for copy in copies if copy.key in inboxes]
    for copy in copies:
        copy.cursor = inboxes[copy.key].cursor
    if copies:
        writing.write(connection, models, copies, inboxes, now=now, moved=False)
        moved = {copy.key: copy.cursor for copy in copies}
        emission.after_commit(session, lambda: news.committed(moved, spread=True))


def _render(
    session: Session, models: Models, one: Outgoing, taken: dict[RecipientKey, MailMode | None]
) -> tuple[list[Copy], dict[RecipientKey, str]]:
    """Return the recipients' copies, and why there is none for those for whom rendering raised."""
    if one.is_the_same_for_all:
        same = one.content.text_for(None) or Text("")
        return [Copy(one, key, same, pair) for key, pair in taken.items()], {}
    users = users_by_key(session, models, list(taken))
    languages = _languages(session, models, list(taken))
    copies: list[Copy] = []
    parked: dict[RecipientKey, str] = {}
    for key, user in users.items():
        try:
            with in_language(*languages.get(key, (None, None))):
                allowed = bool(one.kind.allowed(user))
                text = one.text_for(user, MailMode.OFTEN) if allowed else Text("")
        except Exception as error:  # noqa: BLE001  # whatever the application's code raises
            _log.exception("A message of the type %r could not be rendered for recipient %r", one.kind.name, key)
            parked[key] = _reason(error)
        else:
            if text is not None:
                copies.append(Copy(one, key, text, taken[key], allowed))
    return copies, parked


def users_by_key(session: Session, models: Models, keys: Sequence[RecipientKey]) -> dict[RecipientKey, Any]:
    """Load users, by their keys."""
    User = models.user_mapper.class_
    connection = session.connection(bind_arguments={"clause": models.inbox})
    found = session.scalars(select(User).where(inbox.among(connection, models.key_column, keys)))
    return {emission.key_of(user): user for user in found}


def _languages(
    session: Session, models: Models, keys: Sequence[RecipientKey]
) -> dict[RecipientKey, tuple[str | None, str | None]]:
    column = models.inbox.c
    connection = session.connection(bind_arguments={"clause": models.inbox})
    query = select(column.recipient_id, column.locale, column.timezone)
    rows = connection.execute(query.where(inbox.among(connection, column.recipient_id, keys)))
    return {row.recipient_id: (row.locale, row.timezone) for row in rows}


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:MAX_REASON]


def _park(connection: Connection, models: Models, fanout_id: int, reasons: dict[RecipientKey, str]) -> None:
    """Put recipients back on the list, where nobody takes them again."""
    rows = [{"fanout_id": fanout_id, "recipient_id": key, "error": why} for key, why in reasons.items()]
    if rows:
        connection.execute(insert(models.fanout_recipient), rows)


def _move_value(session: Session, models: Models, fanout_id: int) -> int:
    """Give the next recipients, by key, a live value: the list of everybody is the table of users itself."""
    connection = session.connection(bind_arguments={"clause": models.inbox})
    row = claims.take_whole(connection, models, fanout_id)
    if row is None:
        return 0
    key, content = models.key_column, json.loads(row.content)
    rest = func.coalesce(models.inbox.c.created_at, 0.0) <= row.created_at
    theirs = models.inbox.c.recipient_id == key
    if row.progress is not None:
        last = key.type.python_type(row.progress)
        rest &= key > last
        # Said of both sides: PostgreSQL merges them, and would read all inboxes up to here for each batch.
        theirs &= models.inbox.c.recipient_id > last
    everybody = select(key, models.inbox.c.recipient_id).outerjoin(models.inbox, theirs)
    rows = connection.execute(everybody.where(rest).order_by(key).limit(BATCH)).all()
    keys = [row[0] for row in rows]
    if not keys:
        _finish(connection, models, fanout_id)
        return 0
    now = models.clock()
    if all(row[1] is not None for row in rows):
        inbox.move_on(connection, models, keys, now=now)
    else:
        inbox.advance(connection, models, keys, now=now)
    notifications.give_alike(connection, models, keys, now=now, **content)
    # What the cursors have reached at least: they were moved without asking for them.
    emission.after_commit(session, lambda: news.committed(dict.fromkeys(keys, now), spread=True))
    _note_moved(connection, models, fanout_id, len(keys), progress=str(keys[-1]))
    return len(keys)


def _note_moved(connection: Connection, models: Models, fanout_id: int, moved: int, **values: Any) -> None:
    mine = models.fanout.c.id == fanout_id
    connection.execute(update(models.fanout).where(mine).values(moved=models.fanout.c.moved + moved, **values))


def _finish(connection: Connection, models: Models, fanout_id: int) -> None:
    """Note that a fan-out is done, unless another worker has recipients in hand who may come back."""
    listed = models.fanout_recipient.c
    waiting = exists().where(listed.fanout_id == fanout_id, listed.error.is_(None))
    done = models.fanout.c.id == fanout_id, models.fanout.c.finished_at.is_(None), ~waiting
    connection.execute(update(models.fanout).where(*done).values(finished_at=models.clock()))
