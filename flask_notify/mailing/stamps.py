"""Stamps: what notes that a mail was sent, at once, before the next one goes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    Connection,
    Double,
    Executable,
    bindparam,
    literal_column,
    null,
    select,
    update,
)

from ..models import Models
from .outbox import LeasedMail


class Stamps:
    """Notes which mails were sent: one transaction per mail, so its statements are put together once.

    :param connection: the one that is given to :meth:`note_sent`.
    """

    def __init__(self, models: Models, connection: Connection) -> None:
        dialect = connection.dialect.name
        inbox_, mail, message = models.inbox.c, models.mail.c, models.message.c
        recipient, number = (
            bindparam("recipient", type_=message.recipient_id.type),
            bindparam("number", type_=mail.id.type),
        )
        now = bindparam("now", type_=Double)
        # The inbox before the messages, as everybody does.
        lock = select(inbox_.recipient_id).where(inbox_.recipient_id == recipient).with_for_update()
        nothing = null()  # and not a parameter, which would be sent each time
        final = {
            "state": literal_column("'sent'"),
            "sent_at": now,
            "reason": nothing,
            "next_attempt_at": nothing,
            "lease_until": nothing,
        }
        done = update(models.mail).where(mail.id == number).values(final)
        told = message.recipient_id == recipient, message.mail_id == number
        told_now = update(models.message).where(*told).values(sent_at=now)
        if dialect == "postgresql":
            locked = lock.cte("locked")
            told_now = told_now.where(message.recipient_id == locked.c.recipient_id)
            self._statements: list[Executable] = [told_now.add_cte(done.cte("done"))]
        else:
            self._statements = [done, told_now] if dialect == "sqlite" else [lock, done, told_now]
        self._plain = _plain(connection, self._statements, (recipient, number, now))

    def note_sent(self, connection: Connection, mail: LeasedMail, *, now: float) -> None:
        """Note that the server has taken a mail on, whoever may have leased it meanwhile; it is committed.

        :param connection: in no transaction, and best within :func:`..durability.stamping`.
        """
        values = {"recipient": mail.recipient_id, "number": mail.id, "now": now}
        if self._plain is None or not _execute_plain(connection, self._plain, values):
            self._execute(connection, values)

    def _execute(self, connection: Connection, values: dict[str, Any]) -> None:
        with connection.begin():
            self._write(connection, values)

    def _write(self, connection: Connection, values: dict[str, Any]) -> None:
        for statement in self._statements:
            connection.execute(statement, values)


def _plain(
    connection: Connection, statements: Sequence[Executable], parameters: Sequence[BindParameter[Any]]
) -> str | None:
    """Return a single statement as the driver takes it; None where SQLAlchemy is to see to it each time."""
    dialect, hears = connection.dialect, connection.dispatch
    heard = hears.before_execute or hears.after_execute or hears.before_cursor_execute or hears.after_cursor_execute
    changed = any(parameter.type.dialect_impl(dialect).bind_processor(dialect) for parameter in parameters)
    elsewhere = connection.get_execution_options().get("schema_translate_map")
    if dialect.driver != "psycopg" or len(statements) != 1 or heard or connection.engine.echo or changed or elsewhere:
        return None
    return str(cast(ClauseElement, statements[0]).compile(dialect=dialect))


def _execute_plain(connection: Connection, statement: str, values: dict[str, Any]) -> bool:
    """Let the driver execute a statement that commits by itself; return False if that did not work.

    Whatever went wrong, the same by SQLAlchemy says so, or mends it.
    """
    driver: Any = connection.connection.driver_connection
    # A connection that was made anew is in transactions as usual.
    if not driver.autocommit:
        return False
    try:
        driver.execute(statement, values)
    except connection.dialect.loaded_dbapi.Error:
        return False
    return True
