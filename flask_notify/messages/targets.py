"""What of a message its recipient may see now: its target may have been deleted, or hidden from them (row B11)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID

from flask import current_app
from markupsafe import Markup, escape
from sqlalchemy import inspect, select
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import set_committed_value

from ..errors import InvalidMessage
from ..language import gettext, ngettext
from ..models import MessageColumns, Models, RecipientKey
from ..visibility import visible_keys
from .richtext import sanitise, to_text, with_base

_LARGEST = 2**63 - 1  # of an integer key; a driver refuses more


class Target(NamedTuple):
    """What has become of the object that a message is about."""

    object: Any = None
    """The object, or None if there is none (any more) or the recipient may not see it."""
    deleted: bool = False
    hidden: bool = False


@dataclass(frozen=True, eq=False)
class Shown:
    """A message as its recipient may see it: on the page, as JSON and in a mail alike."""

    id: int
    type: str
    label: str
    """What people read for the type."""
    subject: str
    body_html: Markup | None
    body_text: str | None
    url: str | None
    sender: Any
    """The user who caused it, or None."""
    target: Any
    """The object that it is about, or None."""
    data: Any
    created_at: datetime
    cursor: float
    seen: bool
    seen_at: datetime | None
    count: int
    """How many times it has been told while it was unseen."""
    available: bool
    """Whether the recipient may see it; else all that could tell of it is left out."""

    @property
    def summary(self) -> str:
        """The body in one line, where there is one, else the subject."""
        return " ".join((self.body_text or self.subject).split())

    @property
    def more(self) -> str:
        """What is added where it was told more than once: "and 3 more"; else empty."""
        if self.count <= 1:
            return ""
        return ngettext("and %(num)d more", "and %(num)d more", self.count - 1)

    @property
    def author(self) -> Any:
        """The same as ``sender``: a template for the Mega-Tutorial's posts renders messages, too."""
        return self.sender

    @property
    def timestamp(self) -> datetime:
        """The same as ``created_at``, likewise."""
        return self.created_at

    @property
    def body(self) -> str:
        """What it says, likewise."""
        return self.body_text or self.subject


def show(models: Models, recipient: Any, messages: Sequence[MessageColumns], base_url: str = "") -> list[Shown]:
    """Return what a recipient may see of some messages, in their order.

    It takes one statement per kind of target, and one for the senders unless they are loaded
    with the messages (``joinedload(Message.sender)``).

    :param recipient: the user who looks.
    :param base_url: what stands before a path of this site in a mail: "https://example.org".
    """
    messages = list(messages)
    targets = load_targets(models, recipient, messages)
    senders = load_senders(models, [message for message in messages if not targets[message.id].hidden])
    return [_show(message, targets[message.id], senders.get(message.sender_id), base_url) for message in messages]


def load_targets(models: Models, recipient: Any, messages: Iterable[MessageColumns]) -> dict[int, Target]:
    """Return what has become of the target of each message, by the message's key.

    A model says by a class method ``visible_to(recipient, ids)`` which of the objects with these
    keys a recipient may see; it is asked once for all of them, and returns their keys. A model
    without it is seen by everybody.
    """
    targets: dict[int, Target] = {}
    by_type: defaultdict[str, list[MessageColumns]] = defaultdict(list)
    for message in messages:
        targets[message.id] = Target()
        if message.target_type is not None:
            by_type[message.target_type].append(message)
    for name, about in by_type.items():
        mapper = _model_named(models, name)
        objects = {} if mapper is None else _load(models, mapper, about)
        visible = set() if mapper is None else visible_keys(mapper.class_, recipient, objects)
        for message in about:
            # Of what was deleted nobody can be asked any more: its text stays, as it was told.
            key = None if mapper is None else _parse(mapper, message.target_id)
            if key is None or key not in objects:
                targets[message.id] = Target(deleted=True)
            else:
                targets[message.id] = Target(objects[key]) if key in visible else Target(hidden=True)
    return targets


def find_visible(models: Models, recipient: Any, target_type: str | None, target_id: str | None) -> Any:
    """Return the object that a page has named; None if there is none, or the recipient may not see it.

    :param target_type: the name of its model.
    :param target_id: its key as text.
    """
    mapper = None if target_type is None else _model_named(models, target_type)
    # No database has such a key, and PostgreSQL refuses to look for one.
    key = None if mapper is None or target_id is None or "\0" in target_id else _parse(mapper, target_id)
    if mapper is None or key is None:
        return None
    found = models.db.session.get(mapper.class_, key)
    if found is None:
        return None
    own = inspect(found).identity[0]  # a database that is not exact about texts finds another's
    return found if own in visible_keys(mapper.class_, recipient, [own]) else None


def load_senders(models: Models, messages: Iterable[MessageColumns]) -> dict[RecipientKey, Any]:
    """Return the senders of some messages by their keys, reading in one statement those that the session has not."""
    session, mapper = models.db.session, models.user_mapper
    senders: dict[RecipientKey, Any] = {}
    waiting: list[MessageColumns] = []
    for message in messages:
        if message.sender_id is None:
            continue
        if "sender" in inspect(message).unloaded:
            waiting.append(message)
        else:
            senders[message.sender_id] = cast(Any, message).sender
    missing = set()
    for key in {message.sender_id for message in waiting} - set(senders):
        present = session.identity_map.get(mapper.identity_key_from_primary_key((key,)))
        if present is None or inspect(present).expired:
            missing.add(key)
        else:
            senders[key] = present
    if missing:
        found = session.scalars(select(mapper.class_).where(models.key_column.in_(missing)))
        senders.update((inspect(user).identity[0], user) for user in found)
    for message in waiting:
        set_committed_value(message, "sender", senders.get(message.sender_id))
    return senders


def _show(message: MessageColumns, target: Target, sender: Any, base_url: str) -> Shown:
    if target.hidden:
        subject, html, text = gettext("This is no longer available."), None, None
    else:
        subject, (html, text) = message.subject, _body(message, base_url)
    return Shown(
        id=message.id,
        type=message.type,
        label=_label(message.type),
        subject=subject,
        body_html=html,
        body_text=text,
        url=None if target.hidden or target.deleted else message.url,
        sender=None if target.hidden else sender,
        target=target.object,
        data=None if target.hidden else message.get_data(),
        created_at=cast(datetime, message.created_at),
        cursor=message.cursor,
        seen=message.seen,
        seen_at=cast("datetime | None", message.seen_at),
        count=message.count,
        available=not target.hidden,
    )


def _body(message: MessageColumns, base_url: str) -> tuple[Markup | None, str | None]:
    body = message.body
    if not body:
        return None, None
    if message.rich:
        try:
            # Once more: what stands in the database need not have come by notify.send().
            return Markup(with_base(sanitise(body), base_url)), to_text(body, base_url)  # noqa: S704
        except InvalidMessage:
            pass
    return Markup("<br>\n").join(escape(line) for line in body.splitlines()), body


def _label(name: str) -> str:
    types = getattr(current_app.extensions["notify"].notify, "message_types", {})
    kind = types.get(name)
    # One that has gone from the code still has its name.
    return name.replace("_", " ").capitalize() if kind is None else str(kind.title())


def _model_named(models: Models, name: str) -> Mapper[Any] | None:
    """Return the application's model of that name; None where there is none, or nobody can tell which is meant."""
    found = [mapper for mapper in models.user_mapper.registry.mappers if mapper.class_.__name__ == name]
    return found[0] if len(found) == 1 and len(found[0].primary_key) == 1 else None


def _load(models: Models, mapper: Mapper[Any], messages: Iterable[MessageColumns]) -> dict[Any, Any]:
    keys = {_parse(mapper, message.target_id) for message in messages} - {None}
    if not keys:
        return {}
    wanted = select(mapper.class_).where(mapper.primary_key[0].in_(keys))
    return {inspect(found).identity[0]: found for found in models.db.session.scalars(wanted)}


def _parse(mapper: Mapper[Any], text: str | None) -> Any:
    """Return the key that a text stands for; None if it stands for none."""
    if text is None:
        return None
    try:
        kind = mapper.primary_key[0].type.python_type
        key = kind(text) if kind in (int, UUID, str) else None
    except (ValueError, NotImplementedError):
        return None
    return None if isinstance(key, int) and abs(key) > _LARGEST else key
