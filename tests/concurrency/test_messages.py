"""Messages of one recipient, written and marked by several sessions at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, select

from tests.apps import Site
from tests.concurrency.messages import (
    Changed,
    Replied,
    Together,
    check_counts,
    messages_of,
    prepare,
    slow_down_commits,
    told_count,
)
from tests.servers import Database

SENDERS = 5
ROUNDS = 6

pytestmark = pytest.mark.databases("sqlite", "sqlite-wal", "postgresql", "mariadb")


@pytest.fixture
def busy(database: Database, build: Callable[..., Site]) -> Site:
    """An application for many threads."""
    return prepare(build, database.name)


def test_senders_at_the_same_time_leave_the_first_message(busy: Site) -> None:
    ann, cem = busy.add_user("ann"), busy.add_user("cem")

    def send(number: int, meet: Callable[[], None]) -> None:
        for turn in range(ROUNDS):
            busy.notify.send(Changed(target=busy.user(cem), by=f"{number}:{turn}"), to=busy.user(ann))
            meet()
            busy.db.session.commit()

    Together(busy, SENDERS).run(send)

    (message,) = messages_of(busy, ann)
    assert message.subject.endswith(":0")
    assert message.count == 1
    check_counts(busy)
    assert told_count(busy, ann) == 1


def test_senders_at_the_same_time_leave_the_latest_message_with_their_number(busy: Site) -> None:
    ann, cem = busy.add_user("ann"), busy.add_user("cem")

    def send(number: int, meet: Callable[[], None]) -> None:
        for turn in range(ROUNDS):
            busy.notify.send(Replied(target=busy.user(cem), by=f"{number}:{turn}"), to=busy.user(ann))
            meet()
            busy.db.session.commit()

    Together(busy, SENDERS).run(send)

    (message,) = messages_of(busy, ann)
    assert message.subject.endswith(f":{ROUNDS - 1} replied")
    assert message.count == SENDERS * ROUNDS
    check_counts(busy)
    assert told_count(busy, ann) == 1


def test_what_is_told_while_the_recipient_reads_is_neither_lost_nor_seen_unread(busy: Site) -> None:
    ann, cem = busy.add_user("ann"), busy.add_user("cem")
    shown: set[tuple[int, int]] = set()  # messages as they were read, with their count

    def send_or_read(number: int, meet: Callable[[], None]) -> None:
        for turn in range(ROUNDS):
            if number:
                busy.notify.send(Replied(target=busy.user(cem), by=f"{number}:{turn}"), to=busy.user(ann))
                busy.notify.send(Changed(target=busy.user(cem), by=f"{number}:{turn}"), to=busy.user(ann))
                meet()
                busy.db.session.commit()
            else:
                page = [message for message in busy.user(ann).messages_received if not message.seen]
                shown.update((message.id, message.count) for message in page)
                busy.user(ann).mark_all_seen(until=max((message.cursor for message in page), default=0.0))
                meet()
                busy.db.session.commit()

    Together(busy, SENDERS).run(send_or_read)

    replies = messages_of(busy, ann, "replied")
    assert sum(message.count for message in replies) == (SENDERS - 1) * ROUNDS
    assert sum(not message.seen for message in replies) <= 1
    # Whatever is seen now was on a page just so: one that was renewed since is unseen again on top.
    assert {(message.id, message.count) for message in replies if message.seen} <= shown
    assert sum(not message.seen for message in messages_of(busy, ann, "changed")) <= 1
    check_counts(busy)


def test_marking_all_seen_spares_what_arrived_after_the_page_was_rendered(busy: Site) -> None:
    ann = busy.add_user("ann")

    def send_or_read(number: int, meet: Callable[[], None]) -> Any:
        if number:
            busy.notify.send("shown", to=busy.user(ann))
            busy.db.session.commit()
            # Emitted before the page is rendered, committed after it, on a host whose clock is an hour behind.
            busy.notify.send("arrived since", to=busy.user(ann))
            meet()
            meet()
            now = busy.notify.clock()
            busy.notify.clock = lambda: now - 3600
            busy.db.session.commit()
            meet()
            return None
        meet()
        page = list(busy.user(ann).messages_received)
        until = page[0].cursor
        busy.db.session.commit()
        meet()
        meet()
        marked = busy.user(ann).mark_all_seen(until=until)
        busy.db.session.commit()
        return [message.subject for message in page], marked.changed

    page, _ = Together(busy, 2).run(send_or_read)

    assert page == (["shown"], 1)
    assert [(m.subject, m.seen) for m in messages_of(busy, ann)] == [("shown", True), ("arrived since", False)]
    check_counts(busy)
    assert told_count(busy, ann) == 1


def test_one_message_that_two_tabs_mark_is_counted_once(busy: Site) -> None:
    ann = busy.add_user("ann")
    with busy.app.app_context():
        for number in range(10):
            busy.notify.send(f"m{number}", to=busy.user(ann))
        busy.db.session.commit()
        ids = [message.id for message in busy.user(ann).messages_received]

    def mark(_: int, meet: Callable[[], None]) -> int:
        changed = 0
        for number in ids:
            marked = busy.user(ann).mark_seen(number)
            meet()
            busy.db.session.commit()
            changed += marked.changed or 0
        return changed

    assert sum(Together(busy, 3).run(mark)) == 10
    check_counts(busy)
    assert told_count(busy, ann) == 0


def test_a_mode_that_changes_while_somebody_sends_holds_for_each_message(busy: Site) -> None:
    ann = busy.add_user("ann")

    def send_or_choose(number: int, meet: Callable[[], None]) -> None:
        for turn in range(ROUNDS):
            if number:
                busy.notify.send(f"{number}:{turn}", to=busy.user(ann))
            else:
                busy.user(ann).set_mail_mode("never" if turn % 2 else "weekly")
            meet()
            busy.db.session.commit()

    Together(busy, SENDERS).run(send_or_choose)

    messages = messages_of(busy, ann)
    assert len(messages) == (SENDERS - 1) * ROUNDS
    # The last choice is "never": it is in force for what came before it, and for what came after.
    assert {(message.mail_mode, message.mail_due_at) for message in messages} == {("never", None)}
    check_counts(busy)


RECIPIENTS = 8
WORKERS = 6


@pytest.mark.slow
def test_whoever_writes_to_the_same_recipients_in_any_order_does_not_deadlock(
    database: Database, build: Callable[..., Site]
) -> None:
    site = prepare(build, database.name, NOTIFY_INLINE_RECIPIENTS=RECIPIENTS - 2)
    keys = [site.add_user(f"user {number}") for number in range(RECIPIENTS)]
    slow_down_commits(site, 0.004)

    def emit(number: int, meet: Callable[[], None]) -> None:
        dice = random.Random(number)
        meet()
        for turn in range(20):
            everything(site, dice, keys, f"{number}:{turn}")
            if dice.random() < 0.1:
                site.db.session.rollback()
            site.db.session.commit()
            if turn % 10 == 9:
                site.notify.drain()

    Together(site, WORKERS).run(emit)

    with site.app.app_context():
        site.notify.drain()
    check_counts(site)


@pytest.mark.databases("postgresql", "mariadb")
def test_nobody_waits_for_what_is_written_to_others(database: Database, build: Callable[..., Site]) -> None:
    site = prepare(build, database.name, NOTIFY_INLINE_RECIPIENTS=2)
    keys = [site.add_user(f"user {number}") for number in range(6)]
    mine, others = keys[:3], keys[3:]
    for half in (mine, others):
        write_to(site, half)  # so that there is something of each kind
    with site.app.app_context():
        engine = site.db.engine
    waiting = [others]
    with ThreadPoolExecutor(1) as pool:

        @event.listens_for(engine, "commit")
        def write_to_others_meanwhile(_: Any) -> None:
            # All that the first transaction takes is held here, and it goes on only when the others are done.
            if waiting:
                pool.submit(write_to, site, waiting.pop()).result(timeout=60)

        write_to(site, mine, at_once=True)

    assert waiting == []
    check_counts(site)


def write_to(site: Site, keys: list[Any], *, at_once: bool = False) -> None:
    """Do all that locks recipients, in one transaction or in many."""
    with site.app.app_context():
        ann, bob, cem = users = [site.user(key) for key in keys]
        steps: list[Callable[[], Any]] = [
            lambda: ann.add_notification("shared", 1),
            lambda: site.notify.send(Changed(target=ann, by="x"), to=users[:2]),
            lambda: site.notify.send(Replied(target=ann, by="x"), to=users[1:]),
            lambda: site.notify.send("to all", to=users[:2]),
            lambda: bob.mark_seen(*[message.id for message in bob.messages_received][:1]),
            lambda: cem.set_mail_mode("weekly"),
            lambda: cem.set_mail_mode("daily", type="replied"),
            lambda: cem.block_sender(ann),
            cem.mark_all_seen,
            lambda: bob.mark_unseen(*bob.messages_received),
        ]
        if not at_once:
            steps.append(lambda: site.notify.send("to more than go inline", to=users))
        for step in steps:
            step()
            if not at_once:
                site.db.session.commit()
        site.db.session.commit()


def everything(site: Site, dice: random.Random, keys: list[Any], name: str) -> None:
    """Do, in one transaction, a bit of all that locks a recipient."""
    users = [site.user(key) for key in dice.sample(keys, 4)]
    users[0].last_seen = dice.random()  # on SQLite, a transaction that writes had better begin so
    target = site.user(dice.choice(keys))
    savepoint = site.db.session.begin_nested()
    for user in users:
        user.add_notification(dice.choice(["shared", name]), name)
        dice.choice([user.mark_all_seen, user.unread_message_count.bit_length])()
    savepoint.rollback() if dice.random() < 0.2 else savepoint.commit()
    dice.shuffle(users)
    site.notify.send(Changed(target=target, by=name), to=users)
    site.notify.send(Replied(target=target, by=name), to=users[1:])
    site.notify.send(name, to=users[:2])
    if dice.random() < 0.2:
        users[3].set_mail_mode(dice.choice(["often", "daily", "never", None]))
        users[2].set_mail_mode("weekly", type="replied")
        users[1].block_sender(users[0])
    if dice.random() < 0.2:
        site.notify.send(name, to=select(site.User.id))  # to more than go inline
        site.notify.broadcast("to all", name)
    ids = [message.id for message in users[2].messages_received if dice.random() < 0.3]
    dice.choice([users[2].mark_seen, users[2].mark_unseen])(*ids)
