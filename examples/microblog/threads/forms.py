"""What one says in a thread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask_wtf import FlaskForm
from wtforms import SelectField, StringField, SubmitField, TextAreaField
from wtforms.validators import DataRequired, Length

from ..main.forms import tidy
from ..models import Topic
from ..models.thread import MAX_COMMENT, MAX_OPENING, MAX_TITLE, VISIBILITIES


def _options(choices: Iterable[tuple[str, str]]) -> list[Any]:
    """Return choices as WTForms wants them: since 3.3 as objects of its own, before as pairs."""
    try:
        from wtforms.fields.choices import SelectChoice
    except ImportError:
        return list(choices)
    return [SelectChoice(value, label) for value, label in choices]


def _topic(value: Topic | str) -> Topic:
    if isinstance(value, Topic):
        return value
    if value not in Topic.__members__:
        raise ValueError(value)
    return Topic[value]


class ThreadForm(FlaskForm):  # type: ignore[misc]
    """A thread: new, or as it shall be from now on."""

    title = StringField(
        "Title",
        filters=[tidy],
        validators=[DataRequired(message="A thread needs a title."), Length(max=MAX_TITLE)],
        render_kw={"autocomplete": "off"},
    )
    body = TextAreaField(
        "What is it about?",
        filters=[tidy],
        validators=[DataRequired(message="Please say a little more."), Length(max=MAX_OPENING)],
        render_kw={"rows": 6},
    )
    topic = SelectField(
        "Topic",
        choices=_options((topic.name, topic.label) for topic in Topic),
        coerce=_topic,
    )
    visibility = SelectField("Who may read it", choices=_options(VISIBILITIES))
    submit = SubmitField("Open the thread")


class CommentForm(FlaskForm):  # type: ignore[misc]
    """A comment."""

    body = TextAreaField(
        "What do you say?",
        filters=[tidy],
        validators=[
            DataRequired(message="A comment needs a few words."),
            Length(max=MAX_COMMENT, message=f"At most {MAX_COMMENT} characters, please."),
        ],
        render_kw={"rows": 3},
    )
    submit = SubmitField("Comment")
