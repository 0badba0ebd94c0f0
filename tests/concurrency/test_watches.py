"""Watches that are changed by several sessions at once, beside those who send, and who delete what is watched."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, select

from flask_notify.messages import watches
from tests.apps import Site
from tests.concurrency.messages import Replied, Together, check_counts, messages_of, prepare, slow_down_commits
from tests.notes import add_models
from tests.servers import Database
from tests.watched import Stage

SESSIONS = 4
ROUNDS = 6

pytestmark = pytest.mark.databases("sqlite", "sqlite-wal", "postgresql", "mariadb")


@pytest.fixture
def busy(database: Database, build: Callable[..., Site]) -> Stage:
    """An application for many threads, with objects to watch."""
    site = prepare(build, database.name)
    return Stage(site, **add_models(site))


def add_post(stage: Stage) -> Any:
    with stage.site.app.app_context():
        post = stage.Post()
        stage.add(post)
        return post.id


def rows_of(stage: Stage) -> list[tuple[Any, ...]]:
    with stage.site.app.app_context():
        return stage.rows()


def test_one_who_watches_in_several_sessions_at_once_watches_once(busy: Stage) -> None:
    ann, post = busy.site.add_user("ann"), add_post(busy)

    def watch(number: int, meet: Callable[[], None]) -> None:
        for turn in range(ROUNDS):
            target, user = busy.session.get(busy.Post, post), busy.site.user(ann)
            if turn % 2:
                busy.unwatch(target, user)
            else:
                busy.watch(target, user, ["daily", None][number % 2])
            meet()
            busy.session.commit()
            meet()
            assert busy.is_watched(target, user) is (turn % 2 == 0)
            busy.session.rollback()

    Together(busy.site, SESSIONS).run(watch)

    assert rows_of(busy) == []


def test_a_mute_while_somebody_sends_holds_for_each_message(busy: Stage) -> None:
    ann, post = busy.site.add_user("ann"), add_post(busy)

    def send_or_choose(number: int, meet: Callable[[], None]) -> None:
        for turn in range(ROUNDS):
            target, user = busy.session.get(busy.Post, post), busy.site.user(ann)
            if number:
                busy.site.notify.send(f"{number}:{turn}", to=user, target=target)
            elif turn % 2:
                busy.mute(target, user)
            else:
                busy.watch(target, user, "weekly")
            meet()
            busy.session.commit()

    Together(busy.site, SESSIONS).run(send_or_choose)

    # What came before the last choice is not mailed; what came after it is not there.
    assert {(message.mail_mode, message.mail_due_at) for message in messages_of(busy.site, ann)} <= {("never", None)}
    assert [row[3] for row in rows_of(busy)] == ["silent"]
    check_counts(busy.site)


def test_who_stops_watching_what_is_being_deleted_does_not_deadlock_with_the_deletion(busy: Stage) -> None:
    users = [busy.site.add_user(f"user {number}") for number in range(SESSIONS)]
    posts = [add_post(busy) for _ in range(ROUNDS)]
    with busy.site.app.app_context():
        for post in posts:
            for key in users:
                busy.watch(busy.session.get(busy.Post, post), busy.site.user(key))
        busy.session.commit()
    slow_down_commits(busy.site, 0.004)

    def delete_or_unwatch(number: int, meet: Callable[[], None]) -> None:
        for post in posts:
            target = busy.session.get(busy.Post, post)
            if number:
                for key in random.Random(number).sample(users, len(users)):
                    busy.unwatch(target, busy.site.user(key))
            else:
                delete(busy, target)
            meet()
            busy.session.commit()
            meet()

    Together(busy.site, SESSIONS).run(delete_or_unwatch)

    assert rows_of(busy) == []


def delete(stage: Stage, target: Any) -> None:
    """Delete an object as a source of changes does: its watchers are told, and forgotten."""
    named = watches.target_named(target)
    stage.session.delete(target)
    stage.session.flush()
    connection = stage.session.connection(bind_arguments={"clause": stage.models.inbox})
    found = watches.watchers_of(connection, stage.models, [named])
    keys = [key for key, _ in found.get(named, [])]
    stage.site.notify.send("Deleted", to=select(stage.site.User.id).where(stage.site.User.id.in_(keys)))
    watches.forget_deleted(stage.models, found)


@pytest.mark.slow
def test_whoever_watches_and_sends_in_any_order_does_not_deadlock(busy: Stage) -> None:
    users = [busy.site.add_user(f"user {number}") for number in range(8)]
    posts = [add_post(busy) for _ in range(4)]
    slow_down_commits(busy.site, 0.004)

    def change(number: int, meet: Callable[[], None]) -> None:
        dice = random.Random(number)
        meet()
        for turn in range(20):
            some = [busy.site.user(key) for key in dice.sample(users, 4)]
            some[0].last_seen = dice.random()  # on SQLite, a transaction that writes had better begin so
            for user in some:
                target = busy.session.get(busy.Post, dice.choice(posts))
                what = dice.choice([busy.watch, busy.unwatch, busy.mute, busy.unmute, send(busy, f"{number}:{turn}")])
                what(target, user)
            busy.session.rollback() if dice.random() < 0.1 else busy.session.commit()

    Together(busy.site, 6).run(change)

    check_counts(busy.site)


def send(stage: Stage, text: str) -> Callable[[Any, Any], None]:
    def send_one(target: Any, user: Any) -> None:
        stage.site.notify.send(Replied(target=target, by=text), to=user)

    return send_one


@pytest.mark.databases("postgresql", "mariadb")
def test_nobody_waits_for_the_watches_of_others(busy: Stage) -> None:
    users = [busy.site.add_user(f"user {number}") for number in range(4)]
    posts = [add_post(busy) for _ in range(3)]
    for half in (users[:2], users[2:]):
        write_to(busy, half, posts)
    with busy.site.app.app_context():
        engine = busy.site.db.engine
    waiting = [users[2:]]
    with ThreadPoolExecutor(1) as pool:

        @event.listens_for(engine, "commit")
        def write_to_others_meanwhile(_: Any) -> None:
            # All that the first transaction takes is held here, and it goes on only when the others are done.
            if waiting:
                pool.submit(write_to, busy, waiting.pop(), posts).result(timeout=60)

        write_to(busy, users[:2], posts)

    assert waiting == []


def write_to(stage: Stage, keys: list[Any], posts: list[Any]) -> None:
    """Make, change and delete watches of the same objects, in one transaction."""
    with stage.site.app.app_context():
        ann, bob = (stage.site.user(key) for key in keys)
        first, second, third = (stage.session.get(stage.Post, key) for key in posts)
        stage.watch(first, ann, "daily")
        stage.mute(first, bob)
        for user in (ann, bob):
            present = stage.is_watched(second, user)
            (stage.unwatch if present else stage.watch)(second, user)
        stage.site.notify.send("Edited", to=[ann, bob], target=third)
        stage.session.commit()


@pytest.mark.databases("mariadb")
def test_under_repeatable_reads_a_watch_that_is_newer_than_the_snapshot_is_seen(build: Callable[..., Site]) -> None:
    site = build(SQLALCHEMY_ENGINE_OPTIONS={"isolation_level": "REPEATABLE READ"})
    stage = Stage(site, **add_models(site))
    ann, post = site.add_user("ann"), add_post(stage)

    def watch(number: int, meet: Callable[[], None]) -> None:
        assert not stage.is_watched(stage.session.get(stage.Post, post), site.user(ann))  # the snapshot is taken
        meet()
        if number:
            meet()
        stage.watch(stage.session.get(stage.Post, post), site.user(ann), ["weekly", "daily"][number])
        stage.session.commit()
        if not number:
            meet()

    Together(site, 2).run(watch)

    assert rows_of(stage) == [(ann, "Post", str(post), "daily")]
