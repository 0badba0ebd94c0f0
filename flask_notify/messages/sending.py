"""Sending a message: to whom, and in whose transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import SelectBase

from .. import emission, inbox
from ..config import Settings
from ..emission import ByKey
from ..errors import InvalidMessage
from ..language import in_language, language_matters
from ..models import Models, RecipientKey
from ..rules import MailMode
from ..site import visited
from . import fanout
from .message_rows import Copy
from .message_types import MessageType, Registry, Text, unwrapped
from .outgoing import Outgoing, TextFunction, outgoing
from .writing import Deciding, SendChange

_RECIPIENTS = 10_000
"""Recipients of whom is read at once what the rules ask for."""


class _Texts(NamedTuple):
    """What was rendered of emissions.

    :param differ: whether there is more than one language.
    :param made: texts by the emission, the language and the time zone.
    """

    differ: bool
    made: dict[tuple[int, str | None, str | None], Text | None]


@dataclass(frozen=True)
class Recipient:
    """One who is named in ``to``.

    :param user: an instance of the user model, or a :class:`.ByKey`.
    :param pair: the mode given beside it, or None.
    """

    key: RecipientKey
    user: Any
    pair: MailMode | None = None


def send(
    models: Models,
    settings: Settings,
    types: Registry,
    what: str | MessageType | TextFunction,
    to: Any,
    *,
    doer: Any,
    **options: Any,
) -> int:
    """Collect a message for recipients (see :meth:`.Notify.send`).

    :return: for how many recipients it was recorded.
    """
    one = outgoing(models, settings, types, what, doer=doer, **options)
    if isinstance(to, SelectBase):
        keys = keys_of(models, to)
        named = few(models, keys, settings.inline_recipients, models.db.session())
        if named is None:
            return record(models, settings, types, one, models.db.session(), keys)
    else:
        named = named_in(models, to)
        if len(named) > settings.inline_recipients:
            return record(models, settings, types, one, emission.session_of(models, named[0].user), named)
    if not named:
        return 0
    with visited(settings.base_url):
        return send_inline(emission.session_of(models, named[0].user), models, [(one, named)])


def record(
    models: Models,
    settings: Settings,
    types: Registry,
    one: Outgoing,
    session: Session,
    to: SelectBase | Sequence[Recipient],
) -> int:
    """Record what is sent to more than one transaction should lock, for a fan-out.

    :param to: recipients, or a select of their keys (see :func:`keys_of`).
    :return: how many there are.
    """
    if isinstance(to, SelectBase):
        return fanout.record_query(models, settings, types, one, to, session)
    pairs = [(recipient.key, recipient.pair) for recipient in to]
    return fanout.record_pairs(models, settings, types, one, session, pairs)


def keys_of(models: Models, query: SelectBase) -> SelectBase:
    """Return the keys alone of a query for keys, or for whole users."""
    rows = query.subquery()
    key = rows.corresponding_column(cast(Any, models.key_column))
    if key is None and len(rows.c) == 1:
        key = rows.c[0]
    if key is None:
        names = ", ".join(column.name for column in rows.c)
        raise InvalidMessage(
            f"to= must be a select() of keys of {models.user_mapper.class_.__name__}, got one of ({names}). "
            "Write select(User.id).where(…)."
        )
    return select(key.label("recipient_id")).where(key.is_not(None)).distinct()


def few(models: Models, keys: Any, limit: int, session: Session) -> list[Recipient] | None:
    """Return the recipients of a query, or None if there are more than so many."""
    found = session.scalars(keys.limit(limit + 1), bind_arguments={"clause": models.inbox}).all()
    return None if len(found) > limit else [Recipient(key, ByKey(key)) for key in found]


def named_in(models: Models, to: Any) -> list[Recipient]:
    """Return whom ``to`` names: each once, the first mode wins, nobody is left out (row B2)."""
    User = models.user_mapper.class_
    to = unwrapped(to)
    if to is None:
        return []
    items: Iterable[Any] = [to] if isinstance(to, User) else _iterated(to)
    named: dict[RecipientKey, Recipient] = {}
    for item in items:
        user, pair = item if isinstance(item, tuple) and len(item) == 2 else (item, None)
        user = unwrapped(user)
        if user is None:
            continue
        if not isinstance(user, User):
            raise InvalidMessage(
                f"A recipient must be a {User.__name__}, a ({User.__name__}, mail mode) pair or None, got {item!r}. "
                "Give keys as a select()."
            )
        key = _key_of(user)
        named.setdefault(key, Recipient(key, user, MailMode.parse(pair)))
    return list(named.values())


def _iterated(to: Any) -> Iterable[Any]:
    if isinstance(to, (str, bytes, dict)) or not isinstance(to, Iterable):
        raise InvalidMessage(f"to= must be a user, an iterable of users or pairs, or a select() of keys, got {to!r}")
    return to


def _key_of(user: Any) -> RecipientKey:
    key = emission.key_of(user)
    if key is None:
        session = Session.object_session(user)
        if session is None:
            raise InvalidMessage(f"A recipient must be in the session, got {user!r}. Add the user before you send.")
        session.flush()
        key = emission.key_of(user)
    return key


def send_inline(session: Session, models: Models, emissions: Sequence[tuple[Outgoing, Sequence[Recipient]]]) -> int:
    """Collect what is sent to recipients of whom there are not too many for one transaction.

    However many emissions and recipients there are, what the rules ask for is read once for each
    some thousands of recipients.

    :return: how many messages were recorded.
    """
    wanted: dict[RecipientKey, list[tuple[Outgoing, Recipient]]] = {}
    for one, named in emissions:
        for recipient in named:
            wanted.setdefault(recipient.key, []).append((one, recipient))
    texts = _Texts(language_matters(), {})
    keys = list(wanted)
    return sum(
        _send_some(session, models, {key: wanted[key] for key in keys[start : start + _RECIPIENTS]}, texts)
        for start in range(0, len(keys), _RECIPIENTS)
    )


def _send_some(
    session: Session,
    models: Models,
    wanted: dict[RecipientKey, list[tuple[Outgoing, Recipient]]],
    texts: _Texts,
) -> int:
    connection = session.connection(bind_arguments={"clause": models.inbox})
    keys = list(wanted)
    outgoings = list({id(one): one for mine in wanted.values() for one, _ in mine}.values())
    states = _states(connection, models, keys)
    deciding = Deciding(connection, models, outgoings, keys)
    users = _users(session, models, wanted)
    recorded = 0
    for key, mine in wanted.items():
        state = states.get(key)
        for one, recipient in mine:
            user = users.get(key, recipient.user)
            allowed = not one.asks_users or bool(one.kind.allowed(user))
            decision = deciding.decide(one, key, state, recipient.pair, allowed=allowed)
            text = _text(one, user, state, decision.mode, texts) if decision.stored else None
            if text is not None:
                copy = Copy(one, key, text, recipient.pair)
                emission.collect(SendChange(models, recipient.user, copy), session)
                recorded += 1
    return recorded


def _text(one: Outgoing, user: Any, state: Any, mode: MailMode, texts: _Texts) -> Text | None:
    if one.is_the_same_for_all:
        return one.text_for(None, mode)
    locale, timezone = getattr(state, "locale", None), getattr(state, "timezone", None)
    if not one.is_the_same_for_a_language:
        with in_language(locale, timezone):
            return one.text_for(user, mode)
    alike = (id(one), locale, timezone) if texts.differ else (id(one), None, None)
    if alike not in texts.made:
        with in_language(locale, timezone):
            texts.made[alike] = one.text_for(None, mode)
    return texts.made[alike]


def _states(connection: Connection, models: Models, keys: Sequence[RecipientKey]) -> dict[RecipientKey, Any]:
    column = models.inbox.c
    query = select(column.recipient_id, column.mail_mode, column.notify_myself, column.locale, column.timezone)
    rows = connection.execute(query.where(inbox.among(connection, column.recipient_id, keys)))
    return {row.recipient_id: row for row in rows}


def _users(
    session: Session, models: Models, wanted: dict[RecipientKey, list[tuple[Outgoing, Recipient]]]
) -> dict[RecipientKey, Any]:
    """Load those who are known by key alone, if there is anything to render for them."""
    unknown = [
        key for key, mine in wanted.items() if any(isinstance(to.user, ByKey) and one.asks_users for one, to in mine)
    ]
    return fanout.users_by_key(session, models, unknown) if unknown else {}
