"""What the people of the demo were told in the days before, and what of it they have read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from .. import mentions
from ..extensions import db, notify
from ..message_types import Announced, Followed, welcome
from ..models import Follow, Post, User

#: What is older would not have been kept.
MEMORY = timedelta(days=13)

Happening = tuple[datetime, Callable[[], Any]]


def happen(script: dict[str, Any], people: dict[str, User], now: datetime) -> Iterator[Happening]:
    """Yield what they were told, in no order: each a moment, and a function that tells of it."""
    happenings = [
        *_welcomes(people),
        *_follows(),
        *_mentions(),
        *_letters(script["letters"], people, now),
        _announcement(script["announcement"], people, now),
        *_readings(script["people"], people, now),
    ]
    yield from (it for it in happenings if it[0] >= now - MEMORY)


def _welcomes(people: dict[str, User]) -> Iterator[Happening]:
    for person in people.values():
        yield person.created_at, partial(welcome, person)


def _follows() -> Iterator[Happening]:
    both = joinedload(Follow.follower), joinedload(Follow.followed)
    for follow in db.session.scalars(sa.select(Follow).options(*both)):
        message = Followed(sender=follow.follower, target=follow.followed)
        yield follow.created_at, partial(notify.send, message, to=follow.followed)


def _mentions() -> Iterator[Happening]:
    for post in db.session.scalars(sa.select(Post).options(joinedload(Post.author))):
        if mentioned := mentions.names(post.body):
            yield post.created_at, partial(mentions.tell, post.author, post, mentioned)


def _letters(script: list[dict[str, Any]], people: dict[str, User], now: datetime) -> Iterator[Happening]:
    Private = notify.message_types["private"]
    for entry in script:
        letter = Private(sender=people[entry["from"]], text=entry["text"])
        yield now - timedelta(days=entry["days"]), partial(notify.send, letter, to=people[entry["to"]])


def _announcement(script: dict[str, Any], people: dict[str, User], now: datetime) -> Happening:
    def tell() -> None:
        for person in people.values():
            if person.created_at <= moment:
                notify.send(Announced(headline=script["headline"], text=script["text"]), to=person)

    moment = now - timedelta(days=script["days"])
    return moment, tell


def _readings(script: dict[str, Any], people: dict[str, User], now: datetime) -> Iterator[Happening]:
    for name, entry in script.items():
        # Most read all there was when they were here last; the guides have left something for the visitor.
        moment = now - timedelta(days=entry["reads_days"]) if "reads_days" in entry else people[name].last_seen
        yield moment, people[name].mark_all_seen
