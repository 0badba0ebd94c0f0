"""Fill an empty database with people who have something to say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from werkzeug.security import generate_password_hash

from .. import feed, following
from ..extensions import db, notify
from ..models import Follow, Post, User
from . import correspondence, discussions

#: The two who show a visitor around.
GUIDES = ("maren", "tobias")
#: Who may announce something to everybody.
ADMINISTRATOR = "maren"
PASSWORD = "lighthouse"  # noqa: S105  # the demo prints it

#: How many posts and followers are still new to the guides.
NEW_POSTS = 3
NEW_FOLLOWERS = 4

_SCRIPT = Path(__file__).with_name("community.json")


def fill(now: datetime) -> bool:
    """Add the community, as if it had met in the weeks before *now*.

    Does nothing when somebody is there already: what people did since is kept.
    People and posts are one transaction, so that half a community is never left
    behind. What they were told since is written day by day, as it was in life.
    """
    if db.session.scalar(sa.select(User.id).limit(1)) is not None:
        return False
    script = json.loads(_SCRIPT.read_text(encoding="utf-8"))
    with _at(now - timedelta(days=60)):
        people = _add_people(script["people"], now)
        _add_follows(script["people"], people, now)
        _add_posts(script["posts"], people, now)
        db.session.commit()
    happenings = [*correspondence.happen(script, people, now), *discussions.happen(script, people, now)]
    for moment, event in sorted(happenings, key=lambda it: it[0]):
        with _at(moment):
            event()
            db.session.commit()
    for name in GUIDES:
        _leave_news_for(people[name])
    db.session.commit()
    return True


@contextmanager
def _at(moment: datetime) -> Iterator[None]:
    """Let what is told meanwhile be of that time."""
    clock, notify.clock = notify.clock, moment.timestamp
    try:
        yield
    finally:
        notify.clock = clock


def _add_people(script: dict[str, Any], now: datetime) -> dict[str, User]:
    secret = generate_password_hash(PASSWORD)
    people = {
        name: User(
            username=name,
            email=f"{name}@example.org",
            password_hash=secret,
            about_me=entry["about"],
            is_admin=name == ADMINISTRATOR,
            created_at=now - timedelta(days=entry["here_for_days"]),
            last_seen=now - timedelta(hours=entry["last_seen_hours"]),
        )
        for name, entry in script.items()
    }
    db.session.add_all(people.values())
    db.session.flush()
    for name, entry in script.items():
        people[name].set_notify_preferences(timezone=entry.get("timezone"))
        people[name].set_mail_mode(entry.get("mail_mode"))
    return people


def _add_follows(script: dict[str, Any], people: dict[str, User], now: datetime) -> None:
    follows: list[Follow] = [
        Follow(
            follower_id=people[follower].id,
            followed_id=people[followed].id,
            created_at=now - timedelta(days=days),
        )
        for follower, entry in script.items()
        for followed, days in _follows(follower, entry)
    ]
    # In the order in which it happened, so that the newest has the highest key.
    follows.sort(key=lambda follow: follow.created_at)
    db.session.add_all(follows)
    db.session.flush()


def _follows(follower: str, entry: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for followed in entry["follows"]:
        # Spread like chance, and the same at every first run.
        days_ago = 2 + sum(map(ord, follower + followed)) * 7 % 360 / 10
        yield followed, min(days_ago, entry["here_for_days"])
    yield from entry.get("lately", {}).items()


def _add_posts(script: list[dict[str, Any]], people: dict[str, User], now: datetime) -> None:
    for entry in sorted(script, key=lambda entry: -entry["days"]):
        post = Post(
            author_id=people[entry["by"]].id,
            body=entry["text"],
            created_at=now - timedelta(days=entry["days"]),
        )
        db.session.add(post)
    db.session.flush()


def _leave_news_for(user: User) -> None:
    follows = sa.select(Follow.id).where(Follow.followed_id == user.id)
    user.followers_seen_id = _before_last(follows.order_by(Follow.id), NEW_FOLLOWERS)
    posts = sa.select(Post.id).join(Follow, Follow.followed_id == Post.author_id)
    posts = posts.where(Follow.follower_id == user.id)
    user.feed_seen_id = _before_last(posts.order_by(Post.id), NEW_POSTS)
    db.session.flush()
    following.tell_new_followers(user)
    feed.tell_new_posts(user)


def _before_last(keys: sa.Select[Any], count: int) -> int:
    found = db.session.scalars(keys).all()
    return found[-count - 1] if len(found) > count else 0
