"""Write all posts of one person to a file."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import current_app

from ..extensions import db
from ..models import Post, Task
from .runner import report


def path_of(task: Task) -> Path:
    """Return where the export of *task* is kept."""
    folder = current_app.config["EXPORT_FOLDER"]
    if folder is None:
        folder = Path(current_app.instance_path) / "exports"
    # By person, and named by the task's random key: never by what people typed.
    return Path(folder) / str(task.user_id) / f"{task.id}.json"


def export_posts(task: Task) -> None:
    """Collect the owner's posts, telling the progress, and write them to a file."""
    query = sa.select(Post).filter_by(author_id=task.user_id).order_by(Post.id)
    posts = [_as_json(post) for post in db.session.scalars(query)]
    done: list[dict[str, Any]] = []
    report(task, 0)
    for post in posts:
        done.append(post)
        _rest()
        report(task, 100 * len(done) // (len(posts) + 1))
    _write(path_of(task), {"username": task.user.username, "posts": done})
    report(task, 100)


def _as_json(post: Post) -> dict[str, Any]:
    return {"written": post.created_at.isoformat(), "text": post.body}


def _rest() -> None:
    threading.Event().wait(current_app.config["EXPORT_PACE"])


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Under its name there is only ever a whole file.
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")
    os.replace(partial, path)
