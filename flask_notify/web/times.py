"""When something was, as people say it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import current_app

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def zone_of(name: str | None, default: str) -> ZoneInfo:
    """Return a recipient's time zone; one that this machine does not know is the application's."""
    try:
        return ZoneInfo(name or default)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(default)


def start_of_day(text: str, zone: ZoneInfo, *, after: int = 0) -> float:
    """Return when a day begins by a recipient's clock, in Unix seconds.

    :param text: the day, as in "2026-11-21".
    :param after: how many days later.
    :raises ValueError: if it is no day.
    """
    if len(text) != 10:
        raise ValueError(f"a day like 2026-11-21 was expected, got {text!r}")
    # fold=0: of a midnight that comes twice the first counts.
    day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone) + timedelta(days=after)
    if not 1971 <= day.year <= 9000:
        raise ValueError(f"a year from 1971 to 9000 was expected, got {day.year}")
    return day.timestamp()


def relative(moment: datetime, now: float) -> str:
    """Return how long ago something was: "5 minutes ago"."""
    seconds = max(0.0, now - moment.timestamp())
    babel = _babel()
    if babel is not None:
        return str(babel.format_timedelta(timedelta(seconds=-seconds), add_direction=True))
    for size, unit in _UNITS:
        count = int(seconds // size)
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def absolute(moment: datetime, zone: ZoneInfo) -> str:
    """Return when something was by a recipient's clock."""
    local = moment.astimezone(zone)
    babel = _babel()
    if babel is not None:
        return str(babel.format_datetime(local, "medium", rebase=False))
    return f"{local.day} {local:%B %Y, %H:%M}"


def machine(moment: datetime) -> str:
    """Return what the attribute ``datetime`` takes."""
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def _babel() -> Any:
    """Return the module of Flask-Babel, where the application uses it."""
    if "babel" not in current_app.extensions:
        return None
    import flask_babel

    return flask_babel
