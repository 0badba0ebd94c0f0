"""What travels through a broker: hints, and the beats by which a process knows that it still hears them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

MOST_KEYS = 1_000
"""How many recipients one hint names at most."""

_MOST_BYTES = 48_000  # every broker takes a hint of 64 KB


@dataclass(frozen=True)
class Hint:
    """Some recipients may have news.

    :param cursors: by ``str(key)``, Unix seconds that the recipient's cursor has reached at least.
    :param spread: whether many hear at the same time, so that their pages had better not all ask at once.
    :param everyone: whether anybody may have news: there were too many to name.
    """

    cursors: Mapping[str, float] = field(default_factory=dict)
    spread: bool = False
    everyone: bool = False


@dataclass(frozen=True)
class Beat:
    """One process tells itself, through the broker, that what is published still arrives.

    :param process: whose beat it is; unique to one listener.
    :param number: counted from 1.
    """

    process: str
    number: int


Heard: TypeAlias = "Hint | Beat"


def encode(what: Heard) -> bytes:
    """Return the JSON of a hint or a beat.

    :param what: a hint that names no more than :data:`MOST_KEYS`, or a beat.
    """
    if isinstance(what, Beat):
        return _json({"beat": what.process, "n": what.number})
    known: dict[str, Any] = {"cursors": dict(what.cursors), "spread": what.spread}
    return _json({**known, "everyone": True} if what.everyone else known)


def encode_all(cursors: Mapping[str, float], *, spread: bool = False) -> Iterator[bytes]:
    """Yield the JSON of as many hints as it takes to name all these recipients."""
    some: dict[str, float] = {}
    size = 0
    for key, cursor in cursors.items():
        needed = len(json.dumps(key)) + 32
        if len(some) == MOST_KEYS or size + needed > _MOST_BYTES:
            yield encode(Hint(some, spread))
            some, size = {}, 0
        some[key] = cursor
        size += needed
    if some:
        yield encode(Hint(some, spread))


def decode(body: bytes) -> Heard | None:
    """Return what came, or None for what cannot be read. Unknown keys are passed over."""
    try:
        found = json.loads(body)
        if not isinstance(found, dict):
            return None
        return _beat(found) if "beat" in found else _hint(found)
    except (ValueError, RecursionError, OverflowError):
        return None


def _beat(found: dict[str, Any]) -> Beat | None:
    process, number = found["beat"], found.get("n")
    if not isinstance(process, str) or not isinstance(number, int) or isinstance(number, bool):
        return None
    return Beat(process, number)


def _hint(found: dict[str, Any]) -> Hint | None:
    cursors = found.get("cursors", {})
    if not isinstance(cursors, dict) or not all(map(_is_cursor, cursors.values())):
        return None
    everyone = found.get("everyone") is True
    if not cursors and not everyone:
        return None
    return Hint({key: float(cursor) for key, cursor in cursors.items()}, found.get("spread") is True, everyone)


def _is_cursor(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
