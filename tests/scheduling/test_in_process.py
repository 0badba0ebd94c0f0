"""``NOTIFY_SCHEDULER = True``: the application runs the jobs by itself, however many processes it has."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from flask_notify.leases import holder
from flask_notify.running.jobs import Job, Work
from flask_notify.running.scheduler import Scheduler
from tests.apps import Site
from tests.scheduling.process import PATIENCE, Process, flask
from tests.scheduling.test_run import CROWD, add_crowd, copies, send_to_all, wait_until
from tests.servers import Database, free_port

WORKERS = 3


def leader(site: Site) -> int | None:
    """Return the id of the process that leads."""
    with site.app.app_context():
        held = holder(site.notify.models)
    return None if held is None or held.seconds_left < 0 else int(held.owner.split(":")[-2])


def current_leader(site: Site) -> int:
    """Return the id of the process that leads, once there is one."""
    found: list[int | None] = []

    def one_leads() -> bool:
        found.append(leader(site))
        return found[-1] is not None

    wait_until(one_leads)
    assert found[-1] is not None
    return found[-1]


class Server:
    """gunicorn with several processes."""

    def __init__(self, start: Callable[..., Process], *options: str) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        command = (sys.executable, "-m", "gunicorn", "--no-control-socket", f"--workers={WORKERS}")
        application = "tests.scheduling.application:create_app()"
        self.process = start(*command, f"--bind=127.0.0.1:{port}", *options, application, NOTIFY_SCHEDULER=True)
        self.process.wait_for("Booting worker", WORKERS)

    def ask(self) -> int:
        """Make a request, and return the id of the process that has answered it."""
        with urllib.request.urlopen(f"{self.url}/process", timeout=60) as answer:
            return int(answer.read())

    def ask_all(self) -> set[int]:
        """Make requests until all processes have answered one, and return their ids."""
        seen: set[int] = set()

        def ask_one_more() -> bool:
            seen.add(self.ask())
            return len(seen) == WORKERS

        wait_until(ask_one_more)
        return seen


@pytest.mark.slow
@pytest.mark.databases("sqlite", "postgresql")
def test_one_of_many_processes_leads_and_another_follows_when_it_is_killed(
    site: Site, start: Callable[..., Process], database: Database
) -> None:
    options = ["--preload"] if database.name == "sqlite" else []
    add_crowd(site)
    server = Server(start, *options)
    assert leader(site) is None  # nothing before the first request

    workers = server.ask_all()
    wait_until(lambda: leader(site) in workers)
    send_to_all(site, "Closed on Friday")
    wait_until(lambda: copies(site) == [1] * CROWD)

    first = current_leader(site)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: leader(site) in workers - {first})
    send_to_all(site, "Open on Monday")
    wait_until(lambda: copies(site) == [2] * CROWD)

    server.process.terminate()
    assert server.process.wait() == 0
    assert leader(site) is None
    assert not [line for line in server.process.lines if "Traceback" in line]


@pytest.mark.slow
@pytest.mark.databases("sqlite")
def test_a_command_starts_no_scheduler(site: Site, start: Callable[..., Process]) -> None:
    command = start(*flask("notify", "recount"), NOTIFY_SCHEDULER=True)

    assert command.wait() == 0

    assert leader(site) is None
    with site.app.app_context():
        assert site.db.session.scalars(select(site.notify.models.lease.c.role)).all() == []


class Board:
    """What the jobs of a test have done."""

    def __init__(self) -> None:
        self._runs: list[str] = []
        self._changed = threading.Condition()

    def note(self, name: str) -> None:
        with self._changed:
            self._runs.append(name)
            self._changed.notify_all()

    def wait_for(self, name: str, times: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._runs.count(name) >= times, PATIENCE), self._runs

    def count(self, name: str) -> int:
        return self._runs.count(name)


@pytest.fixture
def schedule(site: Site) -> Any:
    """Start schedulers in this process, with jobs of the test."""
    started: list[Scheduler] = []

    def start_one(*jobs: Job, **options: Any) -> Scheduler:
        scheduler = Scheduler(site.app, jobs=jobs, **options)
        started.append(scheduler)
        scheduler.start()
        return scheduler

    yield start_one
    for scheduler in started:
        scheduler.stop()


Schedule = Callable[..., Scheduler]


@pytest.mark.databases("sqlite")
def test_a_job_that_raises_is_logged_once_and_hinders_nobody(
    schedule: Schedule, caplog: pytest.LogCaptureFixture
) -> None:
    board = Board()

    def broken(_: Work) -> None:
        board.note("broken")
        raise ZeroDivisionError("on purpose")

    schedule(Job("broken", 0.05, broken), Job("fine", 0.05, lambda _: board.note("fine")))

    board.wait_for("broken", 3)
    board.wait_for("fine", 3)
    failures = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [failure.getMessage() for failure in failures] == ["'broken' failed, and is tried again every 0.05 s"]


@pytest.mark.databases("sqlite")
def test_a_job_that_takes_long_is_not_run_twice_at_a_time(schedule: Schedule) -> None:
    board, go_on = Board(), threading.Event()

    def slow(_: Work) -> None:
        board.note("slow")
        go_on.wait(PATIENCE)

    schedule(Job("slow", 0.05, slow), Job("other", 0.05, lambda _: board.note("other")))
    board.wait_for("slow", 1)
    board.wait_for("other", 5)

    assert board.count("slow") == 1
    go_on.set()
    board.wait_for("slow", 2)


@pytest.mark.databases("sqlite")
def test_what_one_alone_may_do_is_done_by_the_leader(schedule: Schedule) -> None:
    board = Board()

    def jobs(name: str) -> tuple[Job, ...]:
        return (
            Job("shared", 0.05, lambda _: board.note(f"{name} shared")),
            Job("alone", 0.05, lambda _: board.note(f"{name} alone"), alone=True),
        )

    first = schedule(*jobs("first"))
    board.wait_for("first alone", 1)
    schedule(*jobs("second"))
    board.wait_for("second shared", 5)
    assert board.count("second alone") == 0

    first.stop()

    board.wait_for("second alone", 1)


@pytest.mark.databases("sqlite")
def test_in_the_processes_of_an_application_those_who_do_not_lead_stand_by(schedule: Schedule) -> None:
    board = Board()
    leads = schedule(Job("any", 0.05, lambda _: board.note("first")), share=False)
    board.wait_for("first", 1)
    stands_by = schedule(Job("any", 0.05, lambda _: board.note("second")), share=False)
    done = board.count("first")
    board.wait_for("first", done + 5)

    assert [leads.leads, stands_by.leads, board.count("second")] == [True, False, 0]


@pytest.mark.databases("sqlite")
def test_who_loses_the_lease_stops_what_one_alone_may_do(site: Site, schedule: Schedule) -> None:
    board = Board()

    def walk(work: Work) -> None:
        board.note("begun")
        while not work.stop():
            threading.Event().wait(0.01)
        board.note("stopped")

    schedule(Job("walk", 60, walk, alone=True), tell=board.note)
    board.wait_for("begun", 1)
    board.wait_for("leads: does what one alone may do", 1)

    lease = site.notify.models.lease
    with site.app.app_context(), site.db.engine.begin() as connection:
        connection.execute(lease.update().values(owner="another", until=5e9))

    board.wait_for("stopped", 1)
    board.wait_for("leads no more: another does", 1)


@pytest.mark.databases("sqlite")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_leaves_the_lease_of_its_parent_alone(site: Site, schedule: Schedule) -> None:
    scheduler = schedule()
    wait_until(lambda: leader(site) == os.getpid())

    child = os.fork()
    if child == 0:
        scheduler.stop()
        os._exit(0)
    os.waitpid(child, 0)

    assert leader(site) == os.getpid()
