"""Running the jobs: in a process of their own, or in a thread of the application's."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from queue import Empty, SimpleQueue
from threading import Event, Thread
from types import FrameType

from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job as ScheduledJob
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

from ..leases import Lease
from .jobs import JOBS, Job, Work

RENEWED_EVERY = 2.0
"""Seconds between two renewals of the lease, and between two attempts to take it."""

LEASE_SECONDS = 10.0
"""Seconds after which another takes over from one that died."""

_LAST_WORDS = 30.0
"""Seconds that an ending process of the application waits for the batch in hand."""

_log = logging.getLogger("flask_notify")


class Scheduler:
    """Runs the jobs in threads, until it is stopped.

    Any number of them may run, on any number of hosts. One at a time leads, by a lease in the
    database: it alone does what must be done by one.

    :param share: whether the others take part in what any number may do. Those in the processes
        of an application do not: they stand by.
    :param tell: called with a line for each piece of work that did something.
    """

    def __init__(
        self,
        app: Flask,
        *,
        share: bool = True,
        tell: Callable[[str], object] | None = None,
        jobs: Sequence[Job] = JOBS,
    ) -> None:
        state = app.extensions["notify"]
        notify = state.notify
        self._app = app
        self._share = share
        self._tell = tell or _log.info
        self._jobs = jobs
        self._stopping = Event()
        self._process_id = 0
        self._leads_until = 0.0
        self._troubles: dict[str, str] = {}
        self._work = Work(app, notify.models, state.settings, notify.message_types, self._stopping.is_set)
        self._work_alone = Work(app, notify.models, state.settings, notify.message_types, self._must_stop_alone)
        self._lease = Lease(notify.models, ttl=LEASE_SECONDS)
        self._threads = _Threads()
        self._scheduler = BackgroundScheduler(
            timezone=timezone.utc,
            executors={"default": self._threads},
            # One that is late, or was due several times, is run once. APScheduler would tell each
            # time that a job is still at work, which is no news.
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
            logger=_quiet(),
        )

    @property
    def leads(self) -> bool:
        """Whether this one has the lease, by its own clock, which began before the database's."""
        return time.monotonic() < self._leads_until

    def start(self) -> None:
        """Begin. It returns at once."""
        self._process_id = os.getpid()
        now = datetime.now(timezone.utc)
        add = self._scheduler.add_job
        add(self._keep_lease, "interval", seconds=RENEWED_EVERY, id="lease", next_run_time=now)
        for job in self._jobs:
            # None: it waits until this one leads.
            first = None if self._is_alone(job) else now
            add(self._run, "interval", (job,), seconds=job.every, id=job.name, next_run_time=first)
        self._scheduler.start()

    def stop(self, timeout: float | None = None) -> None:
        """End after the batches in hand, and give up the lease.

        :param timeout: seconds to wait for them at most, None for as long as it takes.
        """
        if self._stopping.is_set() or os.getpid() != self._process_id:
            return  # a forked child has neither our threads nor our lease
        self._stopping.set()
        self._scheduler.shutdown(wait=False)
        self._threads.join(timeout)
        for work in (self._work, self._work_alone):
            work.close()
        with self._app.app_context():
            try:
                self._lease.release()
            except Exception:  # noqa: BLE001  # the database may be why we end
                _log.warning("The lease of the scheduler could not be given up; it ends by itself", exc_info=True)

    def _is_alone(self, job: Job) -> bool:
        return job.alone or not self._share

    def _must_stop_alone(self) -> bool:
        return self._stopping.is_set() or not self.leads

    def _run(self, job: Job) -> None:
        alone = self._is_alone(job)
        work = self._work_alone if alone else self._work
        if work.stop():
            return
        try:
            with self._app.app_context():
                done = job.run(work)
        except Exception as error:  # noqa: BLE001  # whatever it was, it may be well the next time
            self._trouble(job.name, job.every, error)
        else:
            self._troubles.pop(job.name, None)
            if done:
                self._tell(f"{job.name}: {done}")

    def _trouble(self, name: str, every: float, error: Exception) -> None:
        told = f"{type(error).__name__}: {error}"
        if self._troubles.get(name) != told:  # and not each second anew while a database is away
            self._troubles[name] = told
            _log.error("%r failed, and is tried again every %g s", name, every, exc_info=error)

    def _keep_lease(self) -> None:
        led = self.leads
        begun = time.monotonic()
        try:
            with self._app.app_context():
                if self._stopping.is_set():
                    return
                taken = self._lease.take()
        except Exception as error:  # noqa: BLE001  # the lease may be had at the next time
            self._trouble("lease", RENEWED_EVERY, error)
        else:
            self._troubles.pop("lease", None)
            # Less than the lease lasts: who leads must know the end of it before others do.
            self._leads_until = begun + LEASE_SECONDS - RENEWED_EVERY if taken else 0.0
        if led != self.leads and not self._stopping.is_set():
            with suppress(JobLookupError):  # it was stopped this very moment
                self._lead(self.leads)

    def _lead(self, leads: bool) -> None:
        for job in self._jobs:
            if self._is_alone(job):
                first = datetime.now(timezone.utc) if leads else None
                self._scheduler.modify_job(job.name, next_run_time=first)
        self._tell("leads: does what one alone may do" if leads else "leads no more: another does")


class _Threads(BaseExecutor):  # type: ignore[misc]  # APScheduler comes without types
    """Runs each job in a thread of its own.

    They end with the process, which a pool's would hold up before it could tell them to stop.
    """

    def __init__(self) -> None:
        super().__init__()
        self._running: dict[str, Thread] = {}

    def _do_submit_job(self, job: ScheduledJob, _run_times: list[datetime]) -> None:
        thread = Thread(target=self._work, args=(job,), name=f"flask_notify {job.id}", daemon=True)
        self._running[job.id] = thread
        thread.start()

    def _work(self, job: ScheduledJob) -> None:
        try:
            job.func(*job.args, **job.kwargs)
        except BaseException:  # noqa: BLE001  # or the job would count as running for ever
            _log.exception("The scheduler failed in %r", job.id)
        finally:
            self._run_job_success(job.id, [])

    def join(self, timeout: float | None) -> None:
        """Wait for what is running."""
        end = None if timeout is None else time.monotonic() + timeout
        for thread in list(self._running.values()):
            thread.join(None if end is None else max(0.0, end - time.monotonic()))


def _quiet() -> logging.Logger:
    logger = logging.getLogger("flask_notify.apscheduler")
    logger.setLevel(logging.ERROR)
    return logger


def run(app: Flask, tell: Callable[[str], object]) -> None:
    """Run the jobs until the process is told to end by SIGTERM or Ctrl-C.

    What is in hand is finished first. A second signal ends it at once.
    """
    # Not an Event: the handler may come while this thread has the lock that setting one takes, and
    # would wait for it for ever. This queue is made to be filled by handlers.
    told: SimpleQueue[int] = SimpleQueue()

    def end(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        told.put(number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    scheduler = Scheduler(app, tell=tell)
    try:
        for job in JOBS:
            alone = "; by one process at a time" if job.alone else ""
            tell(f"{job.name}: every {job.every:g} s{alone}")
        scheduler.start()
        # Not for ever at once: the system may hand a signal to another thread, and Python's handler
        # runs when this one wakes.
        while True:
            with suppress(Empty):
                told.get(timeout=1)
                break
        tell("ends after what is in hand")
    finally:
        scheduler.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


def start_in_process(app: Flask) -> Scheduler:
    """Run the jobs in threads of this process, until it ends.

    Called before the first request that a process serves, and so neither for a command nor in
    the parents of a reloader or a pre-forking server.
    """
    scheduler = Scheduler(app, share=False)
    scheduler.start()
    atexit.register(scheduler.stop, _LAST_WORDS)
    return scheduler
