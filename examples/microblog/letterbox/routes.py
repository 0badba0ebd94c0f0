"""The pages of one's letterbox."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, abort, current_app, render_template
from flask_login import current_user, login_required

from .store import Caught, Letterbox

blueprint = Blueprint("letterbox", __name__, url_prefix="/mail")

#: How many mails the page lists.
SHOWN = 50

#: What a mail may do: be looked at, and lead the window elsewhere when somebody follows a link.
_POLICY = (
    "sandbox allow-top-navigation-by-user-activation; default-src 'none'; style-src 'unsafe-inline'; "
    "form-action 'none'; frame-ancestors 'self'"
)


@blueprint.get("/")
@login_required  # type: ignore[untyped-decorator]
def index() -> str:
    """List what came to one's address."""
    mails = [mail for _, mail in zip(range(SHOWN), _letterbox(), strict=False)]
    return render_template("letterbox/index.html", mails=mails, delay=current_app.config["NOTIFY_OFTEN_DELAY"])


@blueprint.get("/<name>")
@login_required  # type: ignore[untyped-decorator]
def mail(name: str) -> str:
    """Show a mail: as HTML, as text, and its headers."""
    caught = _mail_or_404(name)
    return render_template(
        "letterbox/mail.html",
        caught=caught,
        has_html=caught.body("html") is not None,
        text=caught.body("plain"),
        headers=[(key, str(value)) for key, value in caught.mail.items()],
    )


@blueprint.get("/<name>/html")
@login_required  # type: ignore[untyped-decorator]
def html(name: str) -> Response:
    """Hand the HTML of a mail to the frame in which it is shown, and in which it can do nothing."""
    text = _mail_or_404(name).body("html") or abort(404)
    # A mail program, too, opens links outside the mail.
    response = Response(text.replace("<head>", '<head><base target="_top">', 1), mimetype="text/html")
    response.headers["Content-Security-Policy"] = _POLICY
    response.cache_control.no_store = True
    return response


def _letterbox() -> Letterbox:
    return Letterbox(Path(current_app.config["LETTERBOX_FOLDER"]), current_user.email)


def _mail_or_404(name: str) -> Caught:
    return _letterbox().find(name) or abort(404)
