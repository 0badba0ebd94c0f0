"""The measuring: all polls in turn, several times over, so that a slow minute falls on all."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain, product
from signal import SIG_IGN, SIGINT
from statistics import median, quantiles
from types import TracebackType

from . import client
from .datasets import SESSIONS, Dataset
from .polls import BARE, POLLS, WARM_UP, Poll, polls_of
from .servers import Gunicorn

CONNECTIONS = 4
"""Requests in flight: two for each worker, so that none waits for the client."""

_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Window:
    """What was seen of one poll in one round; times in seconds."""

    rate: float
    p50: float
    p99: float
    client_cpu: float


@dataclass
class Course:
    """One poll on one data set: its clients, and a window of each round."""

    poll: Poll
    shares: list[client.Share]
    windows: list[Window] = field(default_factory=list)

    def median(self, name: str) -> float:
        """Return the median over the rounds of an attribute of their windows."""
        return float(median(getattr(window, name) for window in self.windows))


@dataclass
class Group:
    """All courses on the data sets of one database and size, with a bare view of their own."""

    database: str
    rows: int
    courses: dict[Poll, Course]

    def ratios(self, poll: Poll) -> list[float]:
        """Return the poll's rate as a multiple of the bare view's, round by round."""
        pairs = zip(self.courses[poll].windows, self.courses[BARE].windows, strict=True)
        return [window.rate / bare.rate for window, bare in pairs]


class Load(AbstractContextManager["Load"]):
    """The client processes; they live as long as the run."""

    def __init__(self) -> None:
        # An interrupt is for the run, which then ends these.
        self._processes = _fork.Pool(CONNECTIONS, signal.signal, (SIGINT, SIG_IGN))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._processes.terminate()
        self._processes.join()

    def log_in(self, port: int, dataset: Dataset) -> dict[int, str]:
        """Log the users of a data set in, once for all of their polls."""
        logins = [(port, key) for key in dataset.keys]
        sessions = self._processes.starmap(client.log_in, logins)
        return dict(zip(dataset.keys, sessions, strict=True))

    def measure(self, course: Course, seconds: float) -> None:
        """Let the clients of a course poll for some seconds, and keep what was seen."""
        if course.poll.wants_ticket or not course.windows:
            course.shares = self._processes.map(client.prime, course.shares, chunksize=1)
        shares = [replace(share, seconds=seconds) for share in course.shares]
        samples = self._processes.map(client.measure, shares, chunksize=1)
        latencies = list(chain.from_iterable(sample.latencies for sample in samples))
        cuts = quantiles(latencies, n=100)
        cpu = sum(sample.cpu for sample in samples) / len(latencies)
        course.windows.append(Window(len(latencies) / seconds, cuts[49], cuts[98], cpu))


def serve(stack: ExitStack, load: Load, datasets: list[Dataset], broker: str) -> Group:
    """Start the servers of the data sets of a group, until the stack is closed.

    :param broker: the address of the one for those polls that are to have it.
    """
    server = stack.enter_context(Gunicorn(BARE.app, {}))
    clients = [client.client(server.port, "/notifications")] * SESSIONS
    courses = {BARE: _course(BARE, clients)}
    for dataset, hints in product(datasets, (False, True)):
        polls = polls_of(dataset.app, hints=hints)
        if not polls:
            continue
        extra = {"BROKER_URL": broker} if hints else {}
        server = stack.enter_context(Gunicorn(dataset.app, {"DATABASE_URL": dataset.url, **extra}))
        sessions = load.log_in(server.port, dataset)
        for poll in polls:
            clients = [
                client.client(server.port, dataset.path(poll, key), session) for key, session in sessions.items()
            ]
            courses[poll] = _course(poll, clients)
    # In the order of the table, whatever the order of the data sets.
    courses = {poll: courses[poll] for poll in POLLS if poll in courses}
    return Group(datasets[0].database.name, datasets[0].rows, courses)


def _course(poll: Poll, clients: list[client.Client]) -> Course:
    hands = [clients[hand::CONNECTIONS] for hand in range(CONNECTIONS)]
    warm_up = WARM_UP if poll.hints else 0
    return Course(poll, [client.Share(hand, poll.full_every, poll.items, warm_up) for hand in hands])


def run(load: Load, groups: list[Group], rounds: int, seconds: float) -> Iterator[str]:
    """Measure everything in turn, and tell what was measured after each window."""
    for number in range(rounds):
        for group in groups:
            courses = list(group.courses.values())
            # Each round begins with another one: no poll always follows the same neighbour.
            for course in courses[number % len(courses) :] + courses[: number % len(courses)]:
                load.measure(course, seconds)
                rate = course.windows[-1].rate
                where = f"{group.database}, {group.rows:,} rows"
                yield f"round {number + 1}: {where}: {course.poll.title}: {rate:,.0f}/s"
