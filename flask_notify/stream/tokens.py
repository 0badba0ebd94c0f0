"""What lets a page listen to the doorbell: a signed token that says whose it is, for a minute."""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from collections.abc import Sequence
from hashlib import blake2b
from hmac import compare_digest
from typing import NamedTuple

from flask import Flask

from ..errors import ConfigurationError

LIFETIME = 60.0
"""Seconds for which a token is good, and so the longest time for which a page listens after a logout."""

_SKEW = 30.0
"""Seconds by which the clock of the host that signed may be ahead."""

_MAC_SIZE = 16
_EXPIRY = struct.Struct(">d")
_TOKEN = re.compile(r"[0-9A-Za-z_-]{1,1000}")


class Listening(NamedTuple):
    """What a good token says: whose news may be heard, and for how many seconds more."""

    key: str
    seconds: float


class Tokens:
    """Mints and verifies tokens.

    The key is made for this purpose alone: nothing else that is signed with the same secret is a
    token, and a token is nothing else.

    :param secret: the application's secret key.
    :param fallbacks: older ones, whose tokens are good, too.
    """

    def __init__(self, secret: str | bytes, fallbacks: Sequence[str | bytes] = ()) -> None:
        self._keys = [_key(each) for each in (secret, *fallbacks)]

    @classmethod
    def of(cls, app: Flask) -> Tokens:
        """Return those of an application.

        :raises ConfigurationError: if it has no key to sign with.
        """
        if not app.secret_key:
            raise ConfigurationError("The tokens of NOTIFY_STREAM_URL are signed with SECRET_KEY, got none. Set it.")
        return cls(app.secret_key, [key for key in app.config.get("SECRET_KEY_FALLBACKS") or () if key])

    def mint(self, key: str, now: float) -> str:
        """Return a token for a recipient.

        :param key: the recipient's key, as a text.
        :param now: Unix seconds.
        """
        content = _EXPIRY.pack(now + LIFETIME) + key.encode()
        return _encode(_mac(self._keys[0], content) + content)

    def verify(self, token: str, now: float) -> Listening | None:
        """Return what a token says; None if it is not ours, or no longer good.

        :param now: Unix seconds.
        """
        raw = _decode(token)
        mac, content = raw[:_MAC_SIZE], raw[_MAC_SIZE:]
        if len(content) < _EXPIRY.size or not any(compare_digest(mac, _mac(key, content)) for key in self._keys):
            return None
        (expires,) = _EXPIRY.unpack_from(content)
        seconds = expires - now
        # A clock that was set back must not make it good for longer.
        if not math.isfinite(seconds) or not 0 < seconds <= LIFETIME + _SKEW:
            return None
        return Listening(content[_EXPIRY.size :].decode(), min(seconds, LIFETIME))


def _key(secret: str | bytes) -> bytes:
    raw = secret.encode() if isinstance(secret, str) else secret
    return blake2b(raw, person=b"flask-notify-bel", digest_size=32).digest()


def _mac(key: bytes, content: bytes) -> bytes:
    return blake2b(content, key=key, digest_size=_MAC_SIZE).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(token: str) -> bytes:
    if not _TOKEN.fullmatch(token):
        return b""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except binascii.Error:
        return b""
    # The last character has bits to spare: one token, one text.
    return raw if _encode(raw) == token else b""
