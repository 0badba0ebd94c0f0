"""Who is measured: the applications, and the ways in which their clients poll them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Poll:
    """How the clients of one contender poll it, and what they must be answered.

    :param since: ``"newest"`` for a client that has everything, ``"before"`` for one that has
        nothing of the data set yet, None for a route without this parameter.
    :param full_every: every how many polls a client leaves its ticket out; 1 is always, and 0
        never (a browser that was answered with an ETag sends it back by itself).
    :param items: how many notifications an answer holds.
    :param hints: whether the workers have a broker.
    """

    title: str
    app: str
    since: str | None = "newest"
    full_every: int = 1
    items: int = 0
    hints: bool = False

    @property
    def wants_ticket(self) -> bool:
        """Whether the clients send an ETag back."""
        return self.full_every != 1


ITEMS = 10
"""Notifications of each user in the data sets."""

BARE = Poll("bare Flask view", "bare", since=None)
"""The yardstick; everything else is told as a multiple of its rate."""

TUTORIAL = Poll("Mega-Tutorial, idle", "tutorial")
TUTORIAL_NEW = Poll("Mega-Tutorial, ten new", "tutorial", since="before", items=ITEMS)
DJANGO = Poll("django-notifications-hq, unread count", "django_site", since=None)
TICKET = Poll("Flask-Notify, idle, with a ticket", "ours", full_every=0)
HINTS = Poll("Flask-Notify, idle, with a ticket, where hints flow", "ours", full_every=0, hints=True)
MIXED = Poll("Flask-Notify, idle, one poll in 30 without", "ours", full_every=30)
NO_TICKET = Poll("Flask-Notify, idle, without a ticket", "ours")
TEN_NEW = Poll("Flask-Notify, ten new", "ours", since="before", items=ITEMS)

POLLS = (BARE, TUTORIAL, DJANGO, HINTS, TICKET, MIXED, NO_TICKET, TUTORIAL_NEW, TEN_NEW)

TARGETS = {
    "sqlite": {HINTS: 1.0, TICKET: 1.0, MIXED: 0.90, NO_TICKET: 0.33, TEN_NEW: 0.28},
    "postgresql": {HINTS: 1.0, TICKET: 0.75, MIXED: 0.60, NO_TICKET: 0.20, TEN_NEW: 0.18},
}
"""The least multiple of the bare view's rate that Flask-Notify is meant to reach."""

GROWTH_TARGET = 1.2
"""The most that a poll may take at the largest data set, as a multiple of the smallest."""


WARM_UP = 4
"""With hints: how often each client polls before it is measured, so that most workers have read its cursor."""


def polls_of(app: str, *, hints: bool = False) -> list[Poll]:
    """Return the polls of an application that has a broker, or none."""
    return [poll for poll in POLLS if poll.app == app and poll.hints is hints]
