"""The tables, built on the application's own ``db`` as soon as its user model is mapped."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.mysql import LONGTEXT, VARCHAR
from sqlalchemy.orm import Mapped, Mapper, mapped_column
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from .errors import ConfigurationError

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

RecipientKey: TypeAlias = Any
"""A value of the user model's primary key: an int, a UUID or a str."""

MAX_NAME = 128

VERSION_TABLE = "notify_alembic_version"
"""Where the migrations that ship with Flask-Notify keep their own version."""

# The types are SQLAlchemy's own and no decorators, so that a migration which an application
# generates stands by itself: Alembic writes a foreign type without its import.
_binary_name = VARCHAR(MAX_NAME, charset="utf8mb4", collation="utf8mb4_bin")
NAME_TYPE = String(MAX_NAME).with_variant(_binary_name, "mysql", "mariadb")
JSON_TEXT_TYPE = Text().with_variant(LONGTEXT(), "mysql", "mariadb")


class InboxColumns:
    """One row per recipient: the lock that orders writers, and the answer to an idle poll."""

    __tablename__ = "notify_inbox"

    recipient_id: Mapped[RecipientKey]
    cursor: Mapped[float] = mapped_column(Double, nullable=False, default=0.0, server_default="0")
    """The newest timestamp, in Unix seconds; strictly increasing, in commit order."""
    reset_cursor: Mapped[float] = mapped_column(Double, nullable=False, default=0.0, server_default="0")
    """A ``since`` older than this gets the whole state (see ``flask notify reset-cursors``)."""
    unseen_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0, server_default="0")
    unseen_cursor: Mapped[float] = mapped_column(Double, nullable=False, default=0.0, server_default="0")
    """The cursor at which ``unseen_count`` changed last."""


class NotificationColumns:
    """A live, named value for one recipient; writing a name replaces it."""

    __tablename__ = "notify_notification"
    # The primary key is the table itself: no second index to keep, and a recipient's names
    # lie side by side. (InnoDB does this by itself.)
    __table_args__: ClassVar[dict[str, Any]] = {"sqlite_with_rowid": False}

    recipient_id: Mapped[RecipientKey]
    # MariaDB's default collation takes Task and task for one name; the others do not.
    name: Mapped[str] = mapped_column(NAME_TYPE, primary_key=True)
    timestamp: Mapped[float] = mapped_column(Double, nullable=False)
    """Unix seconds, given at the commit; None until then."""
    # Text, and no JSON type: a JSON column of SQLite turns 2**70 into a float and 1.0 into 1,
    # and PostgreSQL's would have to be cast back to the text that the poll passes on.
    payload_json: Mapped[str | None] = mapped_column("payload", JSON_TEXT_TYPE, nullable=True)
    """The JSON text of the value; None where the name was removed."""
    expires_at: Mapped[float | None] = mapped_column(Double, nullable=True)
    """Unix seconds after which the value is gone, or None."""
    # Not false(): Alembic writes that as the database at hand has it, and 0 is no Boolean elsewhere.
    removed: Mapped[bool] = mapped_column(Boolean, nullable=False, default=False, server_default="0")

    def get_data(self) -> Any:
        """Return the value that was emitted; None where the name was removed."""
        return None if self.payload_json is None else json.loads(self.payload_json)

    @property
    def payload(self) -> Any:
        """The value, as :meth:`get_data` gives it."""
        return self.get_data()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} for {self.recipient_id!r}>"


@dataclass(eq=False)
class Models:
    """The mapped classes of one ``db``, and the clock by which they are stamped."""

    db: SQLAlchemy
    user_mapper: Mapper[Any]
    Inbox: type[InboxColumns]
    Notification: type[NotificationColumns]
    clock: Callable[[], float] = time.time

    @property
    def key_column(self) -> ColumnElement[RecipientKey]:
        """The primary key column of the user table."""
        return self.user_table.primary_key.columns[0]

    @property
    def user_table(self) -> Table:
        """The table of the user model (of its base class, where models inherit)."""
        return cast(Table, self.user_mapper.local_table)

    @property
    def inbox(self) -> Table:
        """The table ``notify_inbox``."""
        return cast(Table, self.Inbox.__table__)  # type: ignore[attr-defined]  # mapped in build()

    @property
    def notification(self) -> Table:
        """The table ``notify_notification``."""
        return cast(Table, self.Notification.__table__)  # type: ignore[attr-defined]  # likewise

    @property
    def bind_key(self) -> str | None:
        """The Flask-SQLAlchemy bind in which the user model, and so every table, lives."""
        return cast("str | None", self.user_table.metadata.info.get("bind_key"))

    def declare_version_table(self) -> None:
        """Make the table of the shipped migrations known: Alembic drops those that it is not told of."""
        metadata = self.user_table.metadata
        version = Column("version_num", String(32), primary_key=True)
        # Application factories run more than once: extending it with what it has is no error.
        Table(VERSION_TABLE, metadata, version, extend_existing=True)


def build(db: SQLAlchemy, user_mapper: Mapper[Any]) -> Models:
    """Map the tables for a user model, with its key's type and in its bind.

    :raises ConfigurationError: if the key of the user model is composite.
    """
    table = cast(Table, user_mapper.local_table)
    key = _key_type(user_mapper)
    # Only the inbox points at the user: inserting a child row locks its parent, and an
    # application that updates its user rows would deadlock with its own notifications.
    Inbox = _map(db, table.metadata, "NotifyInbox", InboxColumns, key, _key_of(table))
    inbox_key = Inbox.__table__.c.recipient_id
    Notification = _map(db, table.metadata, "NotifyNotification", NotificationColumns, key, inbox_key)
    return Models(db, user_mapper, Inbox, Notification)


def _map(
    db: SQLAlchemy,
    metadata: MetaData,
    name: str,
    columns: type,
    key: TypeEngine[Any],
    parent: Any,
) -> Any:
    recipient_id = mapped_column(
        copy.copy(key),
        ForeignKey(parent, ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
        autoincrement=False,
        sort_order=-1,
    )
    body = {"__doc__": columns.__doc__, "metadata": metadata, "recipient_id": recipient_id}
    model = cast(type, db.Model)
    return type(model)(name, (columns, model), body)


def _key_of(table: Table) -> ColumnElement[RecipientKey]:
    return table.primary_key.columns[0]


def _key_type(user_mapper: Mapper[Any]) -> TypeEngine[Any]:
    columns = list(user_mapper.local_table.primary_key)
    if len(columns) != 1:
        names = ", ".join(column.name for column in columns)
        raise ConfigurationError(
            f"{user_mapper.class_.__name__} must have a primary key of one column, got ({names}). "
            "Give it a key of its own, and make the present one a UniqueConstraint."
        )
    return columns[0].type
