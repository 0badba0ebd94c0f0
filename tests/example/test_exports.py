"""Exports: work in the background, its progress, and the file that only its owner gets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from examples.microblog.exports import runner
from examples.microblog.extensions import db
from examples.microblog.models import Task, TaskState
from examples.microblog.models.task import SILENCE
from examples.microblog.times import utcnow
from tests.example.visitor import Visitor


def begin(visitor: Visitor) -> str:
    """Press the button; return the key of the new task."""
    before = {key for (key,) in tasks(visitor)}
    assert visitor.send("/exports/").status_code == 302
    [new] = {key for (key,) in tasks(visitor)} - before
    return new


def tasks(visitor: Visitor) -> list[tuple[str]]:
    with visitor.client.application.app_context():
        return [(key,) for key in db.session.scalars(sa.select(Task.id))]


def finish(task_id: str) -> None:
    """Wait until the thread of a task is over."""
    for thread in threading.enumerate():
        if thread.name == f"task-{task_id}":
            thread.join(60)
            assert not thread.is_alive()


def state_of(app: Flask, task_id: str) -> TaskState:
    with app.app_context():
        return db.session.get_one(Task, task_id).state


def leave_running(app: Flask, visitor: Visitor, silent_for: timedelta) -> str:
    """Add a task whose thread is not there, as after a crash of the process."""
    owner = visitor.username
    with app.app_context():
        user = db.session.execute(sa.text("SELECT id FROM user WHERE username = :name"), {"name": owner}).scalar_one()
        task = Task(user_id=user, heard_at=utcnow() - silent_for)
        db.session.add(task)
        db.session.commit()
        return task.id


def test_an_export_holds_ones_own_posts_and_no_others(alice: Visitor, bob: Visitor) -> None:
    alice.post("The first.")
    alice.post("Zwölf Möwen.")
    bob.post("Not mine.")

    task = begin(alice)
    finish(task)
    answer = alice.download(f"/exports/{task}/posts.json")

    content = json.loads(answer.data)
    assert content["username"] == "alice"
    assert [post["text"] for post in content["posts"]] == ["The first.", "Zwölf Möwen."]
    assert answer.headers["Content-Disposition"] == "attachment; filename=posts-alice.json"
    assert "no-store" in answer.headers["Cache-Control"]


def test_an_export_of_nothing_is_an_empty_list(alice: Visitor) -> None:
    task = begin(alice)
    finish(task)

    assert alice.download(f"/exports/{task}/posts.json").json == {"username": "alice", "posts": []}


def test_only_the_owner_may_download(app: Flask, alice: Visitor, bob: Visitor) -> None:
    task = begin(alice)
    finish(task)

    assert bob.download(f"/exports/{task}/posts.json").status_code == 404
    assert Visitor(app).download(f"/exports/{task}/posts.json").status_code == 302
    assert task not in bob.open("/exports/")


def test_what_is_not_ready_cannot_be_downloaded(app: Flask, alice: Visitor) -> None:
    task = leave_running(app, alice, silent_for=timedelta(0))

    assert alice.download(f"/exports/{task}/posts.json").status_code == 404


def test_the_page_shows_a_bar_while_it_works_and_a_link_when_it_is_done(app: Flask, alice: Visitor) -> None:
    task = leave_running(app, alice, silent_for=timedelta(0))
    working = alice.open("/exports/")
    with app.app_context():
        runner.finish(db.session.get_one(Task, task), TaskState.DONE)

    done = alice.open("/exports/")

    assert f'data-notify-progress="task_progress:{task}"' in working
    assert "Download" not in working
    assert f'href="/exports/{task}/posts.json"' in done
    assert "data-notify-progress" not in done


def test_each_of_two_tasks_has_a_progress_of_its_own(app: Flask, alice: Visitor) -> None:
    first, second = (leave_running(app, alice, silent_for=timedelta(0)) for _ in range(2))

    with app.app_context():
        runner.report(db.session.get_one(Task, first), 20)
        runner.report(db.session.get_one(Task, second), 70)

    assert alice.live(f"task_progress:{first}") == {"progress": 20}
    assert alice.live(f"task_progress:{second}") == {"progress": 70}


def test_a_bar_that_is_not_renewed_goes_away_by_itself(app: Flask, alice: Visitor) -> None:
    task = leave_running(app, alice, silent_for=timedelta(0))
    with app.app_context():
        runner.report(db.session.get_one(Task, task), 20)

    [bar] = [item for item in alice.poll() if item["name"].startswith("task_progress:")]

    assert 0 < bar["expires_in"] <= runner.PROGRESS_LIFETIME


def test_a_poll_tells_that_an_export_is_ready(alice: Visitor) -> None:
    alice.post("One.")
    task = begin(alice)
    finish(task)

    assert alice.live("exports") == {"task": task, "state": "done"}
    assert alice.live(f"task_progress:{task}") is None


def test_a_task_that_fails_is_shown_as_failed_and_does_not_stop_the_next(app: Flask, alice: Visitor) -> None:
    folder = Path(app.instance_path) / "exports"
    folder.write_text("in the way")
    failing = begin(alice)
    finish(failing)
    folder.unlink()

    working = begin(alice)
    finish(working)

    assert state_of(app, failing) is TaskState.FAILED
    assert state_of(app, working) is TaskState.DONE
    page = alice.open("/exports/")
    assert "This one failed" in page
    assert f"/exports/{working}/posts.json" in page
    assert f"/exports/{failing}/posts.json" not in page


def test_a_task_whose_process_died_is_shown_as_failed(app: Flask, alice: Visitor) -> None:
    leave_running(app, alice, silent_for=SILENCE + timedelta(seconds=1))

    assert "This one failed" in alice.open("/exports/")


@pytest.mark.slow
def test_two_tasks_at_once_both_arrive(make_app: Callable[..., Flask]) -> None:
    app = make_app(EXPORT_PACE=0.02)
    alice = Visitor(app, "alice").register()
    for number in range(5):
        alice.post(f"Post {number}.")

    both = [begin(alice), begin(alice)]
    for task in both:
        finish(task)

    assert [state_of(app, task) for task in both] == [TaskState.DONE] * 2
    assert not list((Path(app.instance_path) / "exports").rglob("*.partial"))
