"""Why somebody was told something or not: the sender's own rules, and what is on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from .. import emission
from ..mailing.digest import address_of
from ..messages import preferences, watch_rows
from ..messages.message_types import MessageType
from ..messages.writing import case_for
from ..models import Models
from ..pushing.preferences import case_for as push_case_for
from ..pushing.preferences import own_opinions
from ..rules import RULES, MailMode, decide, decide_push


@dataclass(frozen=True)
class Told:
    """A stored message, the rule that sent it, and what became of its mail."""

    id: int
    type: str
    subject: str
    created_at: str
    mail_mode: str
    rule: str
    meaning: str
    mail: str
    push: str | None
    """What became of its pushes; None where none was owed."""


@dataclass(frozen=True)
class Verdict:
    """What would become of a message of one type."""

    type: str
    mail_mode: str
    rule: str
    meaning: str
    push: bool
    push_rule: str


@dataclass(frozen=True)
class Wanted:
    """The mode that a user has set for one object; ``silent`` is muted."""

    object: str
    mail_mode: str
    meaning: str


def of_messages(models: Models, user: Any, *, message_id: int | None, limit: int) -> list[Told]:
    """Return why a user has their newest messages, or one of them."""
    Message: Any = models.Message
    query = select(Message).where(Message.recipient_id == emission.key_of(user)).order_by(Message.cursor.desc())
    if message_id is not None:
        query = query.where(Message.id == message_id)
    found = models.db.session.scalars(query.limit(limit)).all()
    pushes = _pushes(models, user, [message.id for message in found])
    return [
        Told(
            message.id,
            message.type,
            message.subject,
            _time(message.created_at),
            message.mail_mode,
            message.rule,
            RULES.get(message.rule, "a rule of another version"),
            _mail(models, user, message),
            pushes.get(message.id),
        )
        for message in found
    ]


def _pushes(models: Models, user: Any, numbers: Sequence[int]) -> dict[int, str]:
    """Return what became of the pushes of messages, by the messages' keys."""
    Push: Any = models.Push
    query = select(Push).where(Push.recipient_id == emission.key_of(user), Push.message_id.in_(numbers))
    told: dict[int, list[str]] = {}
    for push in models.db.session.scalars(query.order_by(Push.id)):
        told.setdefault(push.message_id, []).append(_push(push))
    return {number: "; ".join(fates) for number, fates in told.items()}


def _push(push: Any) -> str:
    why = f": {push.reason}" if push.reason else ""
    if push.state == "sent":
        return f"pushed at {_time(push.settled_at)}"
    if push.state == "pending":
        again = f", attempt {push.attempts + 1} at {_time(push.next_attempt_at)}" if push.attempts else ""
        return f"waits to be pushed{again}{why}"
    return f"not pushed{why}"


def _mail(models: Models, user: Any, message: Any) -> str:
    mail: Any = None if message.mail_id is None else models.db.session.get(models.Mail, message.mail_id)
    if mail is not None:
        return _fate(mail)
    if message.sent_at is not None:
        return f"mailed at {_time(message.sent_at)}"
    if message.mail_due_at is not None:
        unreachable = no_mail(user)
        return f"to be mailed at {_time(message.mail_due_at)}" + (
            f", if by then not: {unreachable}" if unreachable else ""
        )
    if message.mail_mode == MailMode.NEVER.value:
        return "not mailed, by its mode"
    if message.seen:
        return f"not mailed: it was seen at {_time(message.seen_at)}"
    return "not mailed, and owes no mail any more"


def _fate(mail: Any) -> str:
    why = f": {mail.reason}" if mail.reason else ""
    if mail.state == "sent":
        return f"mailed at {_time(mail.sent_at)} (mail {mail.id})"
    if mail.state == "pending":
        again = f", attempt {mail.attempts + 1} at {_time(mail.next_attempt_at)}" if mail.attempts else ""
        return f"in mail {mail.id}, which waits to be sent{again}{why}"
    return f"in mail {mail.id}, which was {mail.state}{why}"


def no_mail(user: Any) -> str | None:
    """Return why no mail would reach a user, or None."""
    return address_of(user)[1]


def of_types(models: Models, types: Mapping[str, type[MessageType]], user: Any) -> list[Verdict]:
    """Return what would become of a message of each declared type, sent to a user by somebody else now."""
    key = emission.key_of(user)
    connection = models.db.session.connection(bind_arguments={"clause": models.inbox})
    own = preferences.own_modes(connection, models, [key])
    opinions = own_opinions(connection, models, [key])
    state = models.db.session.get(models.Inbox, key)
    verdicts = []
    for name, kind in sorted(types.items()):
        case = case_for(kind, state, own_for_type=own.get((key, name)), doing=False, allowed=bool(kind.allowed(user)))
        decision = decide(case)
        critical = decision.rule == "critical"
        push = push_case_for(kind, state, opinions.get((key, name)), stored=decision.stored, critical=critical)
        pushed = decide_push(push)
        meaning = RULES[decision.rule]
        verdicts.append(Verdict(name, decision.mode.value, decision.rule, meaning, pushed.wanted, pushed.rule))
    return verdicts


def of_objects(models: Models, user: Any, *, limit: int) -> list[Wanted]:
    """Return for which objects a user has a mode of their own: what they have muted leaves no other trace."""
    connection = models.db.session.connection(bind_arguments={"clause": models.inbox})
    found = watch_rows.with_a_mode(connection, models, emission.key_of(user), limit)
    return [Wanted(" ".join(target), mode.value, RULES["own for watch"]) for target, mode in found]


def _time(at: Any) -> str:
    return str(at.isoformat(sep=" ", timespec="seconds"))
