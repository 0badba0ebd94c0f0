"""What an announcement says."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import BooleanField, StringField, SubmitField, TextAreaField
from wtforms.validators import DataRequired, Length

from ..main.forms import tidy


class AnnouncementForm(FlaskForm):  # type: ignore[misc]
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
    submit = SubmitField("Tell everybody")
