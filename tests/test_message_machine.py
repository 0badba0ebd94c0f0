"""Whatever is sent, read, blocked and chosen, in whatever order: the count of the unseen is exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from flask_notify.messages.message_types import Private
from flask_notify.running import expiry
from tests.apps import Site
from tests.concurrency.messages import Changed, Replied, declare, told_count

PEOPLE = 3
PERSON = st.integers(0, PEOPLE - 1)
SOME = st.lists(PERSON, min_size=1, max_size=PEOPLE, unique=True)
PICK = st.lists(st.integers(0, 7), max_size=4)
MODES = st.sampled_from([None, "silent", "never", "often", "daily", "weekly"])


class Inboxes(RuleBasedStateMachine):
    """Three users who write to each other in one session, with savepoints, and read."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site
        self.now = 1_800_000_000.0
        site.notify.clock = lambda: self.now

    @initialize()
    def begin(self) -> None:
        # Of the examples before there are others, whose inboxes have to be right as well.
        self.keys = [self.site.add_user() for _ in range(PEOPLE)]
        self.context = self.site.app.app_context()
        self.context.push()
        self.session = self.site.db.session()
        self.savepoints: list[Any] = []
        # A pending choice or block is asked at the commit only: what was promised before may not be kept.
        self.promises_hold = True

    def teardown(self) -> None:
        """Leave the application context."""
        self.context.pop()

    def person(self, number: int) -> Any:
        return self.site.user(self.keys[number])

    @rule(to=SOME, about=PERSON, kind=st.sampled_from(["first", "latest", "system", "private"]), sender=PERSON)
    def send(self, to: list[int], about: int, kind: str, sender: int) -> None:
        target = self.person(about)
        makers: dict[str, Callable[[], Any]] = {
            "first": lambda: Changed(target=target, by="x"),
            "latest": lambda: Replied(target=target, by="x"),
            "private": lambda: Private(text="x", sender=self.person(sender)),
            "system": lambda: "x",
        }
        self.site.notify.send(makers[kind](), to=[self.person(number) for number in to])

    @rule(reader=PERSON, picks=PICK, seen=st.booleans())
    def mark(self, reader: int, picks: list[int], seen: bool) -> None:
        ids = [message.id for message in self.person(reader).messages_received]
        chosen = [ids[pick] for pick in picks if pick < len(ids)]
        (self.person(reader).mark_seen if seen else self.person(reader).mark_unseen)(*chosen)

    @rule(reader=PERSON, whose=PERSON)
    def mark_by_the_keys_of_another(self, reader: int, whose: int) -> None:
        self.person(reader).mark_seen(*self.person(whose).messages_received)

    @rule(reader=PERSON, pick=st.one_of(st.none(), st.integers(0, 7)))
    def mark_all_seen(self, reader: int, pick: int | None) -> None:
        cursors = [message.cursor for message in self.person(reader).messages_received]
        self.person(reader).mark_all_seen(until=cursors[pick] if pick is not None and pick < len(cursors) else None)

    @rule(chooser=PERSON, mode=MODES, kind=st.sampled_from([None, "changed", "replied", "private"]))
    def choose(self, chooser: int, mode: str | None, kind: str | None) -> None:
        self.person(chooser).set_mail_mode(mode, type=kind)
        self.promises_hold = False

    @rule(chooser=PERSON, zone=st.sampled_from([None, "Asia/Kolkata", "America/New_York"]), myself=st.booleans())
    def prefer(self, chooser: int, zone: str | None, myself: bool) -> None:
        self.person(chooser).set_notify_preferences(timezone=zone, notify_myself=myself)
        self.promises_hold = False

    @rule(chooser=PERSON, sender=PERSON, blocked=st.booleans())
    def block(self, chooser: int, sender: int, blocked: bool) -> None:
        user, other = self.person(chooser), self.person(sender)
        (user.block_sender if blocked else user.unblock_sender)(other)
        self.promises_hold = False

    @rule(seconds=st.sampled_from([0, 1, 400, 90_000, -3_600]))
    def wait(self, seconds: int) -> None:
        self.now += seconds  # a clock may be set back, too

    # On SQLite a savepoint that has read cannot write any more once another connection has.
    @precondition(lambda self: not self.savepoints)
    @rule()
    def expire(self) -> None:
        options = self.site.app.extensions["notify"].settings
        for _ in expiry.expire(self.site.notify.models, options, now=self.now):
            pass
        self.session.expire_all()
        self.promises_hold = False

    @rule()
    def commit(self) -> None:
        promised = [self.person(number).unread_message_count for number in range(PEOPLE)]
        self.session.commit()
        counted = [self.person(number).unread_message_count for number in range(PEOPLE)]
        if self.promises_hold:
            assert counted == promised
        assert [told_count(self.site, key) or 0 for key in self.keys] == counted
        self.ended()

    @rule()
    def roll_back(self) -> None:
        before = self.stored()
        self.session.rollback()
        assert self.stored() == before
        self.ended()

    def ended(self) -> None:
        self.savepoints.clear()
        self.promises_hold = True

    @precondition(lambda self: len(self.savepoints) < 2)
    @rule()
    def begin_savepoint(self) -> None:
        self.savepoints.append((self.session.begin_nested(), [self.person(n).unread_message_count for n in range(3)]))

    @precondition(lambda self: self.savepoints)
    @rule(released=st.booleans())
    def end_savepoint(self, released: bool) -> None:
        savepoint, counts = self.savepoints.pop()
        if released:
            savepoint.commit()
        else:
            savepoint.rollback()
            assert [self.person(number).unread_message_count for number in range(PEOPLE)] == counts

    def stored(self) -> list[Any]:
        message, inbox = self.site.notify.models.message.c, self.site.notify.models.inbox.c
        mine = (message.recipient_id == inbox.recipient_id) & message.seen_at.is_(None)
        counted = select(func.count()).select_from(message.id.table).where(mine).scalar_subquery()
        due = select(func.min(message.mail_due_at)).where(mine).scalar_subquery()
        columns = (inbox.recipient_id, inbox.unseen_count, counted, inbox.mail_due_at, due)
        query = select(*columns).where(inbox.recipient_id.in_(self.keys)).order_by(inbox.recipient_id)
        return [tuple(row) for row in self.session.execute(query).all()]

    @invariant()
    def each_inbox_knows_how_many_are_unseen_and_when_mail_is_due(self) -> None:
        for _, unseen, counted, mail_due_at, due in self.stored():
            assert unseen == counted
            assert due is None or mail_due_at <= due

    @invariant()
    def one_unseen_message_per_target_at_most_and_seen_ones_owe_no_mail(self) -> None:
        message = self.site.notify.models.message.c
        mine = message.recipient_id.in_(self.keys)
        groups = self.session.execute(
            select(message.recipient_id, message.group_key).where(mine, message.group_key.is_not(None))
        ).all()
        assert len(groups) == len(set(groups))
        owed = (message.mail_due_at.is_not(None) | message.group_key.is_not(None)) & message.seen_at.is_not(None)
        assert self.session.scalar(select(func.count()).select_from(message.id.table).where(mine, owed)) == 0


@pytest.mark.slow
@pytest.mark.databases("sqlite-wal", "postgresql", "mariadb")
def test_the_count_of_the_unseen_is_exact_whatever_happens(site: Site) -> None:
    declare(site)
    options = site.app.extensions["notify"].settings
    options.remove_after, options.keep_unseen = 1, False
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    make: Any = lambda: Inboxes(site)  # noqa: E731  # it is called like the class it stands for
    run_state_machine_as_test(
        make,
        settings=settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=checks),
    )
