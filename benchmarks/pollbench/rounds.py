"""The measuring: all polls in turn, several times over, so that a slow minute falls on all."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain
from signal import SIG_IGN, SIGINT
from statistics import median, quantiles
from types import TracebackType

from . import client
from .contenders import BARE, POLLS, Poll
from .datasets import SESSIONS, Dataset
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
        return median(getattr(window, name) for window in self.windows)


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
    """The client processes; they live as long as the run, and start no server's connections."""

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

    def course(self, poll: Poll, port: int, dataset: Dataset | None) -> Course:
        """Log the clients of a poll in and deal them out to the processes."""
        if dataset is None:
            clients = [client.client(port, "/notifications")] * SESSIONS
        else:
            logins = [(port, key, dataset.path(poll, key)) for key in dataset.keys]
            clients = self._processes.starmap(client.log_in, logins)
        hands = [clients[hand::CONNECTIONS] for hand in range(CONNECTIONS)]
        return Course(poll, [client.Share(hand, poll.full_every, poll.items) for hand in hands])

    def measure(self, course: Course, seconds: float) -> None:
        """Let the clients of a course poll for some seconds, and keep what was seen."""
        primed = self._processes.map(client.prime, course.shares, chunksize=1)
        shares = [replace(share, seconds=seconds) for share in primed]
        samples = self._processes.map(client.measure, shares, chunksize=1)
        latencies = list(chain.from_iterable(sample.latencies for sample in samples))
        cuts = quantiles(latencies, n=100)
        cpu = sum(sample.cpu for sample in samples) / len(latencies)
        course.windows.append(Window(len(latencies) / seconds, cuts[49], cuts[98], cpu))


def serve(stack: ExitStack, load: Load, datasets: list[Dataset]) -> Group:
    """Start the servers of the data sets of a group, until the stack is closed."""
    found: dict[str, Dataset | None] = {"bare": None}
    found.update({dataset.app: dataset for dataset in datasets})
    ports = {app: _start(stack, app, dataset) for app, dataset in found.items()}
    first = datasets[0]
    courses = {
        poll: load.course(poll, ports[poll.app], found[poll.app])
        for poll in POLLS
        if poll.app in found
    }
    return Group(first.database.name, first.rows, courses)


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


def _start(stack: ExitStack, app: str, dataset: Dataset | None) -> int:
    environment = {"DATABASE_URL": dataset.url} if dataset else {}
    return stack.enter_context(Gunicorn(app, environment)).port
