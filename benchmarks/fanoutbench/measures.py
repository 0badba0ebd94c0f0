"""What is measured: one emission to many recipients, by each contender in its own way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median

from harness.contenders import Contender
from harness.databases import Database
from harness.inboxes import EACH, fill

MESSAGES = {"ours": "notify_message", "tutorial": "message", "django_site": "notifications_notification"}
"""The table of each contender in which a message is a row."""

VALUES = "notify_notification"

MiB = 2**20


@dataclass(frozen=True)
class Way:
    """One way to tell many recipients something.

    :param function: of the contender's module.
    :param most: recipients of one measurement, for one that is too slow for all.
    """

    title: str
    app: str
    function: str
    table: str
    most: int | None = None


TEXT = Way("Flask-Notify, a text", "ours", "tell", MESSAGES["ours"])
EACH_THEIR_OWN = Way("Flask-Notify, a text rendered for each", "ours", "tell_each", MESSAGES["ours"])
INSERT = Way("one INSERT … SELECT, no count, no cursor", "ours", "insert_select", MESSAGES["ours"])
BROADCAST = Way("Flask-Notify, broadcast of a live value", "ours", "broadcast", VALUES)
DJANGO = Way("django-notifications-hq, one transaction", "django_site", "tell", MESSAGES["django_site"])
TUTORIAL = Way("Mega-Tutorial's loop", "tutorial", "tell", MESSAGES["tutorial"], most=1_000)

WAYS = (TEXT, EACH_THEIR_OWN, DJANGO, TUTORIAL, INSERT, BROADCAST)


@dataclass
class Course:
    """The rates, in recipients per second, of one way to so many recipients, round by round."""

    way: Way
    recipients: int
    rates: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The median over the rounds."""
        return median(self.rates)


@dataclass
class Memory:
    """What the process of an emission to so many recipients needed, in bytes."""

    recipients: int
    before: int
    after: int


@dataclass
class Group:
    """Everything that was measured on one database."""

    database: Database
    urls: dict[str, str] = field(default_factory=dict)
    courses: list[Course] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    largest_transaction: int = 0

    def course(self, way: Way, recipients: int) -> Course:
        """Return the course of a way; of its own largest number where there are not so many."""
        mine = [course for course in self.courses if course.way is way]
        return next((course for course in mine if course.recipients == recipients), mine[-1])

    def ratio(self, way: Way, other: Way, recipients: int) -> float:
        """Return the rate of a way as a multiple of another's: the median over the rounds."""
        ours, theirs = self.course(way, recipients).rates, self.course(other, recipients).rates
        return median(one / two for one, two in zip(ours, theirs, strict=True))


def prepare(database: Database, rows: int, sizes: list[int]) -> Iterator[Group | str]:
    """Fill the databases of the contenders, telling what is done, and yield the group at last."""
    group = Group(database)
    for app in MESSAGES:
        yield f"{database.name}: filling {rows:,} rows: {app}"
        group.urls[app] = fill(app, database, rows)
    everybody = rows // EACH
    for way in WAYS:
        numbers = [everybody] if way is BROADCAST else [way.most] if way.most else sizes
        group.courses += [Course(way, min(number, everybody)) for number in numbers]
    yield group


def measure(stack: ExitStack, group: Group, rounds: int) -> Iterator[str]:
    """Measure all in turn, several times over, so that a slow minute falls on all."""
    contenders = {app: stack.enter_context(Contender(app, url)) for app, url in group.urls.items()}
    largest = max(course.recipients for course in group.courses)
    for contender in contenders.values():
        # More than are told at once; what a process does but once is not what a recipient costs.
        contender.ask("tell", recipients=min(1_100, largest))
    for number in range(rounds):
        courses = group.courses[number % len(group.courses) :] + group.courses[: number % len(group.courses)]
        for course in courses:
            _measure_one(group, contenders[course.way.app], course)
            where = f"{group.database.name}: {course.way.title}, {course.recipients:,} recipients"
            yield f"round {number + 1}: {where}: {course.rates[-1]:,.0f}/s"


def _measure_one(group: Group, contender: Contender, course: Course) -> None:
    way = course.way
    count = f"SELECT count(*) FROM {way.table}"
    before = 0 if way is BROADCAST else group.database.value(way.app, count)
    # What the last one has left for later is not this one's to do.
    group.database.settle(way.app)
    arguments = {} if way is BROADCAST else {"recipients": course.recipients}
    seconds = contender.ask(way.function, **arguments)
    written = group.database.value(way.app, count) - before
    if written != course.recipients:
        raise SystemExit(f"{way.title}: expected {course.recipients:,} rows, got {written:,}")
    course.rates.append(course.recipients / seconds)


def watch(group: Group, sizes: list[int]) -> Iterator[str]:
    """Find out what a process needs, and how large its transactions are; nothing of this is timed."""
    for recipients in sizes:
        with Contender("ours", group.urls["ours"]) as contender:
            contender.ask("tell_each", recipients=min(2_000, *sizes))
            before = contender.ask("peak_memory")
            contender.ask("tell_each", recipients=recipients)
            contender.ask("tell", recipients=recipients)
            group.memory.append(Memory(recipients, before, contender.ask("peak_memory")))
            memory = group.memory[-1]
            yield f"{group.database.name}: {recipients:,} recipients: peak of {memory.after / MiB:.1f} MiB"
    with Contender("ours", group.urls["ours"]) as contender:
        group.largest_transaction = contender.ask("largest_transaction", recipients=sizes[0])
    yield f"{group.database.name}: at most {group.largest_transaction:,} messages in a transaction"
