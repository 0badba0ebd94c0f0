"""Actions that tell others of it: a dialog with a subject, a description, and "don't notify others" (row F6)."""

from __future__ import annotations

from typing import Any, ClassVar

from markupsafe import Markup
from wtforms import BooleanField, Form, StringField, TextAreaField
from wtforms.validators import Length, ValidationError

from ..errors import ConfigurationError
from ..language import gettext
from ..messages.message_types import MessageType
from ..messages.richtext import to_text
from .action import Action
from .renderers.base import url_of
from .request import ActionRequest

MAX_SUBJECT = 200


class ActionMessage(MessageType):
    """What somebody tells who runs an action."""

    name = "action"
    label = "Actions"
    headline: str
    text: str | None = None

    def subject(self, recipient: Any) -> str:  # noqa: ARG002  # it is the same for everybody
        """Return what the dialog had as its subject."""
        return str(self.headline)

    def body(self, recipient: Any) -> str | None:  # noqa: ARG002  # likewise
        """Return what it had as its description."""
        return self.text or None

    def url(self, recipient: Any) -> str | None:  # noqa: ARG002  # likewise
        """Lead to the page of what it is about, if that has one."""
        return None if self.target is None else url_of(self.target)


def _is_needed(form: Form, field: Any) -> None:
    if not (field.data or form.silent.data):
        raise ValidationError(gettext("Say in a few words what others are told, or do not notify them."))


def _one_line(text: str | None) -> str:
    return " ".join(_lines(text).split())


def _lines(text: str | None) -> str:
    text = (text or "").replace("\r\n", "\n").replace("\r", "\n")
    # Nothing that cannot be seen: PostgreSQL stores no NUL.
    return "".join(char for char in text if char in "\n\t" or (char >= " " and char != "\x7f")).strip()


class NotifyingForm(Form):  # type: ignore[misc]  # untyped
    """What others are told, and whether they are."""

    subject = StringField("Subject", [Length(max=MAX_SUBJECT), _is_needed], filters=[_one_line])
    body = TextAreaField("Description", [Length(max=10_000)], filters=[_lines])
    silent = BooleanField("Don’t notify others")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # In the language of whoever opens the dialog.
        self.subject.label.text = gettext("Subject")
        self.body.label.text = gettext("Description")
        self.silent.label.text = gettext("Don’t notify others")


class NotifyingAction(Action):
    """An action that tells others when it has succeeded. Its dialog lets the user change what they are told.

    The message goes to :meth:`get_notify_recipients`, once to each and not to the user; it is from the user,
    and about :meth:`get_notify_owner`. A form of your own is a subclass of :class:`NotifyingForm`.
    """

    form: ClassVar[Any] = NotifyingForm
    notify_type: ClassVar[type[MessageType]] = ActionMessage
    """The declared type of the message. It is made with ``headline`` and ``text``."""

    @classmethod
    def check(cls) -> None:
        """Refuse a form that does not ask what is to be told."""
        if not (isinstance(cls.form, type) and issubclass(cls.form, NotifyingForm)):
            raise ConfigurationError(
                f"{cls.__qualname__}.form must be a subclass of NotifyingForm, got {cls.form!r}. Derive it from "
                "flask_notify.actions.notifying.NotifyingForm, or the action from Action."
            )

    def get_notify_subject(self, ar: ActionRequest, row: Any) -> str | None:  # noqa: ARG002  # for subclasses
        """Return what the subject begins as. None suppresses: nobody is told unless the user writes one.

        :param row: the row on which it runs; None where it runs on several, or on none.
        """
        return str(self.label) if row is None else f"{self.label}: {row}"

    def get_notify_body(self, ar: ActionRequest, row: Any) -> str | None:  # noqa: ARG002  # for subclasses
        """Return what the description begins as."""
        return None

    def get_notify_owner(self, ar: ActionRequest, row: Any) -> Any:  # noqa: ARG002  # for subclasses
        """Return the object that the message is about; by default the row."""
        return row

    def get_notify_recipients(self, ar: ActionRequest, row: Any) -> Any:  # noqa: ARG002  # for subclasses
        """Return who is told: users, pairs of a user and a mail mode, or a ``select()`` of keys. By default nobody."""
        return ()

    def emit_system_note(self, ar: ActionRequest, row: Any, subject: str, body: str) -> None:
        """Keep a note of what was done: called for each row after the run, also where nobody is notified."""

    def initial(self, ar: ActionRequest, row: Any) -> dict[str, Any]:
        """Begin the dialog with what the action would tell."""
        subject, body = self.get_notify_subject(ar, row), self.get_notify_body(ar, row)
        text = to_text(body) if isinstance(body, Markup) else body
        shortened = _one_line(None if subject is None else str(subject))[:MAX_SUBJECT]
        return {"subject": shortened, "body": _lines(text), "silent": not shortened}

    def succeeded(self, ar: ActionRequest) -> None:
        """Tell others, unless the user does not want that."""
        subject, body = ar.params["subject"], ar.params["body"]
        for row in ar.selected or [None]:
            self.emit_system_note(ar, row, subject, body)
            if not ar.params["silent"]:
                told = self.notify_type(
                    sender=_user_of(ar), target=self.get_notify_owner(ar, row), headline=subject, text=body or None
                )
                ar.runner.notify.send(told, to=self.get_notify_recipients(ar, row))


def _user_of(ar: ActionRequest) -> Any:
    model = ar.runner.notify.models.user_mapper.class_
    return ar.user if isinstance(ar.user, model) else None
