"""The ETag of an idle poll: a signed ticket that says what was asked and answered."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, NamedTuple

_MAC_SIZE = 16
_NUMBERS = struct.Struct(">dd")
# Hexadecimal, so that what a compressing proxy appends ("…-gzip") is told apart. What follows
# the digits begins with none of them: else a long header without its end takes quadratic time.
_ETAG = re.compile(r'"fn1\.([0-9a-f]+)(?:[^0-9a-f"][^"]*)?"')
_BOUND = (
    "HTTP_COOKIE",
    "HTTP_AUTHORIZATION",
    "HTTP_HOST",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PREFIX",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
)


class Ticket(NamedTuple):
    """What an idle poll found: whose inbox, its cursor, and until when that may be trusted."""

    etag: str
    key: str
    cursor: float
    expires: float


def origin(environ: Mapping[str, Any]) -> bytes:
    """Return what a ticket is bound to: the session, the host, the path and the query."""
    return repr([environ.get(name) for name in _BOUND]).encode("utf-8", "backslashreplace")


class Signer:
    """Mints and verifies tickets.

    The request that a ticket belongs to is part of what is signed and not of the ticket: it
    verifies only together with the very same cookie, host, path and ``since``.

    :param secret: the application's secret key.
    :param lifetime: seconds for which a ticket is good.
    """

    def __init__(self, secret: str | bytes, lifetime: float) -> None:
        self._lifetime = lifetime
        raw = secret.encode() if isinstance(secret, str) else secret
        self._key = blake2b(raw, person=b"flask-notify-etg", digest_size=32).digest()
        self._alias_key = blake2b(raw, person=b"flask-notify-who", digest_size=32).digest()

    def mint(self, bound_to: bytes, key: str, cursor: float, now: float) -> str:
        """Return the ETag's value for a poll that found nothing new."""
        content = _NUMBERS.pack(cursor, now + self._lifetime) + key.encode()
        return f"fn1.{(self._mac(content, bound_to) + content).hex()}"

    def verify(self, if_none_match: str, bound_to: bytes, now: float) -> Ticket | None:
        """Return the ticket in an ``If-None-Match``, or None where there is no good one."""
        for found in _ETAG.finditer(if_none_match):
            text = found[1]
            raw = bytes.fromhex(text) if len(text) % 2 == 0 else b""
            mac, content = raw[:_MAC_SIZE], raw[_MAC_SIZE:]
            if len(content) >= _NUMBERS.size and compare_digest(mac, self._mac(content, bound_to)):
                key = content[_NUMBERS.size :].decode()
                ticket = Ticket(found[0], key, *_NUMBERS.unpack_from(content))
                # A clock that was set back must not make it good for longer.
                if 0 <= ticket.expires - now <= self._lifetime:
                    return ticket
        return None

    def alias(self, key: str) -> str:
        """Return 16 hexadecimal digits that tell users apart and say nothing of their keys."""
        return blake2b(key.encode(), key=self._alias_key, digest_size=8).hexdigest()

    def _mac(self, content: bytes, bound_to: bytes) -> bytes:
        signed = struct.pack(">I", len(content)) + content + bound_to
        return blake2b(signed, key=self._key, digest_size=_MAC_SIZE).digest()
