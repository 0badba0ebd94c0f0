"""The form by which one user writes to another."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length


def _plain(text: str | None) -> str | None:
    """Return a text as it was meant: a browser sends two characters for each end of a line."""
    if text is None:
        return None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    # Nothing that cannot be seen: PostgreSQL stores no NUL.
    return "".join(char for char in text if char in "\n\t" or (char >= " " and char != "\x7f")).strip()


class PrivateMessageForm(FlaskForm):  # type: ignore[misc]  # untyped
    """A text for one recipient."""

    body = TextAreaField("Your message", filters=[_plain])

    def __init__(self, longest: int, **options: Any) -> None:
        super().__init__(**options)
        length = Length(1, longest, f"A message has 1 to {longest} characters.")
        self.body.validators = [InputRequired("Write something first."), length]
        self.body.flags.required = True
        self.body.flags.maxlength = longest

    @property
    def described(self) -> dict[str, str]:
        """The attributes by which those who hear the page learn what is asked and what was wrong."""
        if not self.errors:
            return {"aria-describedby": "notify-write-hint"}
        return {"aria-describedby": "notify-write-hint notify-write-error", "aria-invalid": "true"}
