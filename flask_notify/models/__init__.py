"""The tables, built on the application's own ``db`` as soon as its user model is mapped."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Column, ForeignKey, MetaData, String, Table, event
from sqlalchemy.orm import Mapper, mapped_column, relationship, synonym
from sqlalchemy.schema import sort_tables
from sqlalchemy.sql.elements import ColumnElement

from ..errors import ConfigurationError, WrittenByHand
from .columns import ID_TYPE, MAX_NAME, RecipientKey
from .live import InboxColumns, NotificationColumns
from .moving import FanoutColumns, FanoutRecipientColumns, LeaseColumns, MailColumns, RelayColumns
from .pushing import PushColumns, PushPreferenceColumns, PushSubscriptionColumns
from .reading import BlockColumns, MessageColumns, PreferenceColumns, WatchColumns

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

__all__ = [
    "MAX_NAME",
    "VERSION_TABLE",
    "BlockColumns",
    "FanoutColumns",
    "FanoutRecipientColumns",
    "InboxColumns",
    "LeaseColumns",
    "MailColumns",
    "MessageColumns",
    "Models",
    "NotificationColumns",
    "PreferenceColumns",
    "PushColumns",
    "PushPreferenceColumns",
    "PushSubscriptionColumns",
    "RecipientKey",
    "RelayColumns",
    "WatchColumns",
    "build",
]

VERSION_TABLE = "notify_alembic_version"
"""Where the migrations that ship with Flask-Notify keep their own version."""


class _TableOf:
    """The table of one of the mapped classes."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, models: Models, owner: type[Models]) -> Table:
        return cast(Table, getattr(models, self._name).__table__)


@dataclass(eq=False)
class Models:
    """The mapped classes of one ``db``, and the clock by which they are stamped."""

    db: SQLAlchemy
    user_mapper: Mapper[Any]
    Inbox: type[InboxColumns]
    Notification: type[NotificationColumns]
    Message: type[MessageColumns]
    Preference: type[PreferenceColumns]
    Block: type[BlockColumns]
    Watch: type[WatchColumns]
    Mail: type[MailColumns]
    Fanout: type[FanoutColumns]
    FanoutRecipient: type[FanoutRecipientColumns]
    Lease: type[LeaseColumns]
    Relay: type[RelayColumns]
    PushSubscription: type[PushSubscriptionColumns]
    Push: type[PushColumns]
    PushPreference: type[PushPreferenceColumns]
    clock: Callable[[], float] = time.time

    inbox = _TableOf("Inbox")
    notification = _TableOf("Notification")
    message = _TableOf("Message")
    preference = _TableOf("Preference")
    block = _TableOf("Block")
    watch = _TableOf("Watch")
    mail = _TableOf("Mail")
    fanout = _TableOf("Fanout")
    fanout_recipient = _TableOf("FanoutRecipient")
    lease = _TableOf("Lease")
    relay = _TableOf("Relay")
    push_subscription = _TableOf("PushSubscription")
    push = _TableOf("Push")
    push_preference = _TableOf("PushPreference")

    @property
    def tables(self) -> list[Table]:
        """All of them, each before those that refer to it."""
        ours = [self.inbox, self.notification, self.message, self.preference, self.block, self.watch]
        ours += [self.mail, self.fanout, self.fanout_recipient, self.lease, self.relay]
        return sort_tables([*ours, self.push_subscription, self.push, self.push_preference])

    @property
    def of_a_recipient(self) -> Iterator[Table]:
        """Those with rows that belong to a recipient, the inbox last."""
        return (table for table in reversed(self.tables) if "recipient_id" in table.c)

    @property
    def key_column(self) -> ColumnElement[RecipientKey]:
        """The primary key column of the user table."""
        return self.user_table.primary_key.columns[0]

    @property
    def user_table(self) -> Table:
        """The table of the user model (of its base class, where models inherit)."""
        return cast(Table, self.user_mapper.local_table)

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
    user = cast(Table, user_mapper.local_table)
    mapping = _Mapping(db, user_mapper)
    # Only the inbox points at the user: inserting a child row locks its parent, and an
    # application that updates its user rows would deadlock with its own notifications.
    Inbox = mapping.map("NotifyInbox", InboxColumns, recipient_id=mapping.key(_key_of(user), primary_key=True))
    inbox = Inbox.__table__.c.recipient_id
    Fanout = mapping.map("NotifyFanout", FanoutColumns)
    return Models(
        db,
        user_mapper,
        Inbox,
        Notification=mapping.map(
            "NotifyNotification", NotificationColumns, recipient_id=mapping.key(inbox, primary_key=True)
        ),
        Message=mapping.map_message(inbox),
        Preference=mapping.map(
            "NotifyPreference", PreferenceColumns, recipient_id=mapping.key(inbox, primary_key=True)
        ),
        Block=mapping.map(
            "NotifyBlock",
            BlockColumns,
            recipient_id=mapping.key(inbox, primary_key=True),
            sender_id=mapping.key(primary_key=True),
        ),
        Watch=mapping.map("NotifyWatch", WatchColumns, recipient_id=mapping.key(inbox, primary_key=True)),
        Mail=mapping.map("NotifyMail", MailColumns, recipient_id=mapping.key(inbox)),
        Fanout=Fanout,
        FanoutRecipient=mapping.map(
            "NotifyFanoutRecipient",
            FanoutRecipientColumns,
            fanout_id=mapping.key(Fanout.__table__.c.id, type_=ID_TYPE, primary_key=True),
            recipient_id=mapping.key(primary_key=True),
        ),
        Lease=mapping.map("NotifyLease", LeaseColumns),
        Relay=mapping.map("NotifyRelay", RelayColumns, recipient_id=mapping.key(inbox)),
        PushSubscription=mapping.map(
            "NotifyPushSubscription", PushSubscriptionColumns, recipient_id=mapping.key(inbox)
        ),
        Push=mapping.map("NotifyPush", PushColumns, recipient_id=mapping.key(inbox)),
        PushPreference=mapping.map(
            "NotifyPushPreference", PushPreferenceColumns, recipient_id=mapping.key(inbox, primary_key=True)
        ),
    )


class _Mapping:
    """Maps classes beside a user model.

    :raises ConfigurationError: if the key of the user model is composite.
    """

    def __init__(self, db: SQLAlchemy, user_mapper: Mapper[Any]) -> None:
        self._user_mapper = user_mapper
        self._model = cast(type, db.Model)
        self._metadata: MetaData = cast(Table, user_mapper.local_table).metadata
        columns = list(user_mapper.local_table.primary_key)
        if len(columns) != 1:
            names = ", ".join(column.name for column in columns)
            raise ConfigurationError(
                f"{user_mapper.class_.__name__} must have a primary key of one column, got ({names}). "
                "Give it a key of its own, and make the present one a UniqueConstraint."
            )
        self._key_type = columns[0].type

    def key(self, parent: Any = None, type_: Any = None, **options: Any) -> Any:
        """Return a column of the key's type that refers to a column, unless that is None."""
        references = [] if parent is None else [ForeignKey(parent, ondelete="CASCADE", onupdate="CASCADE")]
        options = {"autoincrement": False, "nullable": False, "sort_order": -1, **options}
        return mapped_column(copy.copy(type_ or self._key_type), *references, **options)

    def map(self, name: str, columns: type, **attributes: Any) -> Any:
        """Map a class with these columns and attributes."""
        body = {"__doc__": columns.__doc__, "metadata": self._metadata, **attributes}
        return type(self._model)(name, (columns, self._model), body)

    def map_message(self, inbox: Any) -> Any:
        """Map the messages, with the users whom they are from and for."""
        # The sender is no reference: a sender who was deleted reads as none.
        sender_id, recipient_id = self.key(nullable=True), self.key(inbox)
        Message = self.map(
            "NotifyMessage",
            MessageColumns,
            recipient_id=recipient_id,
            sender_id=sender_id,
            sender=self._user(sender_id),
            recipient=self._user(recipient_id),
            author=synonym("sender"),
        )
        for happening in ("before_insert", "before_delete"):
            event.listen(Message, happening, _refuse_by_hand)
        return Message

    def _user(self, key: Any) -> Any:
        users = self._user_mapper
        return relationship(
            users.class_,
            primaryjoin=lambda: key.column == _key_of(cast(Table, users.local_table)),
            foreign_keys=lambda: [key.column],
            viewonly=True,
        )


def _refuse_by_hand(_mapper: Any, _connection: Any, message: Any) -> None:
    raise WrittenByHand(
        f"Messages are written by notify.send(), which keeps the recipient's count of unseen ones, "
        f"got {message!r} added to or deleted from a session. Call notify.send(…, to=user), or mark it seen."
    )


def _key_of(table: Table) -> ColumnElement[RecipientKey]:
    return table.primary_key.columns[0]
