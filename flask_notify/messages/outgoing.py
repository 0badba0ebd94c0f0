"""What one emission says: all of it that is the same for every recipient."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, TypeAlias, cast

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper, Session

from ..config import Alongside, Settings
from ..errors import InvalidMessage
from ..local_time import Schedule
from ..models import Models, RecipientKey
from ..rules import MailMode
from . import popups
from .message_types import Changed, MessageType, Registry, System, Text, encode_data, make_text, unwrapped

TextFunction: TypeAlias = "Callable[[Any, MailMode], tuple[str, str | None] | None]"
"""Called for a recipient and their mail mode, returns subject and body, or None to skip them."""


@dataclass(frozen=True, eq=False)
class Outgoing:
    """One emission, before it is somebody's message."""

    content: MessageType
    function: TextFunction | None
    schedule: Schedule
    data_json: str | None
    sender_id: RecipientKey | None
    doer_id: RecipientKey | None
    target_type: str | None
    target_id: str | None
    alongside: tuple[Alongside, ...] = ()
    """What is written with its messages."""

    @property
    def kind(self) -> type[MessageType]:
        """The declared type."""
        return type(self.content)

    @property
    def is_the_same_for_all(self) -> bool:
        """Whether nothing of it has to be rendered for the recipient."""
        return self.kind is System and self.function is None

    @cached_property
    def is_the_same_for_a_language(self) -> bool:
        """Whether it is the same for all who read one language by one clock."""
        return isinstance(self.content, Changed)

    @cached_property
    def asks_users(self) -> bool:
        """Whether the recipients themselves have to be loaded for it."""
        if self.is_the_same_for_all:
            return False
        judge: Any = self.kind.allowed
        return not self.is_the_same_for_a_language or judge.__func__ is not cast(Any, MessageType.allowed).__func__

    @property
    def target(self) -> tuple[str, str] | None:
        """The object that it is about: its model's name, and its key as text."""
        return None if self.target_type is None or self.target_id is None else (self.target_type, self.target_id)

    @cached_property
    def group_key(self) -> str | None:
        """What messages have in common of which one unseen is enough; None if each counts."""
        if self.kind.collapse is None or self.target_type is None:
            return None
        group = f"{self.kind.name}\0{self.target_type}\0{self.target_id}"
        return blake2b(group.encode(), digest_size=32).hexdigest()

    def text_for(self, recipient: Any, mode: MailMode) -> Text | None:
        """Return what a recipient reads, in the language that is current; None to skip them."""
        if self.function is None:
            return self.content.text_for(recipient)
        made = self.function(recipient, mode)
        return None if made is None else make_text(made[0], made[1], None)

    def dump(self) -> str:
        """Return it as JSON text, for a fan-out.

        :raises InvalidMessage: if it is a function, which cannot be stored.
        """
        if self.function is not None:
            raise InvalidMessage(
                "A function can be sent to at most NOTIFY_INLINE_RECIPIENTS recipients, got more: what is to be "
                "rendered later has to be stored. Declare a MessageType, and send that."
            )
        content = self.content
        system = content.text._asdict() if isinstance(content, System) else None
        return json.dumps(
            {
                "type": content.name,
                "system": system,
                "texts": {key: text._asdict() for key, text in getattr(content, "texts", {}).items()},
                "data": content.data,
                "sender": _dump_key(self.sender_id),
                "doer": _dump_key(self.doer_id),
                "target": None if self.target_type is None else [self.target_type, self.target_id],
            }
        )


def outgoing(
    models: Models,
    settings: Settings,
    types: Registry,
    what: str | MessageType | TextFunction,
    *,
    doer: Any,
    **options: Any,
) -> Outgoing:
    """Check what is to be sent.

    :param what: a message, a text of the type ``system``, or a function of recipient and mode.
    :param doer: the user who does what is told, or None.
    :param options: ``sender``, ``target``, ``body``, ``url`` and ``data``, as of :meth:`.Notify.send`.
    :raises UnknownType: if the message is of a type that was not declared.
    :raises InvalidMessage: if something cannot be stored.
    """
    content, function = _content(what, options)
    if types.find(content.name) is not type(content):
        raise InvalidMessage(f"A message must be of a declared type, got {type(content)!r}. Register it.")
    sender_id = key_of_user(models, content.sender)
    target_type, target_id = target_of(content.target)
    return Outgoing(
        content,
        function,
        schedule_of(settings),
        encode_data(content.data, settings.max_payload),
        sender_id,
        doer_id=sender_id if doer is None else key_of_user(models, doer),
        target_type=target_type,
        target_id=target_id,
        alongside=_alongside(settings, content),
    )


def _content(
    what: str | MessageType | TextFunction, options: dict[str, Any]
) -> tuple[MessageType, TextFunction | None]:
    given = sorted(name for name, value in options.items() if value is not None)
    if isinstance(what, MessageType):
        if given:
            raise InvalidMessage(f"A {type(what).__name__} says everything itself, got {', '.join(given)} beside it.")
        return what, None
    data = options.get("data") or {}
    if not isinstance(data, dict):
        raise InvalidMessage(f"A message's data must be a dict with str keys, got {type(data).__name__}")
    whom = {"sender": options.get("sender"), "target": options.get("target")}
    if callable(what):
        return System("(a function)", **whom, **data), what
    return System(what, options.get("body"), options.get("url"), **whom, **data), None


def load(models: Models, settings: Settings, types: Registry, text: str, session: Session) -> Outgoing:
    """Return the emission that :meth:`Outgoing.dump` has stored, with its sender and target.

    :raises UnknownType: if its type has gone from the code.
    """
    stored = json.loads(text)
    kind = types.find(stored["type"])
    sender_id, doer_id = (_load_key(models, stored[name]) for name in ("sender", "doer"))
    target_type, target_id = stored["target"] or (None, None)
    sender = None if sender_id is None else session.get(models.user_mapper.class_, sender_id)
    target = find_target(models, session, target_type, target_id)
    content: MessageType
    if stored["system"] is None:
        content = kind(sender=sender, target=target, **stored["data"])
    else:
        system = Text(**stored["system"])
        content = System(system.subject, sender=sender, target=target, **stored["data"])
        content.text = system  # it was checked and sanitised before
    if isinstance(content, Changed):
        content.texts = {key: Text(**text) for key, text in stored["texts"].items()}
    data_json = encode_data(content.data, settings.max_payload)
    target_key, also = (target_type, target_id), _alongside(settings, content)
    return Outgoing(content, None, schedule_of(settings), data_json, sender_id, doer_id, *target_key, also)


def _alongside(settings: Settings, content: MessageType) -> tuple[Alongside, ...]:
    also = tuple(settings.alongside)
    return (*also, popups.write) if popups.asked_by(content) else also


def schedule_of(settings: Settings) -> Schedule:
    """Return the application's hours."""
    hour, minute = map(int, settings.digest_time.split(":"))
    return Schedule(settings.often_delay, hour, minute, settings.digest_weekday, settings.timezone)


def key_of_user(models: Models, user: Any) -> RecipientKey | None:
    """Return a user's key, flushing one who was only just added; None for no user.

    :raises InvalidMessage: for what is no user.
    """
    user = unwrapped(user)
    if user is None:
        return None
    if not isinstance(user, models.user_mapper.class_):
        raise InvalidMessage(f"A sender must be a {models.user_mapper.class_.__name__} or None, got {user!r}")
    return _key(user)


def target_of(target: Any) -> tuple[str, str] | tuple[None, None]:
    """Return by what a target is found again: its model's name, and its key as text.

    :raises InvalidMessage: for what is no stored object with a key of one column.
    """
    if target is None:
        return None, None
    state: Any = inspect(target, raiseerr=False)
    mapper = getattr(state, "mapper", None)
    if mapper is None or len(mapper.primary_key) != 1:
        raise InvalidMessage(f"A target must be an object of a model with a key of one column, got {target!r}")
    key = _key(target)
    if key is None:
        raise InvalidMessage(f"A target must be in the session, got {target!r}. Add it first.")
    return mapper.class_.__name__, str(key)


def find_target(models: Models, session: Session, target_type: str | None, target_id: str | None) -> Any:
    """Return the object that was a target, or None if it is gone."""
    if target_type is None or target_id is None:
        return None
    for mapper in mappers_named(models, target_type):
        try:
            key = mapper.primary_key[0].type.python_type(target_id)
        except (ValueError, TypeError):
            return None
        return session.get(mapper.class_, key)
    return None


def mappers_named(models: Models, name: str) -> Iterable[Mapper[Any]]:
    """Return the application's models of that name."""
    registry = models.user_mapper.registry
    return (mapper for mapper in registry.mappers if mapper.class_.__name__ == name)


def _key(instance: Any) -> Any:
    state: Any = inspect(instance)
    if state.identity is None and state.session is not None:
        state.session.flush()
    return state.identity[0] if state.identity else None


def _dump_key(key: RecipientKey | None) -> Any:
    return key if key is None or isinstance(key, (int, str)) else str(key)


def _load_key(models: Models, value: Any) -> RecipientKey | None:
    return None if value is None else models.key_column.type.python_type(value)
