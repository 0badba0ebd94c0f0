"""What one reads: posts of those one follows, and how many of them are new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from flask import url_for
from sqlalchemy.orm import joinedload

from . import mentions
from .extensions import db, notify
from .models import Follow, Post, User


def publish(author: User, body: str) -> Post:
    """Post *body* and tell everybody who reads *author*."""
    readers = _lock_readers(author.id)
    post = Post(author_id=author.id, body=body)
    db.session.add(post)
    _tell_all(readers)
    post.watch(author)
    mentions.tell(author, post, mentions.names(body))
    return post


def edit(post: Post, body: str) -> None:
    """Let a post say something else; whom it mentions for the first time is told."""
    before = mentions.names(post.body)
    post.body = body
    mentions.tell(post.author, post, mentions.names(body) - before)


def delete(post: Post) -> None:
    """Delete a post; to those who have not looked since, it is not new any more."""
    readers = _lock_readers(post.author_id)
    db.session.delete(post)
    _tell_all(readers)


def hide(post: Post) -> None:
    """Take a post off the pages, and tell its author, who still sees it."""
    readers = _lock_readers(post.author_id)
    post.is_hidden = True
    _tell_all(readers)
    address = url_for("main.post", post_id=post.id)
    notify.send("One of your posts was taken off", to=post.author, target=post, body=post.body, url=address)


def show(post: Post) -> None:
    """Put a post on the pages again."""
    readers = _lock_readers(post.author_id)
    post.is_hidden = False
    _tell_all(readers)


def look_at_feed(reader: User) -> None:
    """Note that *reader* has now seen the home feed."""
    if _newest_post(reader) > reader.feed_seen_id:
        User.locked(User.id == reader.id)
        reader.feed_seen_id = _newest_post(reader)
        db.session.flush()
        tell_new_posts(reader)


def tell_new_posts(reader: User) -> None:
    """Show *reader* how many posts came since the last look at the home feed.

    The caller holds the lock on *reader*, so that the count that is told last is
    also the one that was counted last.
    """
    # The mark is compared in the database: the one in memory may be old.
    query = _posts_by_followed(reader, sa.func.count(Post.id))
    query = query.join(User, User.id == Follow.follower_id)
    query = query.where(Post.id > User.feed_seen_id)
    reader.add_notification("new_posts", db.session.scalar(query) or 0)


def home_feed(reader: User) -> sa.Select[Any]:
    """Select what *reader* follows and wrote, newest first."""
    followed = sa.select(Follow.followed_id).where(Follow.follower_id == reader.id)
    return everything(reader).where(sa.or_(Post.author_id.in_(followed), Post.author_id == reader.id))


def everything(reader: User | None) -> sa.Select[Any]:
    """Select all posts that a person can see, newest first."""
    posts = sa.select(Post).where(Post.seen_by(reader)).options(joinedload(Post.author))
    return posts.order_by(Post.created_at.desc(), Post.id.desc())


def _lock_readers(author_id: int) -> Sequence[User]:
    readers = sa.select(Follow.follower_id).where(Follow.followed_id == author_id)
    # The author, too: writing a post touches that row, and it must be in turn.
    concerned = User.locked(sa.or_(User.id == author_id, User.id.in_(readers)))
    return [user for user in concerned if user.id != author_id]


def _tell_all(readers: Sequence[User]) -> None:
    db.session.flush()
    for reader in readers:
        tell_new_posts(reader)


def _newest_post(reader: User) -> int:
    return db.session.scalar(_posts_by_followed(reader, sa.func.max(Post.id))) or 0


def _posts_by_followed(reader: User, what: sa.ColumnElement[int]) -> sa.Select[Any]:
    joined = sa.join(Post, Follow, Follow.followed_id == Post.author_id)
    return sa.select(what).select_from(joined).where(Follow.follower_id == reader.id, sa.not_(Post.is_hidden))
