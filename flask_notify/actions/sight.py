"""Which objects a user may see, by the ``visible_to(user, ids)`` of their models (row B11), asked once for many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import inspect

from ..visibility import is_limited, visible_keys
from .values import is_object, key_of


class Sight:
    """What one user may see; each model is asked once for all of its objects that are looked at together, up to 10,000.

    :param user: the one who looks, or None for somebody who is not logged in.
    """

    def __init__(self, user: Any) -> None:
        self._user = user
        self._verdicts: dict[tuple[type, Any], bool] = {}

    def look(self, values: Iterable[Any]) -> None:
        """Ask for the objects among some values, in one question for each model."""
        unknown: defaultdict[type, set[Any]] = defaultdict(set)
        for value in values:
            place = self._place(value)
            if place is not None and place not in self._verdicts:
                unknown[place[0]].add(place[1])
        for model, keys in unknown.items():
            visible = self.visible(model, keys)
            self._verdicts.update({(model, key): key in visible for key in keys})

    def sees(self, value: Any) -> bool:
        """Whether a value may be shown: it is not an object, not stored yet, or the user may see it."""
        place = self._place(value)
        if place is None:
            return True
        if place not in self._verdicts:
            self.look([value])
        return self._verdicts[place]

    def visible(self, model: Any, keys: Iterable[Any]) -> set[Any]:
        """Return the keys among some that the user may see."""
        return visible_keys(model, self._user, keys)

    def _place(self, value: Any) -> tuple[type, Any] | None:
        if not is_object(value):
            return None
        model = inspect(value).mapper.class_
        key = key_of(value)
        if key is None or not is_limited(model):
            return None
        return model, tuple(key) if isinstance(key, list) else key
