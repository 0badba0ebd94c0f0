"""Who reads whom, and how many follows one has not looked at yet."""

from __future__ import annotations

import sqlalchemy as sa

from . import feed
from .extensions import db, notify
from .message_types import Followed
from .models import Follow, User


def follow(follower: User, followed: User) -> bool:
    """Let *follower* read *followed*; false if that is so already or impossible."""
    if follower.id == followed.id or is_following(follower, followed):
        return False
    _lock(follower, followed)
    db.session.add(Follow(follower_id=follower.id, followed_id=followed.id))
    _tell_both(follower, followed)
    notify.send(Followed(sender=follower, target=followed), to=followed)
    return True


def unfollow(follower: User, followed: User) -> None:
    """Let *follower* read *followed* no longer."""
    _lock(follower, followed)
    db.session.execute(sa.delete(Follow).filter_by(follower_id=follower.id, followed_id=followed.id))
    _tell_both(follower, followed)


def look_at_followers(user: User) -> None:
    """Note that *user* has now seen who follows."""
    if _newest_follow(user) > user.followers_seen_id:
        _lock(user)
        user.followers_seen_id = _newest_follow(user)
        db.session.flush()
        tell_new_followers(user)


def tell_new_followers(user: User) -> None:
    """Show *user* how many followers came since the last look at the list of them.

    The caller holds the lock on *user*, so that the count that is told last is also
    the one that was counted last.
    """
    # The mark is compared in the database: the one in memory may be old.
    query = (
        sa.select(sa.func.count(Follow.id))
        .join(User, User.id == Follow.followed_id)
        .where(User.id == user.id, Follow.id > User.followers_seen_id)
    )
    user.add_notification("new_followers", db.session.scalar(query) or 0)


def is_following(follower: User, followed: User) -> bool:
    """Tell whether *follower* reads *followed*."""
    query = sa.select(Follow.id).filter_by(follower_id=follower.id, followed_id=followed.id)
    return db.session.scalar(query) is not None


def counts(user: User) -> tuple[int, int]:
    """Return how many follow *user* and how many *user* follows."""
    followers = sa.select(sa.func.count()).where(Follow.followed_id == user.id)
    following = sa.select(sa.func.count()).where(Follow.follower_id == user.id)
    return db.session.scalar(followers) or 0, db.session.scalar(following) or 0


def _lock(*users: User) -> None:
    # Two who follow the same person at once must count one after the other.
    User.locked(User.id.in_([user.id for user in users]))


def _newest_follow(user: User) -> int:
    query = sa.select(sa.func.max(Follow.id)).where(Follow.followed_id == user.id)
    return db.session.scalar(query) or 0


def _tell_both(follower: User, followed: User) -> None:
    db.session.flush()
    tell_new_followers(followed)
    feed.tell_new_posts(follower)
