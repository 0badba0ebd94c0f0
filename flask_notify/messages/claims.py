"""Taking work so that nobody else takes it, too: until the commit it is held, by a rollback it is given back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, any_, bindparam, delete, func, literal_column, select, tuple_, update

from ..models import Models, RecipientKey
from ..rules import MailMode


def take(connection: Connection, models: Models, fanout_id: int, limit: int) -> dict[RecipientKey, MailMode | None]:
    """Take recipients off the list of a fan-out, in key order, passing over those who are in other hands.

    :return: their keys, each with the mode that was given for it.
    """
    table, listed = models.fanout_recipient, models.fanout_recipient.c
    waiting = (
        select(listed.recipient_id, listed.mail_mode)
        .where(listed.fanout_id == fanout_id, listed.error.is_(None))
        .order_by(listed.recipient_id)
        .limit(limit)
    )
    returned = listed.recipient_id, listed.mail_mode
    if connection.dialect.name == "sqlite":
        # There is one writer at a time, and this makes it us before anything is read.
        keys = waiting.with_only_columns(listed.fanout_id, listed.recipient_id)
        taken = delete(table).where(tuple_(listed.fanout_id, listed.recipient_id).in_(keys))
        rows = connection.execute(taken.returning(*returned)).all()
    elif connection.dialect.name == "postgresql":
        # By the rows' places, which do not move while they are locked; an array is made once.
        place: ColumnElement[Any] = literal_column("ctid")
        mine = waiting.with_only_columns(place).with_for_update(skip_locked=True).scalar_subquery()
        taken = delete(table).where(place == any_(func.array(mine)))
        rows = connection.execute(taken.returning(*returned)).all()
    else:
        rows = connection.execute(waiting.with_for_update(skip_locked=True)).all()
        if rows:
            # One by one, by the whole key: with a list of keys MariaDB may read all of the table, or all of
            # the fan-out, and wait for rows that are in other hands, while those wait for ours.
            one = delete(table).where(
                listed.fanout_id == fanout_id, listed.recipient_id == bindparam("key", type_=listed.recipient_id.type)
            )
            connection.execute(one, [{"key": row.recipient_id} for row in rows])
    return {row.recipient_id: MailMode.parse(row.mail_mode) for row in rows}


def take_whole(connection: Connection, models: Models, fanout_id: int) -> Any:
    """Take a fan-out to everybody as a whole; None if it is done, or in other hands."""
    table, column = models.fanout, models.fanout.c
    mine = column.id == fanout_id, column.finished_at.is_(None)
    if connection.dialect.name == "sqlite":
        # Writing makes us the one writer before anything is read.
        connection.execute(update(table).where(*mine).values(moved=column.moved))
    row = select(column.content, column.created_at, column.progress).where(*mine)
    return connection.execute(row.with_for_update(skip_locked=True)).one_or_none()
