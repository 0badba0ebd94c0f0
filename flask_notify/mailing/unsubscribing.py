"""The token in a mail's link to unsubscribe (row C5).

It says whom it is for and of what, does not expire, and is good for nothing else: what signs it
is derived from the key for this one purpose.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache, lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from flask import current_app
from itsdangerous import BadData, Signer, URLSafeSerializer
from itsdangerous.encoding import base64_encode

from ..config import Settings
from ..models import Models, RecipientKey

_SALT = "flask-notify.unsubscribe"
_LARGEST = 2**63 - 1  # of an integer key


class Subscription(NamedTuple):
    """What a token unsubscribes from: all that one recipient gets by mail, or one type of it."""

    recipient_key: RecipientKey
    type: str | None


def make_token(settings: Settings, subscription: Subscription) -> str | None:
    """Return the token for a mail, or None where the application has no key to sign it with."""
    signer = _signer(settings)
    if signer is None:
        return None
    key = subscription.recipient_key
    whom = key if isinstance(key, (int, str)) else str(key)
    return str(signer.dumps([whom] if subscription.type is None else [whom, subscription.type]))


def read_token(models: Models, settings: Settings, token: str) -> Subscription | None:
    """Return what a token stands for; None for one that we have not signed, or for another purpose."""
    signer = _signer(settings)
    if signer is None:
        return None
    try:
        whom, *types = signer.loads(token)
    except (BadData, UnicodeError):
        return None
    key = _parse_key(models, whom)
    return None if key is None else Subscription(key, types[0] if types else None)


def _signer(settings: Settings) -> URLSafeSerializer | None:
    config = current_app.config
    # The last one signs. The application's own key stays good when one for these links is set later.
    keys = [*(config.get("SECRET_KEY_FALLBACKS") or ()), current_app.secret_key, settings.unsubscribe_key]
    usable = tuple(key for key in keys if key)
    return _signer_of(usable) if usable else None


@lru_cache(maxsize=4)
def _signer_of(keys: tuple[Any, ...]) -> URLSafeSerializer:
    # Not SHA-1, as the session's cookie: these are to hold for years.
    return _Serializer(
        list(keys),
        salt=_SALT,
        signer=_Signer,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


class _Signer(Signer):
    """Derives its keys once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.derive_key = cache(super().derive_key)  # type: ignore[method-assign]


class _Serializer(URLSafeSerializer):
    """Has one signer for all that it signs, and compresses nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.make_signer = cache(super().make_signer)  # type: ignore[method-assign]
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

    def dump_payload(self, obj: Any) -> bytes:
        # It is read as any other. To find out that so little cannot be compressed takes longer than all the rest.
        return base64_encode(self._encode(obj))


def _parse_key(models: Models, whom: Any) -> RecipientKey | None:
    """Return the key of the user model that a signed value stands for, None if its kind has changed since."""
    kind = models.key_column.type.python_type
    try:
        key = UUID(whom) if kind is UUID else whom
    except (ValueError, AttributeError, TypeError):
        return None
    if not isinstance(key, kind) or (isinstance(key, int) and abs(key) > _LARGEST):
        return None
    return key
