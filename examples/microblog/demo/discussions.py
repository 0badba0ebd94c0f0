"""What the people of the demo discussed in the days before, and what they changed of what they had written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from .. import feed
from ..extensions import db, notify
from ..models import Post, Thread, Topic, User
from ..threads import talk
from ..threads.actions import CloseThread
from .correspondence import Happening


def happen(script: dict[str, Any], people: dict[str, User], now: datetime) -> Iterator[Happening]:
    """Yield what happened, in no order: each a moment, and a function that lets it happen."""
    for entry in script["threads"]:
        yield from _Discussion(entry, people, now).happenings()
    for entry in script["posts"]:
        for name in entry.get("watched_by", ()):
            yield now - timedelta(days=entry["days"]), partial(_watch_post, entry["text"], people[name])
        for edit in entry.get("edits", ()):
            moment = now - timedelta(days=edit["days"])
            yield moment, partial(_as, people[edit["by"]], partial(_edit_post, entry["text"], edit["text"]))


class _Discussion:
    """One thread, from its beginning on."""

    def __init__(self, entry: dict[str, Any], people: dict[str, User], now: datetime) -> None:
        self._entry = entry
        self._people = people
        self._now = now
        self._opened: list[Thread] = []

    def happenings(self) -> Iterator[Happening]:
        yield self._happening(self._entry, self._open)
        for entry in self._entry["comments"]:
            yield self._happening(entry, self._comment)
        for entry in self._entry.get("edits", ()):
            yield self._happening(entry, self._edit)
        if closing := self._entry.get("closed"):
            yield self._happening({"by": self._entry["by"], **closing}, self._close)

    def _happening(self, entry: dict[str, Any], what: Any) -> Happening:
        moment = self._now - timedelta(days=entry["days"])
        return moment, partial(_as, self._people[entry["by"]], partial(what, entry, moment))

    @property
    def _thread(self) -> Thread:
        [thread] = self._opened
        return thread

    def _open(self, entry: dict[str, Any], moment: datetime) -> None:
        author = self._people[entry["by"]]
        values = _values({"visibility": "everybody", **entry})
        self._opened.append(talk.open_thread(author, now=moment, **values))

    def _comment(self, entry: dict[str, Any], moment: datetime) -> None:
        talk.comment(self._people[entry["by"]], self._thread, entry["text"], now=moment)

    def _edit(self, entry: dict[str, Any], _moment: datetime) -> None:
        for name, value in _values(entry).items():
            setattr(self._thread, name, value)

    def _close(self, entry: dict[str, Any], _moment: datetime) -> None:
        # As from the page: the action asks for words, and for a yes.
        said = {"subject": entry["subject"], "body": entry["text"]}
        CloseThread.run_for(self._thread, user=self._people[entry["by"]], params=said, answers={"close": True})


def _values(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of a thread that an entry tells of."""
    values: dict[str, Any] = {name: entry[name] for name in ("title", "visibility") if name in entry}
    if "text" in entry:
        values["body"] = entry["text"]
    if "topic" in entry:
        values["topic"] = Topic[entry["topic"]]
    return values


def _as(person: User, act: Callable[[], Any]) -> None:
    """Let somebody do something: others are told who it was, outside a request as in one."""
    with notify.acting_as(person):
        act()
        # What is noticed at the flush is their doing.
        db.session.flush()


def _watch_post(text: str, person: User) -> None:
    _post(text).watch(person)


def _edit_post(text: str, new: str) -> None:
    feed.edit(_post(text), new)


def _post(text: str) -> Post:
    return db.session.scalars(sa.select(Post).where(Post.body == text)).one()
