"""What one can write: a post, and something about oneself."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import SubmitField, TextAreaField
from wtforms.validators import DataRequired, Length

from ..models.post import MAX_LENGTH


def tidy(text: str | None) -> str:
    """Return a text without white space around it."""
    # Browsers send line breaks as two characters; people count one.
    return (text or "").replace("\r\n", "\n").strip()


class PostForm(FlaskForm):  # type: ignore[misc]
    """A new post."""

    body = TextAreaField(
        "What is on your mind?",
        filters=[tidy],
        validators=[
            DataRequired(message="A post needs a few words."),
            Length(max=MAX_LENGTH, message=f"At most {MAX_LENGTH} characters, please."),
        ],
        render_kw={"rows": 3, "placeholder": "What is on your mind?"},
    )
    submit = SubmitField("Post")


class ProfileForm(FlaskForm):  # type: ignore[misc]
    """What others read about one."""

    about_me = TextAreaField(
        "About me",
        filters=[tidy],
        description="A line or two, at most 160 characters.",
        validators=[Length(max=160)],
        render_kw={"rows": 3},
    )
    submit = SubmitField("Save")


class ButtonForm(FlaskForm):  # type: ignore[misc]
    """A button and nothing to fill in: it carries the CSRF token."""
