"""Opening threads, changing them, and saying something in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from ..extensions import db
from ..models import Comment, Thread, User
from ..times import utcnow


class ThreadClosed(Exception):
    """Nothing more can be said in this thread."""


def readable(reader: User | None) -> sa.Select[Any]:
    """Select the threads that a person can see."""
    return sa.select(Thread).where(Thread.seen_by(reader)).options(joinedload(Thread.author))


def newest_first(reader: User | None) -> sa.Select[Any]:
    """Select them, those in which somebody has just said something first."""
    return readable(reader).order_by(Thread.active_at.desc(), Thread.id.desc())


def comments_on(thread: Thread) -> sa.Select[Any]:
    """Select what was said in a thread, newest first."""
    query = sa.select(Comment).filter_by(thread_id=thread.id).options(joinedload(Comment.author))
    return query.order_by(Comment.id.desc())


def counts_of(threads: list[Thread]) -> dict[int, int]:
    """Count the comments of some threads, in one statement."""
    query = sa.select(Comment.thread_id, sa.func.count()).group_by(Comment.thread_id)
    found = db.session.execute(query.where(Comment.thread_id.in_([thread.id for thread in threads])))
    return {key: count for key, count in found}


def open_thread(author: User, now: datetime | None = None, **values: Any) -> Thread:
    """Begin a discussion."""
    now = now or utcnow()
    thread = Thread(author_id=author.id, created_at=now, active_at=now, **values)
    db.session.add(thread)
    thread.watch(author)
    return thread


def comment(author: User, thread: Thread, body: str, now: datetime | None = None) -> Comment:
    """Say something in a thread.

    :raises ThreadClosed: when the author of the thread has closed it, perhaps only just now.
    """
    now = now or utcnow()
    # One statement looks and writes: who closes the thread meanwhile comes before it or after it, on every database.
    still_open = sa.update(Thread).where(Thread.id == thread.id, sa.not_(Thread.closed)).values(active_at=now)
    if not db.session.connection().execute(still_open).rowcount:
        raise ThreadClosed
    said = Comment(thread=thread, author_id=author.id, body=body, created_at=now)
    db.session.add(said)
    # Who takes part wants to know how it goes on, unless they have said that they do not.
    if not thread.is_muted_by(author):
        thread.watch(author)
    return said
