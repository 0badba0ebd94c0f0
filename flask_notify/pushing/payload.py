"""What a push says, cut to what a push may hold."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import blake2b
from unicodedata import combining

from flask import url_for

from ..messages.targets import Shown

MOST_BYTES = 3_993
"""Bytes of plain text that fit into a push: RFC 8291, section 4 promises 4,096 encrypted ones."""

FEWER_BYTES = 1_024
"""Bytes that are tried where a push service takes less."""

_ELLIPSIS = "…"
_SKIN_TONES = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"


@dataclass(frozen=True)
class Payload:
    """What the service worker is given, as JSON.

    :param tag: the same for a push and for what an open page shows of the same message, so that one replaces the
        other.
    :param url: a path of this site. Whoever goes there has seen the message.
    :param badge: how many messages the recipient has not seen.
    """

    id: int
    title: str
    body: str
    url: str
    badge: int

    @property
    def tag(self) -> str:
        """By which browsers tell notifications apart."""
        return f"notify-message-{self.id}"

    def encode(self, most: int = MOST_BYTES) -> bytes:
        """Return it as JSON of at most so many bytes: of what is too long first the body is cut, then the title."""
        title, body = self.title, self.body
        data = self._json(title, body)
        if len(data) > most:
            body = _cut(body, most - len(self._json(title, "")))
            data = self._json(title, body)
        if len(data) > most:
            data = self._json(_cut(title, most - len(self._json("", ""))), "")
        return data

    def _json(self, title: str, body: str) -> bytes:
        told = {"title": title, "body": body, "url": self.url, "tag": self.tag, "id": self.id, "badge": self.badge}
        return _encode(told)


def payload_of(shown: Shown, unseen: int) -> Payload:
    """Return what is pushed of a message. It must be called as if somebody visited the site (:func:`.visited`).

    :param unseen: how many messages the recipient has not seen.
    """
    # No more than could be pushed, before anything is measured: a body may have millions of characters.
    body = " ".join((shown.body_text or "")[: 2 * MOST_BYTES].split())
    if shown.more:
        body = f"{body} ({shown.more})" if body else shown.more
    return Payload(shown.id, shown.subject, body, url_for("notify.message", id=shown.id), unseen)


def topic_of(endpoint_hash: str, message_id: int) -> str:
    """Return the Topic of a message (RFC 8030, section 5.4): a push replaces the one before that waits under it.

    It tells the push service nothing but that.
    """
    named = blake2b(str(message_id).encode(), key=endpoint_hash.encode(), digest_size=24)
    return urlsafe_b64encode(named.digest()).decode()


def _cut(text: str, room: int) -> str:
    """Return the beginning of a text that takes at most so many bytes in JSON, with an ellipsis."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        fits = len(_encode(text[:middle].rstrip() + _ELLIPSIS)) - 2 <= room
        low, high = (middle, high) if fits else (low, middle - 1)
    # Not between a letter or an emoji and what modifies it: they would show as something else.
    while low and low < len(text) and _joins(text[low - 1], text[low]):
        low -= 1
    return text[:low].rstrip() + _ELLIPSIS if low else ""


def _joins(before: str, after: str) -> bool:
    return before == "\u200d" or after in "\u200d\ufe0f\u20e3" or combining(after) != 0 or after in _SKIN_TONES


def _encode(told: object) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
