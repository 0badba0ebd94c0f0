"""What a process knows of cursors is what it read itself, while nothing speaks against it."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest

from flask_notify.hints.known import KnownCursors
from flask_notify.hints.wire import Hint
from tests.hints.loopback import Monotonic

TTL = 30.0


class Life:
    """Since when the hints are heard."""

    def __init__(self, clock: Monotonic) -> None:
        self.since: float | None = clock() - 100

    def __call__(self) -> float | None:
        """Return it."""
        return self.since


@pytest.fixture
def clock() -> Monotonic:
    return Monotonic()


@pytest.fixture
def life(clock: Monotonic) -> Life:
    return Life(clock)


@pytest.fixture
def cursors(clock: Monotonic, life: Life) -> KnownCursors:
    return KnownCursors(TTL, life, clock=clock, most=3)


def hint(key: str, cursor: float) -> Hint:
    """Return a hint about one recipient."""
    return Hint({key: cursor})


def test_what_was_read_is_known(cursors: KnownCursors, clock: Monotonic) -> None:
    cursors.learn("1", 5.0, clock())

    assert cursors.known("1") == 5.0
    assert cursors.known("2") is None


def test_it_is_known_for_the_time_to_live_from_when_the_read_was_begun(cursors: KnownCursors, clock: Monotonic) -> None:
    asked_at = clock()
    clock.advance(4)
    cursors.learn("1", 5.0, asked_at)

    clock.advance(TTL - 4.5)
    assert cursors.known("1") == 5.0
    clock.advance(0.5)
    assert cursors.known("1") is None


def test_reading_it_does_not_prolong_it(cursors: KnownCursors, clock: Monotonic) -> None:
    cursors.learn("1", 5.0, clock())
    for _ in range(10):
        clock.advance(TTL / 10)
        known = cursors.known("1")

    assert known is None


def test_nothing_is_known_while_the_hints_are_not_heard(cursors: KnownCursors, clock: Monotonic, life: Life) -> None:
    cursors.learn("1", 5.0, clock())
    life.since = None

    assert cursors.known("1") is None


def test_what_was_read_before_the_hints_were_heard_is_not_known(
    cursors: KnownCursors, clock: Monotonic, life: Life
) -> None:
    cursors.learn("1", 5.0, clock())
    clock.advance(1)
    life.since = clock()
    assert cursors.known("1") is None

    clock.advance(1)
    cursors.learn("1", 5.0, clock())
    assert cursors.known("1") == 5.0


def test_a_hint_ends_what_is_known(cursors: KnownCursors, clock: Monotonic) -> None:
    cursors.learn("1", 5.0, clock())
    cursors.learn("2", 5.0, clock())

    cursors.heard(hint("1", 6.0))

    assert cursors.known("1") is None
    assert cursors.known("2") == 5.0


@pytest.mark.parametrize("told", [4.0, 5.0, 6.0])
def test_a_read_that_was_on_its_way_when_a_hint_came_teaches_nothing(
    cursors: KnownCursors, clock: Monotonic, told: float
) -> None:
    asked_at = clock()
    clock.advance(0.001)
    cursors.heard(hint("1", told))
    clock.advance(0.001)

    cursors.learn("1", 5.0, asked_at)

    assert cursors.known("1") is None


def test_a_read_after_the_hint_is_known_again(cursors: KnownCursors, clock: Monotonic) -> None:
    cursors.heard(hint("1", 6.0))
    clock.advance(0.001)

    cursors.learn("1", 6.0, clock())

    assert cursors.known("1") == 6.0


def test_hints_in_another_order_end_it_each(cursors: KnownCursors, clock: Monotonic) -> None:
    cursors.heard(hint("1", 7.0))
    clock.advance(0.001)
    cursors.learn("1", 7.0, clock())
    clock.advance(0.001)
    cursors.heard(hint("1", 6.0))
    assert cursors.known("1") is None

    clock.advance(0.001)
    cursors.learn("1", 7.0, clock())
    assert cursors.known("1") == 7.0


def test_a_replica_that_lags_behind_the_hint_teaches_nothing_for_a_while(
    cursors: KnownCursors, clock: Monotonic
) -> None:
    cursors.heard(hint("1", 6.0))
    clock.advance(1)
    cursors.learn("1", 5.0, clock())
    assert cursors.known("1") is None

    # A restored database is behind for good.
    clock.advance(TTL)
    cursors.learn("1", 5.0, clock())
    assert cursors.known("1") == 5.0


def test_of_two_reads_the_one_that_was_asked_later_counts(cursors: KnownCursors, clock: Monotonic) -> None:
    early = clock()
    clock.advance(1)
    cursors.learn("1", 6.0, clock())

    cursors.learn("1", 5.0, early)

    assert cursors.known("1") == 6.0


def test_there_are_never_more_than_wanted_and_the_oldest_goes_first(cursors: KnownCursors, clock: Monotonic) -> None:
    for key in "12345":
        clock.advance(1)
        cursors.learn(key, 5.0, clock())

    assert [key for key in "12345" if cursors.known(key)] == ["3", "4", "5"]


def test_a_hint_that_had_to_be_forgotten_is_not_buried_by_an_older_read(
    cursors: KnownCursors, clock: Monotonic
) -> None:
    asked_at = clock()
    for key in "12345":
        clock.advance(1)
        cursors.heard(hint(key, 6.0))

    cursors.learn("1", 5.0, asked_at)
    cursors.learn("9", 5.0, asked_at)
    assert cursors.known("1") is None
    assert cursors.known("9") is None

    cursors.learn("9", 5.0, clock())
    assert cursors.known("9") == 5.0


def test_when_everyone_may_have_news_nothing_is_known(cursors: KnownCursors, clock: Monotonic) -> None:
    asked_at = clock()
    cursors.learn("1", 5.0, asked_at)
    clock.advance(1)

    cursors.heard(Hint(everyone=True))

    assert cursors.known("1") is None
    cursors.learn("1", 5.0, asked_at)
    assert cursors.known("1") is None


def test_what_may_have_been_missed_ends_all(cursors: KnownCursors, clock: Monotonic) -> None:
    asked_at = clock()
    cursors.learn("1", 5.0, asked_at)
    cursors.forget()
    assert cursors.known("1") is None
    cursors.learn("1", 5.0, asked_at)
    assert cursors.known("1") is None


def test_readers_and_hints_at_the_same_time_never_leave_an_older_cursor_known(life: Life) -> None:
    # The real clock, real threads: a committer moves the cursor and then tells; readers read and then learn.
    life.since = 0.0
    cursors = KnownCursors(3600, life)
    stored = [0.0]
    start = Barrier(5)
    wrong: list[tuple[float, float | None]] = []
    done: list[bool] = []

    def commit() -> None:
        start.wait()
        for cursor in range(1, 3_000):
            stored[0] = float(cursor)
            cursors.heard(hint("1", float(cursor)))
            known = cursors.known("1")
            if known is not None and known < cursor:
                wrong.append((cursor, known))
        done.append(True)

    def read() -> None:
        start.wait()
        while not done:
            asked_at = cursors._clock()
            cursors.learn("1", stored[0], asked_at)

    threads = [Thread(target=commit), *(Thread(target=read) for _ in range(4))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
