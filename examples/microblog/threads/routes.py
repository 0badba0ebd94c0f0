"""The pages of the discussions."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ..extensions import db, notify
from ..models import Thread
from ..paging import page_of
from . import talk
from .forms import CommentForm, ThreadForm

blueprint = Blueprint("threads", __name__, url_prefix="/threads")


@blueprint.get("/")
def index() -> str:
    """List the threads, those in which somebody has just said something first."""
    threads = page_of(talk.newest_first(current_user), "POSTS_PER_PAGE")
    return render_template("threads/index.html", threads=threads, counts=talk.counts_of(threads.items))


@blueprint.route("/new", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]
def new() -> ResponseReturnValue:
    """Open a thread."""
    form = ThreadForm()
    if form.validate_on_submit():
        thread = talk.open_thread(current_user, **_values(form))
        db.session.commit()
        return redirect(url_for("threads.thread", thread_id=thread.id))
    status = 422 if form.is_submitted() else 200
    return render_template("threads/edit.html", form=form, thread=None), status


@blueprint.get("/<int:thread_id>")
def thread(thread_id: int) -> str:
    """Show one thread; messages about it are thereby seen."""
    found = _thread_or_404(thread_id)
    if notify.seen_by_visit(found):
        db.session.commit()
    return _page(found, CommentForm())


@blueprint.post("/<int:thread_id>")
@login_required  # type: ignore[untyped-decorator]
def comment(thread_id: int) -> ResponseReturnValue:
    """Say something in a thread."""
    found, form = _thread_or_404(thread_id), CommentForm()
    if not form.validate_on_submit():
        return _page(found, form), 422
    try:
        said = talk.comment(current_user, found, form.body.data)
    except talk.ThreadClosed:
        # Its author was quicker: what was written stays in the form.
        db.session.refresh(found)
        form.body.errors = ["This thread has just been closed. Nothing more can be said in it."]
        return _page(found, form), 409
    db.session.commit()
    return redirect(url_for("threads.thread", thread_id=thread_id, _anchor=f"comment-{said.id}"))


@blueprint.route("/<int:thread_id>/edit", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]
def edit(thread_id: int) -> ResponseReturnValue:
    """Change what stands in a thread."""
    found = _thread_or_404(thread_id)
    if not found.can_be_edited_by(current_user):
        abort(403, "Only its author changes a thread.")
    form = ThreadForm(obj=found)
    form.submit.label.text = "Save"
    if form.validate_on_submit():
        for name, value in _values(form).items():
            setattr(found, name, value)
        db.session.commit()
        flash("Saved.")
        return redirect(url_for("threads.thread", thread_id=thread_id))
    status = 422 if form.is_submitted() else 200
    return render_template("threads/edit.html", form=form, thread=found), status


def _page(found: Thread, form: CommentForm) -> str:
    comments = page_of(talk.comments_on(found), "COMMENTS_PER_PAGE")
    return render_template("threads/thread.html", thread=found, comments=comments, form=form)


def _values(form: ThreadForm) -> dict[str, Any]:
    return {name: form[name].data for name in ("title", "body", "topic", "visibility")}


def _thread_or_404(thread_id: int) -> Thread:
    found: Thread | None = db.session.scalars(talk.readable(current_user).where(Thread.id == thread_id)).first()
    return found or abort(404)
