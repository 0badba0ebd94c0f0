"""When a mail is due, by the recipient's own clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .rules import MailMode


@dataclass(frozen=True)
class Schedule:
    """The application's hours.

    :param often_delay: seconds that a message of the mode ``often`` waits to be seen.
    :param hour: of daily and weekly digests, by the recipient's clock.
    :param minute: of that hour.
    :param weekday: of weekly digests, 0 is Monday.
    :param default_zone: the time zone of recipients who have set none.
    """

    often_delay: float
    hour: int
    minute: int
    weekday: int
    default_zone: str


def due_at(mode: MailMode, now: float, zone: str | None, schedule: Schedule) -> float | None:
    """Return when a message that is written now is to be mailed, in Unix seconds.

    :param now: Unix seconds.
    :param zone: the recipient's time zone, or None; one that this machine does not know counts
        as none.
    :return: None for the modes that are never mailed.
    """
    if mode is MailMode.OFTEN:
        return now + schedule.often_delay
    if mode not in (MailMode.DAILY, MailMode.WEEKLY):
        return None
    return _next_digest(mode, now, _zone(zone, schedule), schedule)


def _next_digest(mode: MailMode, now: float, zone: ZoneInfo, schedule: Schedule) -> float:
    today = datetime.fromtimestamp(now, zone).date()
    for days in range(9):
        day = today + timedelta(days=days)
        if mode is MailMode.WEEKLY and day.weekday() != schedule.weekday:
            continue
        # fold=0: of an hour that comes twice the first counts, so that it is once across a
        # change of the clocks. One that is skipped is the instant at which it would have been.
        local = datetime(day.year, day.month, day.day, schedule.hour, schedule.minute, tzinfo=zone, fold=0)
        instant = local.astimezone(timezone.utc).timestamp()
        if instant > now:
            return instant
    raise AssertionError("nine days hold every weekday")


def _zone(name: str | None, schedule: Schedule) -> ZoneInfo:
    try:
        return ZoneInfo(name or schedule.default_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(schedule.default_zone)
