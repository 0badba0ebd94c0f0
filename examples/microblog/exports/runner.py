"""Threads that do the work behind the page."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Flask

from ..extensions import db
from ..models import Task, TaskState
from ..times import utcnow

#: A progress bar that is not renewed for so long leaves the page by itself.
PROGRESS_LIFETIME = 60


def start(app: Flask, work: Callable[[Task], None], task_id: str) -> None:
    """Run *work* for the task in a thread with an application context of its own.

    Each task has its own thread and transactions: one that dies stops no other.
    """
    thread = threading.Thread(target=_run, args=(app, work, task_id), name=f"task-{task_id}", daemon=True)
    thread.start()


def _run(app: Flask, work: Callable[[Task], None], task_id: str) -> None:
    with app.app_context():
        try:
            task = db.session.get_one(Task, task_id)
            work(task)
            finish(task, TaskState.DONE)
        except Exception:
            app.logger.exception("Task %s failed", task_id)
            db.session.rollback()
            finish(db.session.get_one(Task, task_id), TaskState.FAILED)


def report(task: Task, progress: int) -> None:
    """Tell the owner that *task* is *progress* per cent done, and commit."""
    task.progress = progress
    task.heard_at = utcnow()
    task.user.add_notification(task.live_name, {"progress": progress}, expires_in=PROGRESS_LIFETIME)
    db.session.commit()


def finish(task: Task, state: TaskState) -> None:
    """Tell the owner how *task* ended, and commit."""
    task.state = state
    task.heard_at = utcnow()
    task.user.remove_notification(task.live_name)
    announce(task)
    db.session.commit()


def announce(task: Task) -> None:
    """Let the pages of the owner know that the list of tasks has changed."""
    task.user.add_notification("exports", {"task": task.id, "state": task.state.value})
