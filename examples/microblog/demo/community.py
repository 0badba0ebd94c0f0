"""Fill an empty database with people who have something to say."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from werkzeug.security import generate_password_hash

from .. import feed, following
from ..extensions import db
from ..models import Follow, Post, User

#: The two who show a visitor around.
GUIDES = ("maren", "tobias")
PASSWORD = "lighthouse"  # noqa: S105  # the demo prints it

#: How many posts and followers are still new to the guides.
NEW_POSTS = 3
NEW_FOLLOWERS = 1

_SCRIPT = Path(__file__).with_name("community.json")


def fill(now: datetime) -> bool:
    """Add the community, as if it had met in the weeks before *now*.

    Does nothing when somebody is there already: what people did since is kept.
    Everything is one transaction, so that half a community is never left behind.
    """
    if db.session.scalar(sa.select(User.id).limit(1)) is not None:
        return False
    script = json.loads(_SCRIPT.read_text(encoding="utf-8"))
    people = _add_people(script["people"], now)
    _add_follows(script["people"], people, now)
    _add_posts(script["posts"], people, now)
    for name in GUIDES:
        _leave_news_for(people[name])
    db.session.commit()
    return True


def _add_people(script: dict[str, Any], now: datetime) -> dict[str, User]:
    secret = generate_password_hash(PASSWORD)
    people = {
        name: User(
            username=name,
            email=f"{name}@example.org",
            password_hash=secret,
            about_me=entry["about"],
            created_at=now - timedelta(days=entry["here_for_days"]),
            last_seen=now - timedelta(hours=entry["last_seen_hours"]),
        )
        for name, entry in script.items()
    }
    db.session.add_all(people.values())
    db.session.flush()
    return people


def _add_follows(script: dict[str, Any], people: dict[str, User], now: datetime) -> None:
    follows: list[Follow] = [
        Follow(
            follower_id=people[follower].id,
            followed_id=people[followed].id,
            created_at=now - timedelta(days=min(_days_ago(follower, followed), entry["here_for_days"])),
        )
        for follower, entry in script.items()
        for followed in entry["follows"]
    ]
    # In the order in which it happened, so that the newest has the highest key.
    follows.sort(key=lambda follow: follow.created_at)
    db.session.add_all(follows)
    db.session.flush()


def _days_ago(follower: str, followed: str) -> float:
    # Spread like chance, and the same at every first run.
    return 2 + sum(map(ord, follower + followed)) * 7 % 360 / 10


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
