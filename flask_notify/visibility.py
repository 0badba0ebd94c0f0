"""Who may see which objects: their model says so by a class method ``visible_to(user, ids)`` (row B11).

A model without it is seen by everybody. Everything that shows an object, or tells of one, asks here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_BATCH = 10_000  # a statement has a bounded number of parameters on every database


def is_limited(model: type[Any]) -> bool:
    """Return whether a model says who sees what."""
    return getattr(model, "visible_to", None) is not None


def visible_keys(model: Any, user: Any, keys: Iterable[Any]) -> set[Any]:
    """Return the keys among some of a model's objects that a user may see; the model is asked once for up to 10,000.

    :param user: who looks, or None for somebody who is not logged in.
    """
    asked = list(dict.fromkeys(keys))
    if not is_limited(model):
        return set(asked)
    seen: set[Any] = set()
    for start in range(0, len(asked), _BATCH):
        some = set(asked[start : start + _BATCH])
        # A model may answer with more than it was asked for.
        seen |= some & set(model.visible_to(user, some))
    return seen
