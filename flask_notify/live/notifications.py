"""Live, named values: emitting them, and reading what is newer than a client has seen."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import Insert

from .. import emission, inbox, statements
from ..errors import InvalidName, InvalidPayload
from ..inbox import Inboxes
from ..models import MAX_NAME, Models, NotificationColumns, RecipientKey

if TYPE_CHECKING:
    from typing_extensions import Self

UNREAD_COUNT = "unread_message_count"
"""The one name that is not stored: the poll builds it from the inbox."""


class ValueChange(emission.Change):
    """A name that is set to a value, or removed.

    :param payload: JSON text, a function that returns it, or None for a removal.
    """

    def __init__(
        self,
        models: Models,
        recipient: Any,
        name: str,
        payload: str | Callable[[], str] | None,
        expires_in: float | None = None,
    ) -> None:
        super().__init__(models, recipient)
        self.name = name
        self._payload = payload
        self.expires_in = expires_in
        self.notification = models.Notification()
        self.notification.recipient_id = self.key
        self.notification.name = name
        self.notification.removed = payload is None
        if not callable(payload):
            self.notification.payload_json = payload

    @property
    def subject(self) -> Hashable:
        """The name: the last value that a transaction gives it counts."""
        return self.name

    def locked(self) -> None:
        """Compute a value that was given as a function."""
        if callable(self._payload):
            self.notification.payload_json = self._payload()

    @classmethod
    def write(cls, connection: Connection, models: Models, changes: Sequence[Self], _inboxes: Inboxes) -> None:
        """Upsert the rows. A removal is one, too: a DELETE would leave nothing to tell."""
        now = models.clock()
        rows = [change._row(now) for change in changes]
        connection.execute(_upsert(models.notification, connection.dialect.name), rows)

    def _row(self, now: float) -> dict[str, Any]:
        expires_at = None if self.expires_in is None else now + self.expires_in
        self.notification.expires_at = expires_at
        return {
            "recipient_id": self.key,
            "name": self.name,
            "timestamp": self.timestamp,
            "payload": self.notification.payload_json,
            "expires_at": expires_at,
            "removed": self.notification.removed,
        }

    def committed(self) -> None:
        """Give the caller's notification its recipient and timestamp."""
        self.notification.recipient_id = self.key
        self.notification.timestamp = self.timestamp


def _upsert(table: Table, dialect: str) -> Insert:
    columns = ("timestamp", "payload", "expires_at", "removed")
    if dialect == "postgresql":
        on_postgresql = postgresql.insert(table)
        return on_postgresql.on_conflict_do_update(
            index_elements=["recipient_id", "name"],
            set_={column: on_postgresql.excluded[column] for column in columns},
        )
    if dialect == "sqlite":
        on_sqlite = sqlite.insert(table)
        return on_sqlite.on_conflict_do_update(
            index_elements=["recipient_id", "name"],
            set_={column: on_sqlite.excluded[column] for column in columns},
        )
    on_mariadb = mysql.insert(table)
    return on_mariadb.on_duplicate_key_update({column: on_mariadb.inserted[column] for column in columns})


def add(
    models: Models,
    recipient: Any,
    name: str,
    data: Any,
    *,
    expires_in: float | None,
    max_payload: int,
) -> NotificationColumns:
    """Collect a value for a recipient; it replaces what they have under that name.

    :param data: a JSON value, or a function that returns one (see
        :meth:`.RecipientMixin.add_notification`).
    :param expires_in: seconds from the commit after which the value is gone, or None.
    :param max_payload: bytes that the JSON text may have.
    :return: a transient notification, whose timestamp is set when the commit has happened.
    :raises InvalidName: see :func:`check_name`.
    :raises InvalidPayload: if the data is no JSON or too much of it.
    """
    check_name(name)
    check_expiry(expires_in)
    payload = (lambda: encode(data(), max_payload)) if callable(data) else encode(data, max_payload)
    change = ValueChange(models, recipient, name, payload, expires_in)
    if name != UNREAD_COUNT:
        emission.collect(change)
    return change.notification


def give(models: Models, recipient: Any, name: str, payload: str, expires_in: float | None) -> None:
    """Collect a value that was checked, for a recipient who may be known by key alone."""
    if name != UNREAD_COUNT:
        emission.collect(ValueChange(models, recipient, name, payload, expires_in))


def give_alike(
    connection: Connection,
    models: Models,
    keys: Sequence[RecipientKey],
    *,
    name: str,
    payload: str,
    expires_in: float | None,
    now: float,
) -> None:
    """Write one value for many, whose inboxes are locked and have just moved on.

    :param now: Unix seconds, from which ``expires_in`` counts.
    """
    source, table = models.inbox.c, models.notification
    expires_at = None if expires_in is None else now + expires_in
    values = {"name": name, "payload": payload, "expires_at": expires_at, "removed": False}
    constants = statements.constants(table, values)
    rows = (
        select(source.recipient_id, source.cursor, *constants)
        .where(inbox.among(connection, source.recipient_id, keys))
        .order_by(source.recipient_id)
    )
    upsert: Any = _upsert(table, connection.dialect.name)
    connection.execute(upsert.from_select(["recipient_id", "timestamp", *values], rows))


def remove(models: Models, recipient: Any, name: str) -> NotificationColumns:
    """Collect the removal of a name; clients are told that it is gone.

    :raises InvalidName: see :func:`check_name`.
    """
    check_name(name)
    change = ValueChange(models, recipient, name, payload=None)
    if name != UNREAD_COUNT:
        emission.collect(change)
    return change.notification


def check_name(name: object) -> None:
    """Refuse a name that some database could not store, or would take for another.

    :raises InvalidName: unless it is a string of 1 to 128 characters that does not begin or
        end with white space, and contains no NUL and no half of a surrogate pair.
    """
    if not isinstance(name, str):
        raise InvalidName(f"A notification's name must be a str, got {type(name).__name__}")
    if not 1 <= len(name) <= MAX_NAME:
        raise InvalidName(f"A notification's name must have 1 to {MAX_NAME} characters, got {len(name)}")
    if name != name.strip():
        raise InvalidName(f"A notification's name must not begin or end in space, got {name!r}")
    if "\0" in name or any("\ud800" <= char <= "\udfff" for char in name):
        raise InvalidName(f"A notification's name must be text that UTF-8 can hold, got {name!r}")


def encode(data: Any, max_payload: int) -> str:
    """Return data as JSON text.

    :raises InvalidPayload: if it is not JSON (nor are NaN and the infinities), or longer than
        ``max_payload`` bytes.
    """
    try:
        text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidPayload(
            f"A notification's data must be JSON (dict, list, str, int, finite float, bool, "
            f"None), got {type(data).__name__}: {error}. Convert it first."
        ) from error
    if len(text) > max_payload:
        raise InvalidPayload(
            f"A notification's data must have at most {max_payload} bytes as JSON, got "
            f"{len(text)}. Send a key and let the page fetch the rest, or raise "
            "NOTIFY_MAX_PAYLOAD."
        )
    return text


def check_expiry(expires_in: object) -> None:
    """Refuse what is no time to live.

    :raises InvalidPayload: unless it is None or a finite number of seconds above 0.
    """
    if expires_in is None:
        return
    if (
        isinstance(expires_in, bool)
        or not isinstance(expires_in, (int, float))
        or not math.isfinite(expires_in)
        or expires_in <= 0
    ):
        raise InvalidPayload(f"expires_in must be a positive number of seconds or None, got {expires_in!r}")


def live(session: Session, models: Models, recipient: Any, *, now: float) -> list[NotificationColumns]:
    """Return what a recipient has, oldest first, with what the session has collected on top.

    :param now: Unix seconds; what has expired by then is left out.
    """
    Notification = cast(Any, models.Notification)
    changes = [
        change
        for change in emission.pending(session)
        if isinstance(change, ValueChange) and change.recipient is recipient
    ]
    collected = {change.name: change for change in changes}
    for change in collected.values():
        change.locked()  # a function says what the value would be now
    key = emission.key_of(recipient)
    stored = session.scalars(select(Notification).where(Notification.recipient_id == key).order_by("timestamp"))
    present = [
        row
        for row in stored
        if row.name not in collected and not row.removed and (row.expires_at is None or row.expires_at > now)
    ]
    return present + [c.notification for c in collected.values() if not c.notification.removed]
