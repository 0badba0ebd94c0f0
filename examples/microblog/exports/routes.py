"""The page of one's exports."""

from __future__ import annotations

import sqlalchemy as sa
from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    redirect,
    render_template,
    send_file,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ..extensions import db
from ..models import Task, TaskState
from ..times import utcnow
from . import runner
from .work import export_posts, path_of

blueprint = Blueprint("exports", __name__, url_prefix="/exports")

#: How many exports the page shows.
SHOWN = 10


@blueprint.get("/")
@login_required  # type: ignore[untyped-decorator]
def index() -> str:
    """Show one's exports: at work, ready or failed."""
    query = sa.select(Task).filter_by(user_id=current_user.id).order_by(Task.created_at.desc()).limit(SHOWN)
    tasks = db.session.scalars(query).all()
    return render_template("exports/index.html", tasks=tasks, now=utcnow(), states=TaskState)


@blueprint.post("/")
@login_required  # type: ignore[untyped-decorator]
def create() -> ResponseReturnValue:
    """Begin an export."""
    task = Task(user_id=current_user.id)
    db.session.add(task)
    db.session.flush()
    runner.announce(task)
    # The thread must find the row: it starts after the commit.
    db.session.commit()
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    runner.start(app, export_posts, task.id)
    return redirect(url_for("exports.index"))


@blueprint.get("/<task_id>/posts.json")
@login_required  # type: ignore[untyped-decorator]
def download(task_id: str) -> Response:
    """Hand the file to the one whose posts are in it."""
    task = db.session.get(Task, task_id)
    if (
        task is None
        or task.user_id != current_user.id
        or task.state is not TaskState.DONE
        or not path_of(task).is_file()
    ):
        # For others it does not exist, finished or not.
        abort(404)
    response = send_file(
        path_of(task),
        as_attachment=True,
        download_name=f"posts-{current_user.username}.json",
    )
    response.cache_control.private = True
    response.cache_control.no_store = True
    return response
