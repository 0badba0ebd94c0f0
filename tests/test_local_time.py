"""When a mail is due, by the recipient's own clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_notify.local_time import Schedule, due_at
from flask_notify.rules import MailMode

AT_EIGHT = Schedule(often_delay=300, hour=8, minute=0, weekday=0, default_zone="UTC")
AT_HALF_PAST_TWO = Schedule(often_delay=300, hour=2, minute=30, weekday=6, default_zone="UTC")
ZONES = sorted(
    zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix/", "right/"))
)


def seconds(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def digest(mode: MailMode, now: str, zone: str, schedule: Schedule = AT_EIGHT) -> str:
    """Return when a digest is due for what happens at ``now``, both by the clock of the zone."""
    due = due_at(mode, seconds(now, zone), zone, schedule)
    assert due is not None
    return datetime.fromtimestamp(due, ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M %z")


def test_often_is_due_after_the_delay_whatever_the_zone() -> None:
    assert due_at(MailMode.OFTEN, 1000.5, "Asia/Kolkata", AT_EIGHT) == 1300.5


@pytest.mark.parametrize("mode", [MailMode.NEVER, MailMode.SILENT])
def test_what_is_never_mailed_is_never_due(mode: MailMode) -> None:
    assert due_at(mode, 1000.0, None, AT_EIGHT) is None


@pytest.mark.parametrize(
    "now,due",
    [
        ("2026-11-21T07:59:59", "Sat 2026-11-21 08:00 +0100"),
        ("2026-11-21T08:00:00", "Sun 2026-11-22 08:00 +0100"),  # what comes with the digest waits for the next
        ("2026-11-21T23:00:00", "Sun 2026-11-22 08:00 +0100"),
        ("2026-12-31T12:00:00", "Fri 2027-01-01 08:00 +0100"),
    ],
)
def test_a_daily_digest_is_due_at_the_next_such_hour(now: str, due: str) -> None:
    assert digest(MailMode.DAILY, now, "Europe/Berlin") == due


@pytest.mark.parametrize(
    "now,due",
    [
        ("2026-11-23T07:59:59", "Mon 2026-11-23 08:00 +0100"),
        ("2026-11-23T08:00:00", "Mon 2026-11-30 08:00 +0100"),
        ("2026-11-22T12:00:00", "Mon 2026-11-23 08:00 +0100"),
        ("2026-11-24T12:00:00", "Mon 2026-11-30 08:00 +0100"),
    ],
)
def test_a_weekly_digest_is_due_on_its_weekday(now: str, due: str) -> None:
    assert digest(MailMode.WEEKLY, now, "Europe/Berlin") == due


@pytest.mark.parametrize(
    "zone,now,due",
    [
        ("Europe/Berlin", "2027-03-27T12:00", "Sun 2027-03-28 08:00 +0200"),
        ("Europe/Berlin", "2026-10-24T12:00", "Sun 2026-10-25 08:00 +0100"),
        ("Asia/Kolkata", "2026-11-21T12:00", "Sun 2026-11-22 08:00 +0530"),
        ("Asia/Kathmandu", "2026-11-21T12:00", "Sun 2026-11-22 08:00 +0545"),
        # Its clocks change by half an hour.
        ("Australia/Lord_Howe", "2026-10-03T12:00", "Sun 2026-10-04 08:00 +1100"),
        ("Australia/Lord_Howe", "2027-04-03T12:00", "Sun 2027-04-04 08:00 +1030"),
        # It left 30 December 2011 out.
        ("Pacific/Apia", "2011-12-29T12:00", "Sat 2011-12-31 08:00 +1400"),
    ],
)
def test_the_hour_is_that_of_the_clock_on_the_wall_also_when_clocks_have_changed(zone: str, now: str, due: str) -> None:
    assert digest(MailMode.DAILY, now, zone) == due


@pytest.mark.parametrize(
    "zone,now,due",
    [
        # 02:30 is left out: the digest is due when it would have been.
        ("Europe/Berlin", "2027-03-27T12:00", "Sun 2027-03-28 03:30 +0200"),
        # 02:30 comes twice: the first counts.
        ("Europe/Berlin", "2026-10-24T12:00", "Sun 2026-10-25 02:30 +0200"),
    ],
)
def test_an_hour_that_is_left_out_or_comes_twice_is_one_digest(zone: str, now: str, due: str) -> None:
    assert digest(MailMode.DAILY, now, zone, AT_HALF_PAST_TWO) == due


def test_after_the_first_of_two_equal_hours_the_next_digest_is_tomorrows() -> None:
    first = seconds("2026-10-25T02:30", "Europe/Berlin")

    due = due_at(MailMode.DAILY, first, "Europe/Berlin", AT_HALF_PAST_TWO)

    assert due == seconds("2026-10-26T02:30", "Europe/Berlin")
    assert due - first == 25 * 3600


@pytest.mark.parametrize("zone", [None, "", "Mars/Olympus_Mons", "../etc/passwd", "UTC\0"])
def test_a_zone_that_this_machine_does_not_know_counts_as_none(zone: str | None) -> None:
    assert due_at(MailMode.DAILY, seconds("2026-11-21T12:00"), zone, AT_EIGHT) == seconds("2026-11-22T08:00")


@given(
    zone=st.sampled_from(ZONES),
    now=st.floats(seconds("2015-01-01"), seconds("2035-01-01")),
    hour=st.integers(4, 20),
    minute=st.sampled_from([0, 15, 30, 59]),
)
def test_every_day_has_one_digest_in_every_zone(zone: str, now: float, hour: int, minute: int) -> None:
    schedule = Schedule(300, hour, minute, 0, "UTC")
    days = []
    for _ in range(4):
        due = due_at(MailMode.DAILY, now, zone, schedule)
        assert due is not None
        assert due > now
        days.append((datetime.fromtimestamp(due, timezone.utc) + _offset(zone, due)).date())
        now = due

    gaps = {later - earlier for earlier, later in pairwise(days)}
    assert gaps == {timedelta(days=1)}


def _offset(zone: str, moment: float) -> timedelta:
    offset = datetime.fromtimestamp(moment, ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return offset
