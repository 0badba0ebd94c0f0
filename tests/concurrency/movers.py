"""Processes that emit to many, or move what was emitted, and that die where they are told to."""

from __future__ import annotations

import os
import signal
import traceback
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event, select

from flask_notify import MessageType
from flask_notify.messages import fanout
from tests import processes
from tests.apps import Site, make_app

BATCH = 4
SAYING = "many"


class Announced(MessageType):
    """One that is rendered for each recipient."""

    word: str

    def subject(self, recipient: Any) -> str:
        return f"{self.word}, {recipient.name}"


@dataclass(frozen=True)
class Task:
    """What a process is to do, and the statement or commit, counted from 1, before which it is killed."""

    url: str
    kind: str  # "query", "list", "broadcast", or "drain": move what others emitted
    word: str = SAYING
    dies_at: int | None = None
    engine_options: dict[str, Any] = field(default_factory=dict)


def emit(site: Site, kind: str, word: str) -> None:
    """Emit to everybody who is there, and commit."""
    if kind == "broadcast":
        site.notify.broadcast(word, word)
    else:
        who = site.User.name != "late"
        everybody = select(site.User.id).where(who)
        to = everybody if kind == "query" else site.db.session.scalars(select(site.User).where(who)).all()
        site.notify.send(Announced(word=word), to=to)
    site.db.session.commit()


def start(task: Task, barrier: Any = None) -> Any:
    """Start a process, and return it with what it will say in the end."""
    said = processes.context.SimpleQueue()
    return processes.start(_work, task, barrier, said), said


def finish(process: Any, said: Any) -> bool:
    """Wait for a process; return whether it came to its end, and False if it was killed."""
    process.join(timeout=processes.PATIENCE)
    if process.exitcode == -signal.SIGKILL:
        return False
    process.kill()
    process.join()
    report = None if said.empty() else said.get()
    assert (process.exitcode, report) == (0, "done"), report
    return True


def _work(task: Task, barrier: Any, said: Any) -> None:
    try:
        fanout.BATCH = BATCH
        site = make_app(task.url, NOTIFY_INLINE_RECIPIENTS=1, SQLALCHEMY_ENGINE_OPTIONS=task.engine_options)
        site.notify.message_type(Announced)
        if task.dies_at is not None:
            _die_at(site, task.dies_at)
        if barrier is not None:
            barrier.wait(timeout=processes.PATIENCE)
        with site.app.app_context():
            if task.kind == "drain":
                site.notify.drain()
            else:
                emit(site, task.kind, task.word)
        site.close()
        said.put("done")
    except BaseException:  # it is told to the test, which fails
        said.put(traceback.format_exc())


def _die_at(site: Site, step: int) -> None:
    with site.app.app_context():
        engine = site.db.engine
    steps = iter(range(1, step))

    def die(*_: Any) -> None:
        if next(steps, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "before_cursor_execute", die)
    event.listen(engine, "commit", die)
