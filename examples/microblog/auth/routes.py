"""The pages where one comes in and goes out."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required, login_user, logout_user
from sqlalchemy.exc import IntegrityError

from ..extensions import db
from ..message_types import welcome
from ..models import User
from .forms import LoginForm, RegistrationForm

blueprint = Blueprint("auth", __name__)


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """Let somebody in."""
    if current_user.is_authenticated:
        return redirect(url_for("main.home"))
    form = LoginForm()
    if form.validate_on_submit():
        user = User.named(form.username.data)
        if user and user.check_password(form.password.data):
            login_user(user, remember=form.remember_me.data)
            return redirect(_next_page())
        form.password.errors = ["The username or the password is wrong."]
    status = 422 if form.is_submitted() else 200
    return render_template("auth/login.html", form=form), status


@blueprint.post("/logout")
@login_required  # type: ignore[untyped-decorator]
def logout() -> ResponseReturnValue:
    """Say goodbye."""
    logout_user()
    flash("You are logged out. See you soon.")
    return redirect(url_for("auth.login"))


@blueprint.route("/register", methods=["GET", "POST"])
def register() -> ResponseReturnValue:
    """Make an account and log in with it."""
    if current_user.is_authenticated:
        return redirect(url_for("main.home"))
    form = RegistrationForm()
    if form.validate_on_submit() and (user := _create_user(form)):
        login_user(user)
        flash(f"Welcome, {user.username}. Whom would you like to read?")
        return redirect(url_for("main.explore"))
    status = 422 if form.is_submitted() else 200
    return render_template("auth/register.html", form=form), status


def _create_user(form: RegistrationForm) -> User | None:
    user = User(username=form.username.data, email=form.email.data)
    user.set_password(form.password.data)
    db.session.add(user)
    try:
        welcome(user)
        db.session.commit()
    except IntegrityError:
        # Somebody else took the name or the address after the form was checked.
        db.session.rollback()
        form.validate()
        return None
    return user


def _next_page() -> str:
    target = request.args.get("next", "")
    parts = urlsplit(target)
    # Only pages of our own: "//evil.example" and "/\evil.example" are others'.
    local = target.startswith("/") and not target.startswith(("//", "/\\"))
    if local and not parts.netloc and not parts.scheme:
        return target
    return url_for("main.home")
