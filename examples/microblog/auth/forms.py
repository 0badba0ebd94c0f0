"""What is asked of somebody who comes in."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, StringField, SubmitField
from wtforms.validators import DataRequired, EqualTo, Length, Regexp, ValidationError

from ..extensions import db
from ..models import User


def _tidy(text: str | None) -> str:
    return (text or "").strip().lower()


class LoginForm(FlaskForm):  # type: ignore[misc]
    """Name and password."""

    username = StringField(
        "Username",
        filters=[_tidy],
        validators=[DataRequired()],
        render_kw={"autocomplete": "username", "autocapitalize": "none"},
    )
    password = PasswordField(
        "Password",
        validators=[DataRequired()],
        render_kw={"autocomplete": "current-password"},
    )
    remember_me = BooleanField("Keep me logged in on this device")
    submit = SubmitField("Log in")


class RegistrationForm(FlaskForm):  # type: ignore[misc]
    """Everything that makes an account."""

    username = StringField(
        "Username",
        filters=[_tidy],
        description="3 to 32 letters, digits, dots, dashes or underscores.",
        validators=[
            DataRequired(),
            Length(3, 32),
            Regexp(
                r"^[a-z0-9][a-z0-9._-]*$",
                message="Letters, digits, dots, dashes and underscores only, please.",
            ),
        ],
        render_kw={"autocomplete": "username", "autocapitalize": "none"},
    )
    email = StringField(
        "E-mail",
        filters=[_tidy],
        validators=[
            DataRequired(),
            Length(max=254),
            Regexp(r"^[^@\s]+@[^@\s]+$", message="This is not an e-mail address."),
        ],
        render_kw={"type": "email", "autocomplete": "email"},
    )
    password = PasswordField(
        "Password",
        description="At least 8 characters.",
        validators=[DataRequired(), Length(8, 256)],
        render_kw={"autocomplete": "new-password"},
    )
    repeated = PasswordField(
        "Password, once more",
        validators=[
            DataRequired(),
            EqualTo("password", message="The two passwords differ."),
        ],
        render_kw={"autocomplete": "new-password"},
    )
    submit = SubmitField("Create account")

    def validate_username(self, field: StringField) -> None:
        """Refuse a name that somebody has."""
        if User.named(field.data or ""):
            raise ValidationError("This name is taken. Please choose another.")

    def validate_email(self, field: StringField) -> None:
        """Refuse an address that somebody uses."""
        if db.session.query(User.id).filter_by(email=field.data).first():
            raise ValidationError("There is an account with this address already.")
