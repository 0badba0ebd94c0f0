"""From pushes that are owed to what is handed over: what each says now, or why it is not sent."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import inspect, select
from sqlalchemy.exc import InterfaceError, OperationalError

from ..config import Settings
from ..errors import InvalidSubscription
from ..inbox import among
from ..language import in_language
from ..messages.message_types import Registry
from ..messages.targets import Shown, load_senders, show
from ..models import Models, RecipientKey
from ..rules import decide_push
from ..site import visited
from . import hosts
from .keys import Vapid
from .outbox import LeasedPush
from .payload import FEWER_BYTES, MOST_BYTES, payload_of, topic_of
from .preferences import OwnOpinions, case_for, own_opinions
from .service import Parcel

_log = logging.getLogger("flask_notify")


@dataclass(frozen=True)
class Desk:
    """Where pushes are written: all that is the same for every recipient."""

    models: Models
    settings: Settings
    types: Registry
    vapid: Vapid


class Addressed(NamedTuple):
    """A push that can be handed over.

    :ivar cursor: which version of the message it tells of: a later one than was leased, if that was renewed meanwhile.
    """

    origin: str
    endpoint_hash: str
    parcel: Parcel
    cursor: float


class Unwanted(NamedTuple):
    """A push that is not to be sent, and why."""

    reason: str


Written: TypeAlias = "dict[int, Addressed | Unwanted]"
"""What became of pushes, by their keys."""


def write_all(desk: Desk, leased: Sequence[LeasedPush], *, now: float) -> Written:
    """Write what pushes say, in an application context, whose session is used and rolled back.

    Asked anew is all that may have changed since they were owed: whether the message was seen, whether its
    recipient still wants it pushed and may see what it is about, and whether pushes may go to that host.

    :param now: Unix seconds.
    """
    session = desk.models.db.session()
    loaded = _load(desk, leased)
    written: Written = {}
    for push in leased:
        try:
            written[push.id] = _write(desk, push, loaded, now)
        except (OperationalError, InterfaceError):
            raise  # the database is gone, which is not the fault of this one push
        except Exception as error:  # noqa: BLE001  # whatever an application's visible_to() raises
            session.rollback()  # a statement that failed leaves a transaction that only can be rolled back
            _log.exception("A push to recipient %r could not be written", push.recipient_id)
            written[push.id] = Unwanted(f"it could not be written: {type(error).__name__}")
    session.rollback()
    return written


class _Loaded(NamedTuple):
    """What pushes are made of, read at once for many."""

    messages: Mapping[int, Any]
    subscriptions: Mapping[int, Any]
    inboxes: Mapping[RecipientKey, Any]
    users: Mapping[RecipientKey, Any]
    opinions: OwnOpinions


def _load(desk: Desk, leased: Sequence[LeasedPush]) -> _Loaded:
    models = desk.models
    session, Message = models.db.session(), models.Message
    message, subscription, inbox = models.message.c, models.push_subscription.c, models.inbox.c
    at = session.connection(bind_arguments={"clause": models.inbox})
    keys = list({push.recipient_id: None for push in leased})
    fresh = {"populate_existing": True}
    messages = select(Message).where(among(at, message.id, list({push.message_id for push in leased})))
    found = session.scalars(messages, execution_options=fresh).all()
    load_senders(models, found)  # for all at once: one push at a time would take a statement each
    browsers = select(models.push_subscription).where(
        among(at, subscription.id, list({push.subscription_id for push in leased}))
    )
    boxes = select(inbox.recipient_id, inbox.muted, inbox.push, inbox.unseen_count, inbox.locale, inbox.timezone)
    users = select(models.user_mapper.class_).where(among(at, models.key_column, keys))
    return _Loaded(
        {one.id: one for one in found},
        {row.id: row for row in at.execute(browsers)},
        {row.recipient_id: row for row in at.execute(boxes.where(among(at, inbox.recipient_id, keys)))},
        {inspect(user).identity[0]: user for user in session.scalars(users, execution_options=fresh)},
        own_opinions(at, models, keys, {one.type for one in found}),
    )


def _write(desk: Desk, push: LeasedPush, loaded: _Loaded, now: float) -> Addressed | Unwanted:
    unwanted = _unwanted(desk, push, loaded, now)
    if unwanted is not None:
        return Unwanted(unwanted)
    message, browser = loaded.messages[push.message_id], loaded.subscriptions[push.subscription_id]
    try:
        # Once more: the list may be shorter than it was when the browser subscribed.
        origin = hosts.origin_of(browser.endpoint, desk.settings.push_hosts)
    except InvalidSubscription:
        return Unwanted("its push service is not among NOTIFY_PUSH_HOSTS")
    box = loaded.inboxes[push.recipient_id]
    with visited(desk.settings.base_url), in_language(box.locale, box.timezone or desk.settings.timezone):
        shown: Shown = show(desk.models, loaded.users[push.recipient_id], [message])[0]
        if not shown.available:
            return Unwanted("the recipient may not see any more what it is about")
        payload = payload_of(shown, box.unseen_count)
    headers = {
        "TTL": str(max(0, int(push.cursor + desk.settings.push_ttl - now))),
        "Topic": topic_of(browser.endpoint_hash, message.id),
        "Urgency": "high" if message.rule == "critical" else "normal",
        "Authorization": desk.vapid.authorization(origin, now=now),
    }
    contents = payload.encode(MOST_BYTES), payload.encode(FEWER_BYTES)
    return Addressed(
        origin,
        browser.endpoint_hash,
        Parcel(browser.endpoint, browser.p256dh, browser.auth, contents, headers),
        max(push.cursor, message.cursor),
    )


def _unwanted(desk: Desk, push: LeasedPush, loaded: _Loaded, now: float) -> str | None:
    """Return why a push is not to be sent any more, or None."""
    key = push.recipient_id
    message, browser = loaded.messages.get(push.message_id), loaded.subscriptions.get(push.subscription_id)
    box, user = loaded.inboxes.get(key), loaded.users.get(key)
    if message is None or message.recipient_id != key or box is None or user is None:
        return "the message is gone"
    if not getattr(user, "is_active", True):
        return "the user is deactivated"
    if browser is None or browser.recipient_id != key:
        return "the browser has unsubscribed, or was logged in to another account"
    if message.seen:
        return "the recipient has seen it"
    if now - push.cursor >= desk.settings.push_ttl:
        return "it is older than NOTIFY_PUSH_TTL"
    critical = message.rule == "critical"
    case = case_for(desk.types.get(message.type), box, loaded.opinions.get((key, message.type)), critical=critical)
    decision = decide_push(case)
    return None if decision.wanted else f"not wanted any more ({decision.rule})"
