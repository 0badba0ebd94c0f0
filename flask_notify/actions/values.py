"""What a value reads as, the same in every renderer: dates, numbers, choices, other objects (row F7)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, MappingView, Sequence, Set
from datetime import date, datetime, time, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from typing import Any, Protocol

from markupsafe import Markup
from sqlalchemy import inspect

from ..errors import InvalidMessage
from ..language import gettext, say_date, say_when
from ..messages.richtext import to_text
from ..object_names import enum_label, label_of, words_of

_PLAIN = (type(None), str, int, float, Decimal, date, time, bytes, Enum)


class Clock(Protocol):
    """By which times are told."""

    @property
    def zone(self) -> tzinfo:
        """The time zone of who reads."""


def say(value: Any, clock: Clock | None = None) -> str:
    """Return a value as people read it; None is empty.

    :param clock: by which a time that knows its own time zone is told; None is its own.
    """
    for kinds, say_it in _SAYINGS:
        if isinstance(value, kinds):
            return say_it(value, clock)
    if is_many(value):
        return ", ".join(" ".join(say(each, clock).split()) for each in value)
    return text_of(value)


def text_of(value: Any) -> str:
    """Return what an object is called, and the text of anything else."""
    return label_of(value) if is_object(value) else str(value)


def as_json(value: Any) -> Any:
    """Return a value as JSON: what JSON has no type for is a text; another object is its key and text."""
    for kinds, to_json in _JSON:
        if isinstance(value, kinds):
            return to_json(value)
    if is_object(value):
        return {"id": as_json(key_of(value)), "text": label_of(value)}
    if is_many(value):
        return [as_json(each) for each in value]
    return say(value)


def machine_time(value: date | time) -> str:
    """Return a time as machines read it, in JSON and in the attribute ``datetime``."""
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    return value.isoformat()


def plain(text: str) -> str:
    """Return a text without its tags, if it is ``Markup``."""
    if not isinstance(text, Markup):
        return str(text)
    try:
        return to_text(str(text))
    except InvalidMessage:
        return text.striptags()


def choice_of(info: Mapping[Any, Any], value: Any) -> Any:
    """Return the label of a value where its column has ``info={"choices": …}``, else the value.

    The choices are a dict from values to labels, or pairs of both.
    """
    choices = info.get("choices")
    if not choices or isinstance(value, (list, dict)):
        return value
    pairs = choices.items() if isinstance(choices, Mapping) else choices
    labels = {pair[0]: pair[1] for pair in pairs if isinstance(pair, (tuple, list)) and len(pair) == 2}
    return str(labels[value]) if value in labels else value


def is_object(value: Any) -> bool:
    """Whether a value is an object of a model."""
    if isinstance(value, _PLAIN):  # most are, and asking SQLAlchemy takes longer
        return False
    return getattr(inspect(value, raiseerr=False), "mapper", None) is not None and not isinstance(value, type)


def is_many(value: Any) -> bool:
    """Whether a value is several: a list, a set, the collection of a relationship."""
    # A lazy text can be iterated over, too, and is none of these.
    return isinstance(value, (Sequence, Set, MappingView)) and not isinstance(
        value, (str, bytes, bytearray, memoryview)
    )


def key_of(instance: Any) -> Any:
    """Return an object's key: one value, or a list of the values of its columns; None before it is stored."""
    identity = inspect(instance).identity
    if identity is None:
        return None
    return identity[0] if len(identity) == 1 else list(identity)


def name_in_words(name: str) -> str:
    """Return what stands for a name that has no label of its own: "last_seen" is "Last seen"."""
    return "ID" if name == "id" else words_of(name)


def _say_moment(value: datetime, clock: Clock | None) -> str:
    # One without a time zone is as the application keeps it: nobody knows which it is in.
    return say_when(value.astimezone(clock.zone) if clock and value.utcoffset() is not None else value)


def _say_hour(value: time, _clock: Clock | None) -> str:
    return f"{value:%H:%M}"


# The order counts: True is an int, an Enum may be a str, and Markup is one; a datetime is a date.
_SAYINGS: tuple[tuple[Any, Callable[[Any, Clock | None], str]], ...] = (
    (type(None), lambda _value, _clock: ""),
    (bool, lambda value, _clock: gettext("Yes") if value else gettext("No")),
    (Enum, lambda value, _clock: enum_label(value)),
    (Markup, lambda value, _clock: plain(value)),
    (datetime, _say_moment),
    (date, lambda value, _clock: say_date(value)),
    (time, _say_hour),
    (Decimal, lambda value, _clock: format(value, "f")),
    ((bytes, bytearray, memoryview), lambda value, _clock: gettext("%(num)d bytes", num=len(value))),
    (Mapping, lambda value, _clock: json.dumps(as_json(value), ensure_ascii=False)),
)
_JSON: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Enum, lambda value: as_json(value.value) if isinstance(value.value, (str, int)) else value.name),
    ((type(None), bool, int), lambda value: value),
    (float, lambda value: value if math.isfinite(value) else str(value)),
    ((date, time), machine_time),
    (Mapping, lambda value: {str(name): as_json(each) for name, each in value.items()}),
)
