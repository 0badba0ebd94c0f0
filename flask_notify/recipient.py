"""What a user can do once the user model has :class:`RecipientMixin`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

from flask import current_app, has_app_context, has_request_context
from flask_login import current_user
from sqlalchemy import Connection, event
from sqlalchemy.orm import Mapper

from . import emission, inbox, models
from .config import DEFAULTS, Settings
from .errors import ConfigurationError
from .live import notifications
from .messages import browser_messages, mailbox, preferences, seen, targets
from .messages.message_types import Registry, unwrapped
from .messages.outgoing import key_of_user
from .pushing.preferences import OpinionChange, check_opinion
from .rules import MailMode

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

_KEY = "flask_notify"
_SHIPPED = "flask_notify.shipped_migrations"


class RecipientMixin:
    """Makes a user model one whose users can be notified.

    Put it first among the base classes: ``class User(RecipientMixin, UserMixin, db.Model)``.
    It adds no column; the tables ``notify_*`` are mapped when the user model is.
    """

    __notify_overrides__: ClassVar[frozenset[str] | set[str]] = frozenset()
    """Names of this mixin that the user model means to override."""

    def add_notification(self, name: str, data: Any, *, expires_in: float | None = None) -> models.NotificationColumns:
        """Give the user a live value; it replaces what they have under that name.

        Nothing is committed: the value is written when the caller commits, and a rollback
        leaves nothing behind. (The Flask Mega-Tutorial, part XXI.)

        :param name: 1 to 128 characters; case matters.
        :param data: any JSON value, as it is now: changing it afterwards changes nothing. Or a
            function without arguments that returns one. It is called at the commit, when nobody
            else can write to this user any more: a count that it makes is right, whoever else
            counts at the same time.
        :param expires_in: seconds from the commit after which the value is gone.
        :return: the notification. Its ``timestamp`` is set when the commit has happened.
        :raises InvalidName: if the name is not one that every database can store.
        :raises InvalidPayload: if the data is not JSON or larger than ``NOTIFY_MAX_PAYLOAD``.
        """
        mine = models_of(self)
        if name == notifications.UNREAD_COUNT:
            _warn_of_count()
        return notifications.add(
            mine,
            self,
            name,
            data,
            expires_in=expires_in,
            max_payload=_max_payload(),
        )

    def remove_notification(self, name: str) -> models.NotificationColumns:
        """Remove a live value; open pages are told, and drop it.

        :param name: the name that it was given. One that the user does not have is no error.
        :raises InvalidName: if no notification could have that name.
        """
        mine = models_of(self)
        if name == notifications.UNREAD_COUNT:
            _warn_of_count()
        return notifications.remove(mine, self, name)

    def send_browser_message(
        self, subject: str, body: str | None = None, url: str | None = None
    ) -> models.NotificationColumns:
        """Show the user's open pages a message, at the commit; it is kept nowhere (Lino's name).

        The page that is looked at shows it as a toast. If none is, and the user has switched them on, it is a
        desktop notification. A later one takes the place of one that a page has not asked for yet: send what
        must not be missed by :meth:`.Notify.send`.

        :param subject: 1 to 250 characters, in one line.
        :param body: more text, or None.
        :param url: where a click leads to, http(s) or a path of this site, or None.
        :raises InvalidMessage: if it is not that.
        :raises InvalidPayload: if it is longer than ``NOTIFY_MAX_PAYLOAD``.
        """
        settings = current_app.extensions["notify"].settings
        return browser_messages.send(models_of(self), settings, self, subject, body, url)

    @property
    def notifications(self) -> list[models.NotificationColumns]:
        """The user's live values, oldest first, with those that wait for the commit."""
        mine = models_of(self)
        session = emission.session_of(mine, self)
        return notifications.live(session, mine, self, now=mine.clock())

    @property
    def unread_message_count(self) -> int:
        """How many messages the user has not seen, with what waits for the commit."""
        mine = models_of(self)
        return seen.unseen_count(emission.session_of(mine, self), mine, self)

    def new_messages(self) -> int:
        """Return how many messages the user has not seen (the Mega-Tutorial's name)."""
        return self.unread_message_count

    @property
    def messages_received(self) -> mailbox.Mailbox:
        """What the user was told, newest first; ``.select()`` gives a statement to narrow down."""
        mine = models_of(self)
        return mailbox.received(emission.session_of(mine, self), mine, emission.key_of(self))

    @property
    def messages_sent(self) -> mailbox.Mailbox:
        """What the user has caused others to be told, newest first."""
        mine = models_of(self)
        return mailbox.sent(emission.session_of(mine, self), mine, emission.key_of(self))

    @property
    def last_message_read_time(self) -> datetime | None:
        """When the user has last seen a message, or None."""
        mine = models_of(self)
        return mailbox.last_read(emission.session_of(mine, self), mine, emission.key_of(self))

    def show_messages(self, messages: Iterable[models.MessageColumns]) -> list[targets.Shown]:
        """Return what the user may see now of their messages, for a page of your own.

        Of a message about something that they may no longer see nothing is told. It takes a few statements,
        however many messages there are.

        :param messages: in the order in which they are to be shown; messages of others are left out.
        """
        key = emission.key_of(self)
        own = [message for message in messages if message.recipient_id == key]
        return targets.show(models_of(self), self, own)

    def mark_seen(self, *messages: models.MessageColumns | int) -> seen.Marked:
        """Mark messages of the user as seen, at the commit; others' are passed over.

        :param messages: messages, or their keys.
        :return: an object whose ``changed`` tells, after the commit, how many were unseen before.
        """
        return seen.mark(models_of(self), self, seen=True, ids=_ids(messages))

    def mark_unseen(self, *messages: models.MessageColumns | int) -> seen.Marked:
        """Let messages of the user count as unseen again; see :meth:`mark_seen`. They are not mailed again."""
        return seen.mark(models_of(self), self, seen=False, ids=_ids(messages))

    def mark_all_seen(self, until: float | None = None) -> seen.Marked:
        """Mark all messages of the user as seen; see :meth:`mark_seen`.

        :param until: a message's ``cursor``: those that came later stay unseen. Give that of the
            newest message that was shown.
        """
        return seen.mark(models_of(self), self, seen=True, until=until)

    def set_mail_mode(self, mode: MailMode | str | None, *, type: str | None = None) -> None:  # noqa: A002
        """Set how messages reach the user's mailbox, at the commit. What is not mailed yet follows.

        :param mode: None takes the user's opinion away.
        :param type: the name of a type of messages; None is in general.
        :raises InvalidPreference: if there is no such mode.
        :raises UnknownType: if there is no such type.
        """
        parsed = MailMode.parse(mode)
        if type is None:
            self._prefer({"mail_mode": parsed and parsed.value}, {})
        else:
            self._prefer({}, {_declared_types().find(type).name: parsed})

    def set_push(self, wanted: bool | None, *, type: str | None = None) -> None:  # noqa: A002
        """Set whether messages are pushed to the user's browsers, at the commit. What is not sent yet follows.

        :param wanted: None takes the user's opinion away.
        :param type: the name of a type of messages; None is in general.
        :raises InvalidPreference: if it is none of True, False and None.
        :raises UnknownType: if there is no such type.
        """
        check_opinion(wanted)
        if type is None:
            self._prefer({"push": wanted}, {})
        else:
            name = _declared_types().find(type).name
            emission.collect(OpinionChange(models_of(self), self, name, wanted))

    def set_notify_preferences(self, **settings: Any) -> None:
        """Set what else the user prefers, at the commit.

        :param settings: ``timezone`` (an IANA name), ``locale``, ``notify_myself`` (whether to be
            told of one's own doing), ``widget_hidden``, ``muted`` (whether nothing is to interrupt
            the user), ``desktop`` and ``push``; what is not given stays as it is.
        :raises InvalidPreference: for any other setting, or a value that it cannot have.
        """
        preferences.check_settings(settings)
        if settings:
            self._prefer(settings, {})

    def _prefer(self, settings: dict[str, Any], modes: dict[str, MailMode | None]) -> None:
        types = preferences.types_of(current_app.extensions["notify"].settings, _declared_types())
        emission.collect(preferences.PreferenceChange(models_of(self), self, settings, modes, types))

    def block_sender(self, sender: Any) -> None:
        """Take no more private messages from another user, from the commit on."""
        mine = models_of(self)
        emission.collect(preferences.BlockChange(mine, self, key_of_user(mine, sender), blocked=True))

    def unblock_sender(self, sender: Any) -> None:
        """Take private messages from another user again, from the commit on."""
        mine = models_of(self)
        emission.collect(preferences.BlockChange(mine, self, key_of_user(mine, sender), blocked=False))

    def has_blocked(self, sender: Any) -> bool:
        """Return whether the user takes no private messages from another."""
        mine = models_of(self)
        key, sender_key = emission.key_of(self), key_of_user(mine, sender)
        connection = emission.session_of(mine, self).connection(bind_arguments={"clause": mine.block})
        return bool(preferences.who_blocks(connection, mine, [key], [sender_key]))


def models_of(user: Any) -> models.Models:
    """Return the tables that were mapped for a user's model."""
    db: SQLAlchemy = type(user).__fsa__
    return cast(models.Models, db.metadata.info[_KEY])  # put there when the model was mapped


def find_models(db: SQLAlchemy) -> models.Models | None:
    """Return the tables of a ``db``, or None while no user model of it has the mixin."""
    # In the metadata, and not in the extension: application factories run more than once.
    return cast("models.Models | None", db.metadata.info.get(_KEY))


def declare_version_table(db: SQLAlchemy) -> None:
    """Declare the version table of the shipped migrations, now or as soon as the user model is mapped."""
    db.metadata.info[_SHIPPED] = True
    found = find_models(db)
    if found is not None:
        found.declare_version_table()


def check_collisions(user_model: type[Any]) -> None:
    """Refuse a user model that hides an attribute of the mixin without saying so.

    :raises ConfigurationError: naming the attribute, where it stands, and the way out.
    """
    names = {name for name in vars(RecipientMixin) if not name.startswith("_")}
    meant = set(user_model.__notify_overrides__)
    for owner in user_model.__mro__:
        if owner is RecipientMixin:
            return
        for name in sorted((names & set(vars(owner))) - meant):
            raise ConfigurationError(
                f"{owner.__name__}.{name} hides RecipientMixin.{name}. Rename yours, or, if "
                f"you mean to override it, set __notify_overrides__ = {{{name!r}}} on "
                f"{user_model.__name__}."
            )


_acting_as: ContextVar[Any] = ContextVar("flask_notify.acting_as", default=None)


@contextmanager
def acting_as(user: Any) -> Iterator[None]:
    """Let a user be the doer of what is done meanwhile (see :meth:`.Notify.acting_as`)."""
    token = _acting_as.set(unwrapped(user))
    try:
        yield
    finally:
        _acting_as.reset(token)


def acted_as() -> Any:
    """Return the user as whom somebody acts, or None."""
    return _acting_as.get()


def current_doer() -> Any:
    """Return the user whose doing is told of: the one acted as, else whoever is logged in, else None."""
    acted_as = _acting_as.get()
    if acted_as is not None or not has_request_context() or not hasattr(current_app, "login_manager"):
        return acted_as
    user = unwrapped(current_user)
    return user if isinstance(user, RecipientMixin) else None


def _ids(messages: Iterable[models.MessageColumns | int]) -> list[int]:
    return [message.id if isinstance(message, models.MessageColumns) else message for message in messages]


def _declared_types() -> Registry:
    return cast(Registry, current_app.extensions["notify"].notify.message_types)


def _max_payload() -> int:
    if has_app_context() and "notify" in current_app.extensions:
        return cast(Settings, current_app.extensions["notify"].settings).max_payload
    return cast(int, DEFAULTS["NOTIFY_MAX_PAYLOAD"])


def _warn_of_count() -> None:
    warnings.warn(
        f"{notifications.UNREAD_COUNT!r} is kept by Flask-Notify itself and told by every poll; "
        "writing it has no effect. Remove the call.",
        stacklevel=3,
    )


@event.listens_for(RecipientMixin, "after_mapper_constructed", propagate=True)
def _after_mapper_constructed(mapper: Mapper[Any], user_model: type[Any]) -> None:
    if mapper.inherits is not None:
        return
    db = getattr(user_model, "__fsa__", None)
    if db is None:
        raise ConfigurationError(
            f"{user_model.__name__} has RecipientMixin and must be a model of Flask-SQLAlchemy, "
            f"got bases {', '.join(base.__name__ for base in user_model.__bases__)}. "
            "Derive it from db.Model."
        )
    present = find_models(db)
    if present is not None:
        raise ConfigurationError(
            f"One user model per db can have RecipientMixin, got {user_model.__name__} beside "
            f"{present.user_mapper.class_.__name__}. Let the one inherit from the other."
        )
    db.metadata.info[_KEY] = models.build(db, mapper)
    if _SHIPPED in db.metadata.info:
        declare_version_table(db)


@event.listens_for(RecipientMixin, "after_insert", propagate=True)
def _after_insert(mapper: Mapper[Any], connection: Connection, user: Any) -> None:
    inbox.make(connection, models_of(user), mapper.primary_key_from_instance(user)[0])


@event.listens_for(RecipientMixin, "after_delete", propagate=True)
def _after_delete(mapper: Mapper[Any], connection: Connection, user: Any) -> None:
    inbox.forget(connection, models_of(user), mapper.primary_key_from_instance(user)[0])
