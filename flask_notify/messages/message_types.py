"""The declared kinds of messages: what each says, and to whom it may be said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from inspect import get_annotations
from typing import Any, ClassVar, Literal, NamedTuple

from markupsafe import Markup

from ..errors import ConfigurationError, InvalidMessage, UnknownType
from ..language import current_language_key
from ..models.columns import MAX_SUBJECT, MAX_TYPE
from ..rules import MailMode
from .richtext import check_url, sanitise

_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


class Text(NamedTuple):
    """What one recipient reads."""

    subject: str
    body: str | None = None
    url: str | None = None
    rich: bool = False
    """Whether the body is sanitised HTML."""


class MessageType:
    """A kind of message. Declare one by a subclass, and register it with ``@notify.message_type``.

    Annotated attributes are the data that it is made with; those without a value are required::

        @notify.message_type
        class Invoiced(MessageType):
            label = "Invoices"
            amount: int

            def subject(self, recipient):
                return f"You owe {self.amount} €"

        notify.send(Invoiced(amount=40), to=user)

    :param sender: the user who causes it, or None.
    :param target: the object of a model that it is about, or None.
    :param data: JSON values; they are attributes, and the items of :attr:`data`.
    :raises InvalidMessage: if data is missing, unknown or no JSON.
    """

    name: ClassVar[str] = ""
    """What it is called in the database; by default the class's name in snake case."""
    label: ClassVar[Any] = None
    """What people read where they choose how to be told; by default made of the name."""
    mail_mode: ClassVar[MailMode | str | None] = None
    """The mode for recipients who have no opinion; None is :attr:`.MailMode.OFTEN`."""
    collapse: ClassVar[Literal["first", "latest"] | None] = None
    """What becomes of a message while one for the same target is unseen: with ``"first"`` it is
    dropped, with ``"latest"`` it takes the other's place, which is counted."""
    critical: ClassVar[bool] = False
    """Whether recipients cannot mask it; it is mailed at once."""
    push: ClassVar[bool] = True
    """Whether it is pushed to the browsers of recipients who have subscribed, and have no opinion."""
    popup: bool
    """Whether the page that its recipient looks at opens the inbox by itself. Set it on the class, or declare it as
    data (``popup: bool = False``) to decide for each message."""

    fields: ClassVar[Mapping[str, Any]] = {}
    """The declared data by name, with what each has by default, or ``...`` if it is required."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        if not _NAME.fullmatch(cls.name) or len(cls.name) > MAX_TYPE:
            raise ConfigurationError(
                f"The name of a message type must have 1 to {MAX_TYPE} of a-z, 0-9, '_', '.' and '-', and begin "
                f"with a letter, got {cls.name!r}. Set {cls.__name__}.name."
            )
        if cls.collapse not in (None, "first", "latest"):
            raise ConfigurationError(f"{cls.__name__}.collapse must be None, 'first' or 'latest', got {cls.collapse!r}")
        MailMode.parse(cls.mail_mode)
        cls.fields = {**cls.fields, **dict(_declared(cls))}

    def __init__(self, *, sender: Any = None, target: Any = None, **data: Any) -> None:
        self.sender = unwrapped(sender)
        self.target = unwrapped(target)
        self.data = self._checked(data)
        vars(self).update(self.data)

    def _checked(self, data: dict[str, Any]) -> dict[str, Any]:
        cls = type(self)
        missing = [name for name, default in cls.fields.items() if default is ... and name not in data]
        unknown = [name for name in data if (cls.fields and name not in cls.fields) or hasattr(MessageType, name)]
        if missing or unknown:
            raise InvalidMessage(
                f"{cls.__name__} takes {', '.join(cls.fields) or 'any data'}; "
                f"got {', '.join(data) or 'nothing'}"
                f"{', which lacks ' + ', '.join(missing) if missing else ''}"
                f"{'; unknown: ' + ', '.join(unknown) if unknown else ''}."
            )
        return {**{name: default for name, default in cls.fields.items() if default is not ...}, **data}

    @classmethod
    def allowed(cls, recipient: Any) -> bool:  # noqa: ARG003  # for subclasses
        """Return whether the type is meant for a recipient at all, for example by their role."""
        return True

    def subject(self, recipient: Any) -> str:
        """Return the message in one line, in the language that is current: the recipient's."""
        raise NotImplementedError(f"{type(self).__name__} must have a method subject(self, recipient)")

    def body(self, recipient: Any) -> str | None:  # noqa: ARG002  # for subclasses
        """Return the whole text, or None. A ``markupsafe.Markup`` is limited rich text; it is sanitised."""
        return None

    def url(self, recipient: Any) -> str | None:  # noqa: ARG002  # for subclasses
        """Return where the message leads to, or None: http(s), or a path of this site."""
        return None

    @classmethod
    def title(cls) -> str:
        """Return what people read for the type."""
        return str(cls.label) if cls.label is not None else cls.name.replace("_", " ").capitalize()

    def text_for(self, recipient: Any) -> Text | None:
        """Return what a recipient reads; None is nothing, for those types that may have nothing to say.

        :raises InvalidMessage: if the link is none that may be stored.
        """
        return text_of(self.subject(recipient), self.body(recipient), self.url(recipient))


def _declared(cls: type[MessageType]) -> Iterator[tuple[str, Any]]:
    for name, annotation in get_annotations(cls).items():
        if "ClassVar" not in str(annotation) and not hasattr(MessageType, name):
            yield name, vars(cls).get(name, ...)


def text_of(subject: object, body: object, url: object) -> Text:
    """Check what is to be stored, and shorten the subject.

    :raises InvalidMessage: naming what is wrong with it.
    """
    line = " ".join(str(subject).split())
    # Of what was put together the end may be missing; a parked recipient would miss all.
    return make_text(line if len(line) <= MAX_SUBJECT else line[: MAX_SUBJECT - 1] + "…", body, url)


def make_text(subject: object, body: object, url: object) -> Text:
    """Check what is to be stored.

    :raises InvalidMessage: naming what is wrong with it.
    """
    line = " ".join(str(subject).split())
    if not 1 <= len(line) <= MAX_SUBJECT:
        raise InvalidMessage(f"A message's subject must have 1 to {MAX_SUBJECT} characters, got {len(line)}")
    rich = isinstance(body, Markup)
    text = None if body is None or body == "" else sanitise(str(body)) if rich else str(body)
    for part in (line, text or ""):
        if _NO_TEXT.search(part):
            raise InvalidMessage("A message must be text that UTF-8 can hold, without NUL characters")
    return Text(line, text, None if url is None else check_url(str(url)), rich and text is not None)


def encode_data(data: Any, max_payload: int) -> str | None:
    """Return a message's data as JSON text, None for none.

    :raises InvalidMessage: if it is no JSON, or longer than ``max_payload`` bytes.
    """
    if data is None or data == {}:
        return None
    try:
        text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidMessage(
            f"A message's data must be JSON (dict, list, str, int, finite float, bool, None): {error}. "
            "Give keys instead of objects; what the message is about is its target."
        ) from error
    if len(text) > max_payload:
        raise InvalidMessage(
            f"A message's data must have at most {max_payload} bytes as JSON, got {len(text)}. "
            "Raise NOTIFY_MAX_PAYLOAD."
        )
    return text


def unwrapped(value: Any) -> Any:
    """Return the object behind a proxy such as ``current_user``; an anonymous user is none."""
    value = value._get_current_object() if hasattr(value, "_get_current_object") else value
    return None if getattr(value, "is_anonymous", False) is True else value


class System(MessageType):
    """What the application itself has to say: the type of plain texts."""

    label = "System messages"

    def __init__(
        self,
        subject: str,
        body: str | None = None,
        url: str | None = None,
        *,
        sender: Any = None,
        target: Any = None,
        **data: Any,
    ) -> None:
        super().__init__(sender=sender, target=target, **data)
        self.text = make_text(subject, body, url)

    def text_for(self, recipient: Any) -> Text:  # noqa: ARG002  # it is the same for everybody
        """Return the text that was given."""
        return self.text


class Private(MessageType):
    """A private message: it has a sender who wrote it."""

    label = "Private messages"
    text: str

    def subject(self, recipient: Any) -> str:  # noqa: ARG002  # it is the same for everybody
        """Say who wrote it."""
        return f"Private message from {name_of(self.sender)}"

    def body(self, recipient: Any) -> str | None:  # noqa: ARG002  # likewise
        """Return what was written."""
        return str(self.text)


class Changed(MessageType):
    """A watched object was created, modified or deleted (rows E1 and E2); what it says is up to the object's hooks.

    :meth:`.WatchableMixin.get_notify_message_type` may name a subclass, with a label and rules of its own.
    """

    name = "change"
    label = "Changes"
    collapse = "latest"
    kind: str
    """``created``, ``modified`` or ``deleted``."""
    changed: list[str]
    """The names of the fields that have changed."""

    def __init__(
        self,
        *,
        render: Callable[[], Text | None] | None = None,
        sender: Any = None,
        target: Any = None,
        **data: Any,
    ) -> None:
        super().__init__(sender=sender, target=target, **data)
        self._render = render
        self.texts: dict[str, Text] = {}
        """What was rendered for later, by the language and time zone."""

    def text_for(self, recipient: Any) -> Text | None:  # noqa: ARG002  # it is the same for all who speak one language
        """Return what is told of the change, in the language that is current; None if a hook wants nobody told.

        :raises InvalidMessage: if it was not made by a watched object.
        """
        if self._render is not None:
            return self._render()
        if not self.texts:
            raise InvalidMessage(
                f"A message of the type {self.name!r} is made of a change of an object, got one without any. "
                "Let the model have WatchableMixin, and change the object; or send a type of your own."
            )
        # Who has chosen another language since gets one that somebody else reads.
        return self.texts.get(current_language_key()) or next(iter(self.texts.values()))


def name_of(user: Any) -> str:
    """Return what a user is called: ``display_name``, ``username`` or ``name``, whichever there is."""
    for attribute in ("display_name", "username", "name"):
        name = getattr(user, attribute, None)
        if isinstance(name, str) and name:
            return name
    return "somebody" if user is None else str(user)


class Registry(dict[str, type[MessageType]]):
    """The declared types by name."""

    def __init__(self) -> None:
        super().__init__({kind.name: kind for kind in (System, Private, Changed)})

    def register(self, kind: type[MessageType]) -> type[MessageType]:
        """Declare a type; usable as a decorator. Declaring it again replaces it."""
        if not (isinstance(kind, type) and issubclass(kind, MessageType)):
            raise ConfigurationError(f"A message type must be a subclass of MessageType, got {kind!r}")
        present = self.get(kind.name)
        if present is not None and (present.__module__, present.__qualname__) != (kind.__module__, kind.__qualname__):
            raise ConfigurationError(
                f"A message type's name must be its own, got {kind.__qualname__} with the name {kind.name!r}, which "
                f"{present.__qualname__} has. Set another name."
            )
        self[kind.name] = kind
        return kind

    def find(self, name: str) -> type[MessageType]:
        """Return a declared type.

        :raises UnknownType: with the list of those that are declared.
        """
        try:
            return self[name]
        except KeyError:
            raise UnknownType(
                f"A message's type must be declared, got {name!r}; declared: {', '.join(sorted(self))}. "
                "Register it with @notify.message_type."
            ) from None
