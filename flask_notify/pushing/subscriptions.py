"""The browsers that take a recipient's pushes: subscribing and unsubscribing, at the commit."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from .. import emission
from ..errors import InvalidSubscription
from ..inbox import Inboxes
from ..models import Models
from . import hosts

if TYPE_CHECKING:
    from typing_extensions import Self

MOST = 20
"""Browsers of one recipient; one more takes the place of the one that was not heard of for the longest time."""

_UPSERTS: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True)
class Subscription:
    """What a browser says when it subscribes, checked.

    :param p256dh: its public key, and
    :param auth: the secret, both in URL-safe Base64 without padding.
    """

    endpoint: str
    p256dh: str
    auth: str

    @property
    def endpoint_hash(self) -> str:
        """By which it is found."""
        return hash_of(self.endpoint)


def parse(told: object, allowed: Collection[str]) -> Subscription:
    """Check what a browser's ``PushSubscription.toJSON()`` says.

    :param told: ``{"endpoint": …, "keys": {"p256dh": …, "auth": …}}``; anything else in it is passed over.
    :param allowed: ``NOTIFY_PUSH_HOSTS``.
    :raises InvalidSubscription: telling what is wrong with it.
    """
    keys = told.get("keys") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(keys, dict):
        raise InvalidSubscription(
            'A subscription must be a JSON object like {"endpoint": "https://…", "keys": {"p256dh": "…", "auth": "…"}}.'
        )
    hosts.origin_of(told.get("endpoint"), allowed)
    return Subscription(told["endpoint"], _public_key(keys.get("p256dh")), _secret(keys.get("auth")))


def hash_of(endpoint: str) -> str:
    """Return by what an address is found in the database."""
    return sha256(endpoint.encode()).hexdigest()


def subscribe(models: Models, user: Any, subscription: Subscription) -> None:
    """Let a browser take the pushes of a user, and of nobody else any more, at the commit."""
    emission.collect(SubscribeChange(models, user, subscription))


def unsubscribe(models: Models, user: Any, endpoint: str) -> None:
    """Let a browser take the pushes of a user no more, at the commit; one of somebody else is passed over."""
    emission.collect(UnsubscribeChange(models, user, hash_of(endpoint)))


class SubscribeChange(emission.Change):
    """A browser that is to take a recipient's pushes."""

    # Before anything is sent in the same transaction, which is then pushed to it.
    order: ClassVar[int] = -1

    def __init__(self, models: Models, recipient: Any, subscription: Subscription) -> None:
        super().__init__(models, recipient)
        self._told = subscription

    @property
    def subject(self) -> Hashable:
        """The browser."""
        return self._told.endpoint_hash

    def locked(self) -> None:
        """Nothing is left to settle."""

    @classmethod
    def write(cls, connection: Connection, models: Models, changes: Sequence[Self], _inboxes: Inboxes) -> None:
        """Store each, taking it from whoever had it, and drop what is too many."""
        for change in changes:
            told = change._told
            row = {
                "recipient_id": change.key,
                "endpoint": told.endpoint,
                "endpoint_hash": told.endpoint_hash,
                "p256dh": told.p256dh,
                "auth": told.auth,
                "renewed_at": models.clock(),
            }
            connection.execute(_upsert(connection, models, row))
        column = models.push_subscription.c
        for key in {change.key for change in changes}:
            newest_first = select(column.id).where(column.recipient_id == key)
            newest_first = newest_first.order_by(column.renewed_at.desc(), column.id.desc())
            for number in connection.scalars(newest_first).all()[MOST:]:
                connection.execute(delete(models.push_subscription).where(column.id == number))

    def committed(self) -> None:
        """Nobody waits to hear of it."""


class UnsubscribeChange(emission.Change):
    """A browser that is to take a recipient's pushes no more."""

    order: ClassVar[int] = -1

    def __init__(self, models: Models, recipient: Any, endpoint_hash: str) -> None:
        super().__init__(models, recipient)
        self._endpoint_hash = endpoint_hash

    @property
    def subject(self) -> Hashable:
        """The browser."""
        return self._endpoint_hash

    def locked(self) -> None:
        """Nothing is left to settle."""

    @classmethod
    def write(cls, connection: Connection, models: Models, changes: Sequence[Self], _inboxes: Inboxes) -> None:
        """Delete each. What waits to be sent to it is dropped when its turn comes."""
        column = models.push_subscription.c
        for change in changes:
            mine = column.endpoint_hash == change._endpoint_hash, column.recipient_id == change.key
            connection.execute(delete(models.push_subscription).where(*mine))

    def committed(self) -> None:
        """Nobody waits to hear of it."""


def _upsert(connection: Connection, models: Models, row: dict[str, Any]) -> Any:
    # One statement: two accounts that subscribe with one browser at the same time both succeed, the last one has it.
    table = models.push_subscription
    new = {name: value for name, value in row.items() if name != "endpoint_hash"}
    dialect = connection.dialect.name
    if dialect in _UPSERTS:
        insert = _UPSERTS[dialect](table).values(row)
        return insert.on_conflict_do_update(index_elements=["endpoint_hash"], set_=new)
    return mysql.insert(table).values(row).on_duplicate_key_update(new)


def _public_key(text: object) -> str:
    raw = _decode(text, 65)
    if raw is None or not _is_on_the_curve(raw):
        raise InvalidSubscription("A subscription's p256dh must be a point of the curve P-256, in URL-safe Base64.")
    return _encode(raw)


def _secret(text: object) -> str:
    raw = _decode(text, 16)
    if raw is None:
        raise InvalidSubscription("A subscription's auth must be 16 bytes, in URL-safe Base64.")
    return _encode(raw)


def _is_on_the_curve(raw: bytes) -> bool:
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        return raw[0] == 4 and ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw) is not None
    except ValueError:
        return False


def _decode(text: object, length: int) -> bytes | None:
    if not isinstance(text, str) or not text.isascii() or len(text) > 2 * length:
        return None
    bare = text.rstrip("=")
    try:
        raw = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == length else None


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
