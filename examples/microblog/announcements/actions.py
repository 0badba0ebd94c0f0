"""To tell everybody something: an action without rows."""

from __future__ import annotations

import sqlalchemy as sa
from wtforms import BooleanField, Form, StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from flask_notify import Action, ActionRequest

from ..extensions import notify
from ..main.forms import tidy
from ..message_types import Announced, Maintenance
from ..models import User

#: Seconds for which pages show that there is maintenance.
BANNER_LIFETIME = 3600


class AnnouncementForm(Form):  # type: ignore[misc]  # WTForms comes without types
    """A few words to everybody."""

    headline = StringField(
        "Headline",
        filters=[tidy],
        validators=[DataRequired(message="An announcement needs a headline."), Length(max=100)],
        render_kw={"autocomplete": "off"},
    )
    text = TextAreaField(
        "What everybody should know",
        filters=[tidy],
        validators=[DataRequired(message="Please say a little more."), Length(max=1000)],
        render_kw={"rows": 5},
    )
    is_maintenance = BooleanField("It is about maintenance: mail it at once, and show it on all open pages for an hour")


@notify.action
class Announce(Action):
    """Tell everybody."""

    label = "Tell everybody"
    form = AnnouncementForm

    def permitted(self, ar: ActionRequest) -> bool:
        """Let administrators announce something."""
        return ar.user is not None and ar.user.is_admin

    def run(self, ar: ActionRequest) -> None:
        """Send it to everybody else."""
        headline, text = ar.params["headline"], ar.params["text"]
        kind = Maintenance if ar.params["is_maintenance"] else Announced
        if kind is Maintenance:
            notify.broadcast("maintenance", headline, expires_in=BANNER_LIFETIME)
        # A query, and no list of people, however many they become: the scheduler moves them in batches.
        everybody = sa.select(User.id).where(User.id != ar.user.id)
        count = notify.send(kind(sender=ar.user, headline=headline, text=text), to=everybody)
        ar.success(f"On its way to {count} people.", close_window=True)
