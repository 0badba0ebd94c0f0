"""The pages where one reads and writes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from .. import avatars, feed, following
from ..extensions import db, notify
from ..models import Follow, Post, User
from ..paging import page_of
from .forms import ButtonForm, PostForm, ProfileForm

blueprint = Blueprint("main", __name__)


@blueprint.app_context_processor
def offer_button_form() -> dict[str, Any]:
    """Let every page have buttons that change something."""
    return {"button_form": ButtonForm()}


@blueprint.route("/", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]
def home() -> ResponseReturnValue:
    """Show what the people one follows write, and take a new post."""
    form = PostForm()
    if form.validate_on_submit():
        feed.publish(current_user, form.body.data)
        db.session.commit()
        flash("Your post is out.")
        return redirect(url_for("main.home"))
    if not form.is_submitted():
        feed.look_at_feed(current_user)
        db.session.commit()
    posts = page_of(feed.home_feed(current_user), "POSTS_PER_PAGE")
    status = 422 if form.is_submitted() else 200
    return render_template("main/home.html", form=form, posts=posts), status


@blueprint.get("/explore")
def explore() -> str:
    """Show what everybody writes."""
    posts = page_of(feed.everything(current_user), "POSTS_PER_PAGE")
    return render_template("main/explore.html", posts=posts)


@blueprint.get("/post/<int:post_id>")
def post(post_id: int) -> str:
    """Show one post; messages about it are thereby seen."""
    found = _post_or_404(post_id)
    if notify.seen_by_visit(found):
        db.session.commit()
    return render_template("main/post.html", post=found)


@blueprint.route("/post/<int:post_id>/edit", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]
def edit_post(post_id: int) -> ResponseReturnValue:
    """Change what a post says."""
    found = _post_or_404(post_id)
    if not found.can_be_edited_by(current_user):
        abort(403, "Only its author changes a post.")
    form = PostForm(obj=found)
    form.submit.label.text = "Save"
    if form.validate_on_submit():
        feed.edit(found, form.body.data)
        db.session.commit()
        flash("Saved.")
        return redirect(url_for("main.post", post_id=post_id))
    status = 422 if form.is_submitted() else 200
    return render_template("main/edit_post.html", form=form), status


@blueprint.post("/post/<int:post_id>/delete")
@login_required  # type: ignore[untyped-decorator]
def delete_post(post_id: int) -> ResponseReturnValue:
    """Delete a post of one's own."""
    found = _post_or_404(post_id)
    if found.author != current_user:
        abort(403)
    feed.delete(found)
    db.session.commit()
    flash("Your post is gone.")
    return redirect(url_for("main.profile", username=current_user.username))


@blueprint.post("/post/<int:post_id>/hide", defaults={"change": feed.hide}, endpoint="hide_post")
@blueprint.post("/post/<int:post_id>/show", defaults={"change": feed.show}, endpoint="show_post")
@login_required  # type: ignore[untyped-decorator]
def moderate(post_id: int, change: Callable[[Post], None]) -> ResponseReturnValue:
    """Take somebody's post off the pages, or put it back."""
    found = _post_or_404(post_id)
    if not current_user.is_admin:
        abort(403)
    change(found)
    db.session.commit()
    return redirect(url_for("main.post", post_id=post_id))


@blueprint.get("/user/<username>")
def profile(username: str) -> str:
    """Show one person and what they wrote."""
    user = _user_or_404(username)
    query = feed.everything(current_user).filter_by(author_id=user.id)
    followers, followed = following.counts(user)
    return render_template(
        "main/profile.html",
        user=user,
        posts=page_of(query, "POSTS_PER_PAGE"),
        followers=followers,
        followed=followed,
        is_followed=current_user.is_authenticated and following.is_following(current_user, user),
    )


@blueprint.route("/profile", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]
def edit_profile() -> ResponseReturnValue:
    """Change what others read about one."""
    form = ProfileForm(obj=current_user)
    if form.validate_on_submit():
        current_user.about_me = form.about_me.data
        db.session.commit()
        flash("Saved.")
        return redirect(url_for("main.profile", username=current_user.username))
    status = 422 if form.is_submitted() else 200
    return render_template("main/edit_profile.html", form=form), status


@blueprint.get("/user/<username>/followers")
@login_required  # type: ignore[untyped-decorator]
def followers(username: str) -> str:
    """Show who follows somebody; one's own new followers are thereby seen."""
    user = _user_or_404(username)
    seen_id = user.followers_seen_id
    if user == current_user:
        following.look_at_followers(user)
        notify.seen_by_visit(user)
        db.session.commit()
    query = (
        sa.select(Follow).filter_by(followed_id=user.id).options(joinedload(Follow.follower)).order_by(Follow.id.desc())
    )
    return render_template(
        "main/followers.html",
        user=user,
        follows=page_of(query, "PEOPLE_PER_PAGE"),
        seen_id=seen_id if user == current_user else None,
    )


@blueprint.get("/user/<username>/following")
@login_required  # type: ignore[untyped-decorator]
def followed(username: str) -> str:
    """Show whom somebody follows."""
    user = _user_or_404(username)
    query = (
        sa.select(Follow).filter_by(follower_id=user.id).options(joinedload(Follow.followed)).order_by(Follow.id.desc())
    )
    follows = page_of(query, "PEOPLE_PER_PAGE")
    return render_template("main/followed.html", user=user, follows=follows)


@blueprint.post("/user/<username>/follow")
@login_required  # type: ignore[untyped-decorator]
def follow(username: str) -> ResponseReturnValue:
    """Begin to read somebody."""
    user = _user_or_404(username)
    try:
        if following.follow(current_user, user):
            flash(f"You follow {user.username} now.")
        db.session.commit()
    except IntegrityError:
        # Pressed twice: the other request was first, which is as good.
        db.session.rollback()
    return redirect(url_for("main.profile", username=username))


@blueprint.post("/user/<username>/unfollow")
@login_required  # type: ignore[untyped-decorator]
def unfollow(username: str) -> ResponseReturnValue:
    """Stop reading somebody."""
    user = _user_or_404(username)
    following.unfollow(current_user, user)
    db.session.commit()
    flash(f"You no longer follow {user.username}.")
    return redirect(url_for("main.profile", username=username))


@blueprint.get("/avatar/<username>.svg")
def avatar(username: str) -> Response:
    """Draw somebody's portrait."""
    if not re.fullmatch(r"[a-z0-9._-]{1,32}", username):
        abort(404)
    response = Response(avatars.draw(username), mimetype="image/svg+xml")
    response.headers["Content-Security-Policy"] = "default-src 'none'"
    response.cache_control.public = True
    response.cache_control.max_age = 86400
    return response


def _post_or_404(post_id: int) -> Post:
    found: Post | None = db.session.scalars(feed.everything(current_user).where(Post.id == post_id)).first()
    return found or abort(404)


def _user_or_404(username: str) -> User:
    return User.named(username) or abort(404)
