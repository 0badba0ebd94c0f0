"""One page of messages at a time, found by key: unseen first, newest first.

Whoever walks through the pages does so at one instant, the recipient's cursor when the first
page was read. A message counts as unseen for the whole walk if it was so then, and what came
later is not in it. So the pages neither skip nor repeat a message while messages are seen (the
first page does that by itself) or arrive.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.sql.elements import ColumnElement

from ..models import MessageColumns, Models, RecipientKey

Direction: TypeAlias = Literal["older", "newer"]

_NUMBER = r"([0-9]{1,12}(?:\.[0-9]{1,12})?)"
_PLACE = re.compile(rf"(older|newer)~(unseen|seen)~{_NUMBER}~{_NUMBER}")
_ANCHOR = re.compile(r"(older|newer)~([0-9]{1,18}(?:\.[0-9]{1,12})?)")


@dataclass(frozen=True)
class Filters:
    """Which messages are wanted; None is any.

    :param seen: only those that were seen, or were not.
    :param type: the name of their type.
    :param since: Unix seconds of the earliest.
    :param before: Unix seconds after the latest.
    """

    seen: bool | None = None
    type: str | None = None
    since: float | None = None
    before: float | None = None


EVERYTHING = Filters()


@dataclass(frozen=True)
class Place:
    """Where a page lies in a walk: next to one message, on the older or the newer side.

    :param seen: whether that message is among those that had been seen when the walk began.
    :param cursor: of that message.
    :param at: the recipient's cursor when the walk began.
    """

    direction: Direction
    seen: bool
    cursor: float
    at: float

    def __str__(self) -> str:
        return f"{self.direction}~{'seen' if self.seen else 'unseen'}~{self.cursor!r}~{self.at!r}"

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """Read what ``str()`` has written; None if it is anything else."""
        found = _PLACE.fullmatch(text)
        if found is None:
            return None
        return cls(cast(Direction, found[1]), found[2] == "seen", float(found[3]), float(found[4]))


@dataclass(frozen=True)
class Page:
    """Some messages of one recipient.

    :param at: the recipient's cursor when the walk began: "up to what was shown".
    :param older: where the next page lies, or None if this is the last.
    :param newer: where the page before lies, or None if this is the first.
    :param arrived: whether this is the first page, and messages have come since the walk began.
    """

    messages: list[MessageColumns]
    at: float
    older: Place | None = None
    newer: Place | None = None
    arrived: bool = False


@dataclass(frozen=True)
class Reader:
    """What a page has to know of its recipient."""

    key: RecipientKey
    cursor: float = 0.0
    unseen_count: int = 0
    timezone: str | None = None
    widget_hidden: bool = False


def reader_of(session: Session, models: Models, key: RecipientKey) -> Reader:
    """Read what a page has to know of its recipient.

    It is read before the messages: what is written in between lies after its cursor.
    """
    inbox = models.inbox.c
    columns = select(inbox.cursor, inbox.unseen_count, inbox.timezone, inbox.widget_hidden)
    row = session.execute(
        columns.where(inbox.recipient_id == key), bind_arguments={"clause": models.inbox}
    ).one_or_none()
    return Reader(key, *row) if row else Reader(key)


def read(
    session: Session,
    models: Models,
    reader: Reader,
    limit: int,
    filters: Filters = EVERYTHING,
    place: Place | None = None,
) -> Page:
    """Read one page of a recipient's messages.

    :param limit: how many messages a page has at most.
    :param place: of the page, or None for the first page of a new walk.
    """
    cursor = reader.cursor
    walk = _Walk(session, models, reader.key, filters, at=cursor if place is None else min(place.at, cursor))
    steps = walk.steps(place or Place("older", False, math.inf, cursor), limit + 1)
    more, shown = len(steps) > limit, steps[:limit]
    if place is not None and place.direction == "newer":
        shown.reverse()
        newer = _place("newer", shown[0], walk.at) if more else None
        older = _place("older", shown[-1], walk.at) if shown else None
        arrived = newer is None and cursor > walk.at and walk.arrived()
    else:
        older = _place("older", shown[-1], walk.at) if more else None
        newer = _place("newer", shown[0], walk.at) if place and shown else None
        arrived = False
    return Page([step.message for step in shown], walk.at, older, newer, arrived)


class _Step(NamedTuple):
    seen: bool
    message: MessageColumns


def _place(direction: Direction, step: _Step, at: float) -> Place:
    return Place(direction, step.seen, step.message.cursor, at)


@dataclass(frozen=True)
class _Walk:
    """The messages of one recipient in the order in which they are shown."""

    session: Session
    models: Models
    key: RecipientKey
    filters: Filters
    at: float

    def steps(self, start: Place, wanted: int) -> list[_Step]:
        """Return up to so many of them from a place on, in the direction of the walk."""
        order = (False, True) if start.direction == "older" else (True, False)
        steps: list[_Step] = []
        for seen in order[order.index(start.seen) :]:
            if len(steps) < wanted and self.filters.seen in (None, seen):
                part = self._part(seen, start.direction, start.cursor if seen == start.seen else None)
                found = self.session.scalars(part.limit(wanted - len(steps)))
                steps += [_Step(seen, message) for message in found]
        return steps

    def arrived(self) -> bool:
        """Whether there is a message that was not there when the walk began."""
        message = self.models.message.c
        later = select(message.id).where(message.cursor > self.at, *self._wanted())
        if self.filters.seen is not None:
            later = later.where(message.seen_at.is_not(None) if self.filters.seen else message.seen_at.is_(None))
        return self.session.scalar(later.limit(1), bind_arguments={"clause": self.models.inbox}) is not None

    def _part(self, seen: bool, direction: Direction, cursor: float | None) -> Select[Any]:
        message = self.models.message.c
        then = message.seen_at <= self.at if seen else or_(message.seen_at.is_(None), message.seen_at > self.at)
        part = select(self.models.Message).where(*self._wanted(), message.cursor <= self.at, then)
        if direction == "older":
            part = part.order_by(message.cursor.desc())
            return part if cursor is None or cursor == math.inf else part.where(message.cursor < cursor)
        return part.order_by(message.cursor).where(message.cursor > (cursor or 0.0))

    def _wanted(self) -> list[ColumnElement[bool]]:
        message, filters = self.models.message.c, self.filters
        wanted: list[ColumnElement[bool]] = [message.recipient_id == self.key]
        if filters.type is not None:
            wanted.append(message.type == filters.type)
        if filters.since is not None:
            wanted.append(message.created_at >= filters.since)
        if filters.before is not None:
            wanted.append(message.created_at < filters.before)
        return wanted


def newest_unseen(session: Session, models: Models, key: RecipientKey, limit: int) -> Sequence[MessageColumns]:
    """Return a recipient's newest unseen messages, up to so many."""
    message = models.message.c
    mine = select(models.Message).where(message.recipient_id == key, message.seen_at.is_(None))
    return session.scalars(mine.order_by(message.cursor.desc()).limit(limit)).all()


@dataclass(frozen=True)
class Anchor:
    """Where a page lies in the list of everybody's messages."""

    direction: Direction
    key: float

    def __str__(self) -> str:
        return f"{self.direction}~{self.key!r}"

    @classmethod
    def parse(cls, text: str) -> Anchor | None:
        """Read what ``str()`` has written; None if it is anything else."""
        found = _ANCHOR.fullmatch(text)
        return None if found is None else cls(cast(Direction, found[1]), _number(found[2]))


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)


@dataclass(frozen=True)
class Overview:
    """Some messages of all recipients, or of one, newest first."""

    messages: list[MessageColumns]
    older: Anchor | None = None
    newer: Anchor | None = None


def read_all(
    session: Session, models: Models, recipient_key: RecipientKey | None, anchor: Anchor | None, limit: int
) -> Overview:
    """Read one page of everybody's messages, with their senders and recipients.

    :param recipient_key: only this recipient's, or None.
    """
    Message = cast(Any, models.Message)
    # Of one recipient by the order of that recipient's index, of all by the primary key.
    order = models.message.c.id if recipient_key is None else models.message.c.cursor
    wanted = select(Message).options(selectinload(Message.sender), selectinload(Message.recipient))
    if recipient_key is not None:
        wanted = wanted.where(models.message.c.recipient_id == recipient_key)
    back = anchor is not None and anchor.direction == "newer"
    if anchor is not None:
        wanted = wanted.where(order > anchor.key if back else order < anchor.key)
    found = list(session.scalars(wanted.order_by(order if back else order.desc()).limit(limit + 1)))
    more, shown = len(found) > limit, found[:limit]
    if back:
        shown.reverse()
    keys = [message.id if recipient_key is None else message.cursor for message in shown]
    older = Anchor("older", keys[-1]) if keys and (back or more) else None
    newer = Anchor("newer", keys[0]) if keys and (more if back else anchor is not None) else None
    return Overview(shown, older, newer)
