"""The page where an administrator tells everybody something."""

from __future__ import annotations

from flask import Blueprint, abort, render_template
from flask_login import current_user, login_required

from .actions import Announce

blueprint = Blueprint("announcements", __name__)


@blueprint.get("/announce")
@login_required  # type: ignore[untyped-decorator]
def announce() -> str:
    """Show what can be announced, and how; the action's dialog takes it."""
    if not current_user.is_admin:
        abort(404)
    return render_template("announcements/announce.html", action=Announce)
