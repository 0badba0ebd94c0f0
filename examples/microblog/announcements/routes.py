"""The page where an administrator tells everybody something."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ..extensions import db, notify
from ..message_types import Announced, Maintenance
from ..models import User
from .forms import AnnouncementForm

blueprint = Blueprint("announcements", __name__)

#: Seconds for which pages show that there is maintenance.
BANNER_LIFETIME = 3600


@blueprint.route("/announce", methods=["GET", "POST"])
@login_required  # type: ignore[untyped-decorator]
def announce() -> ResponseReturnValue:
    """Take an announcement."""
    if not current_user.is_admin:
        abort(404)
    form = AnnouncementForm()
    if form.validate_on_submit():
        count = _tell_everybody(form)
        db.session.commit()
        flash(f"On its way to {count} people.")
        return redirect(url_for("announcements.announce"))
    status = 422 if form.is_submitted() else 200
    return render_template("announcements/announce.html", form=form), status


def _tell_everybody(form: AnnouncementForm) -> int:
    kind = Maintenance if form.is_maintenance.data else Announced
    if form.is_maintenance.data:
        notify.broadcast("maintenance", form.headline.data, expires_in=BANNER_LIFETIME)
    # A query, and no list of people, however many they become: the scheduler moves them in batches.
    everybody = sa.select(User.id).where(User.id != current_user.id)
    message = kind(sender=current_user, headline=form.headline.data, text=form.text.data)
    return notify.send(message, to=everybody)
