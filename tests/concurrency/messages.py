"""What the concurrent tests of messages share: types that collapse, people, and threads that start at once."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier, Event
from typing import Any

from sqlalchemy import event, func, select

from flask_notify import MessageType
from tests.apps import Site

# SQLite waits for its one writer; every thread has a connection of its own.
PATIENT = {"connect_args": {"timeout": 60}, "pool_size": 20}
MANY_CONNECTIONS = {"pool_size": 20}


class Changed(MessageType):
    """One of which the first is kept."""

    collapse = "first"

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return f"changed by {self.data.get('by', 'nobody')}"


class Replied(MessageType):
    """One of which the latest is kept."""

    collapse = "latest"
    mail_mode = "daily"
    by: str

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return f"{self.by} replied"


def prepare(build: Callable[..., Site], database_name: str, **config: Any) -> Site:
    """Build an application for many threads, with the types above."""
    options = PATIENT if database_name.startswith("sqlite") else MANY_CONNECTIONS
    site = build(SQLALCHEMY_ENGINE_OPTIONS=options, **config)
    declare(site)
    return site


def declare(site: Site) -> None:
    """Declare the types above."""
    for kind in (Changed, Replied):
        site.notify.message_type(kind)


@dataclass
class Together:
    """Threads that wait for each other where they want to."""

    site: Site
    count: int

    def run(self, work: Callable[[int, Callable[[], None]], Any]) -> list[Any]:
        """Call ``work(number, meet)`` in so many threads, each with an application context of its own.

        ``meet`` waits until all have called it. What one raises is raised here.
        """
        barrier = Barrier(self.count)

        def one(number: int) -> Any:
            try:
                with self.site.app.app_context():
                    return work(number, lambda: void(barrier.wait(timeout=120)))
            except BaseException:
                barrier.abort()  # the others must not wait for this one
                raise

        with ThreadPoolExecutor(self.count) as pool:
            futures = [pool.submit(one, number) for number in range(self.count)]
        errors = [error for future in futures if (error := future.exception()) is not None]
        # A broken barrier only tells that another thread has failed.
        errors.sort(key=lambda error: type(error).__name__ == "BrokenBarrierError")
        if errors:
            raise errors[0]
        return [future.result() for future in futures]


def void(_: object) -> None:
    """Let an expression be a statement."""


def slow_down_commits(site: Site, slowest: float) -> None:
    """Let each commit take up to so many seconds, with every lock held."""
    with site.app.app_context():
        engine = site.db.engines[site.notify.models.bind_key]
    dice, never = random.Random(7), Event()

    @event.listens_for(engine, "commit")
    def take_a_while(_: Any) -> None:
        never.wait(dice.uniform(0, slowest))


def messages_of(site: Site, key: Any, kind: str | None = None) -> list[Any]:
    """Return a recipient's messages as they are stored, oldest first."""
    Message: Any = site.notify.Message
    query = select(Message).where(Message.recipient_id == key).order_by(Message.cursor)
    if kind is not None:
        query = query.where(Message.type == kind)
    with site.app.app_context():
        return list(site.db.session.scalars(query))


def check_counts(site: Site) -> None:
    """Compare what each inbox says with the messages that are there."""
    models = site.notify.models
    message, inbox = models.message.c, models.inbox.c
    unseen = (message.recipient_id == inbox.recipient_id) & message.seen_at.is_(None)
    counted = select(func.count()).select_from(models.message).where(unseen).scalar_subquery()
    due = select(func.min(message.mail_due_at)).where(unseen).scalar_subquery()
    query = select(
        inbox.recipient_id, inbox.unseen_count, counted.label("counted"), inbox.mail_due_at, due.label("due")
    )
    with site.app.app_context():
        rows = site.db.session.execute(query, bind_arguments={"clause": models.inbox}).all()
        groups = site.db.session.execute(
            select(message.recipient_id, message.group_key)
            .where(message.group_key.is_not(None), message.seen_at.is_not(None))
            .limit(1),
            bind_arguments={"clause": models.message},
        ).all()
    assert [(row.recipient_id, row.unseen_count) for row in rows] == [(row.recipient_id, row.counted) for row in rows]
    # Never later than the first that owes mail: nothing else would wake the one who sends it.
    late = [row for row in rows if row.due is not None and (row.mail_due_at is None or row.mail_due_at > row.due)]
    assert late == []
    assert groups == []


def told_count(site: Site, key: Any) -> Any:
    """Return the count of unseen messages that a page is told, or None if it is told none."""
    items: Iterable[Any] = site.client(key).get("/notifications").get_json()
    return next((item["data"] for item in items if item["name"] == "unread_message_count"), None)
