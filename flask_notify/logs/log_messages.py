"""What a record of the log makes its recipients read: a template with its arguments (row G2).

Both are stored as they were given. The text is made for each recipient, in their language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import new_class
from typing import Any, ClassVar

from ..errors import ConfigurationError, InvalidMessage, UnknownType
from ..language import translated
from ..messages.message_types import MessageType, Registry
from ..messages.richtext import check_url
from ..rules import MailMode

# No format of Python's own: a translator's slip in it would raise, and a width could fill the memory.
_SLOT = re.compile(r"%(?:\((?P<name>[^()]+)\)[sd]|%)")
_OPTIONS = ("address", "details", "popup")


class LogMessage(MessageType):
    """A message of a type that :meth:`.Notify.on_log` has registered; each of them is a subclass.

    Declare a subclass of your own, with the name of the type, for what the decorator does not
    offer: ``critical``, ``allowed`` or ``collapse``.
    """

    message: str
    """The template: "%(who)s has judged it". It is translated before its arguments are put in."""
    arguments: dict[str, Any]
    address: str | None = None
    details: str | None = None
    popup: bool = False

    made_by_log: ClassVar[bool] = False
    """Whether nobody has declared it: a declared type takes its place."""

    def subject(self, recipient: Any) -> str:  # noqa: ARG002  # it is the same for all who speak one language
        """Return the text, in the language that is current."""
        text = translated(self.message)
        # A translation that names what there is not would show a hole.
        known = names_in(text) <= set(self.arguments)
        return interpolated(text if known else self.message, self.arguments)

    def body(self, recipient: Any) -> str | None:  # noqa: ARG002  # it is the same for everybody
        """Return the details, which are text."""
        return self.details

    def url(self, recipient: Any) -> str | None:  # noqa: ARG002  # likewise
        """Return the address."""
        return self.address


def declare(types: Registry, name: str, label: Any, mail_mode: MailMode | str | None) -> None:
    """Make a type of messages for a type of notifications, unless the application has declared one.

    :raises ConfigurationError: if no type of messages can have that name.
    """
    present = types.get(name)
    if present is None or getattr(present, "made_by_log", False):
        # In two steps: who asks meanwhile, in another thread, finds the one or the other.
        types[name] = _make(name, label, mail_mode)
    elif label is not None or mail_mode is not None:
        raise ConfigurationError(
            f"The type {name!r} is declared by {present.__qualname__}, which says its label and mail mode itself, "
            "got them for its notifications, too. Leave them away."
        )


def give_way(types: Registry, kind: type[MessageType]) -> None:
    """Take away the type that was made for a name, where the application now declares one of its own."""
    if getattr(types.get(getattr(kind, "name", "")), "made_by_log", False):
        del types[kind.name]


def _make(name: str, label: Any, mail_mode: MailMode | str | None) -> type[MessageType]:
    body = {
        "name": name,
        "label": label,
        "mail_mode": mail_mode,
        "made_by_log": True,
        "__module__": __name__,
        "__doc__": f"What is sent for records with the notification {name!r}.",
    }
    return new_class(f"LogMessage[{name!r}]", (LogMessage,), exec_body=lambda namespace: namespace.update(body))


def make(
    types: Registry,
    name: str,
    message: str,
    arguments: Mapping[str, Any] | None,
    options: Mapping[str, Any],
) -> LogMessage:
    """Return a message of a registered type.

    :param arguments: what is put into the template; ``address``, ``details`` and ``popup`` may
        stand among them, as OIOIOI has it.
    :param options: these, given by name; they win.
    :raises UnknownType: if the type was not registered.
    :raises InvalidMessage: if the template and its arguments do not fit together.
    """
    kind = types.get(name)
    if kind is None:
        raise UnknownType(
            f"A notification's type must be registered, got {name!r}. "
            f"Register a function for it with @notify.on_log({name!r}), or declare a type of messages."
        )
    if not issubclass(kind, LogMessage):
        raise InvalidMessage(
            f"The type {name!r} is declared by {kind.__qualname__}, which has no message and arguments. Send it with "
            f"notify.send({kind.__qualname__}(…), to=user), or derive it from LogMessage."
        )
    values = _checked_arguments(arguments)
    given = {option: values.pop(option) for option in _OPTIONS if option in values}
    given.update((option, value) for option, value in options.items() if value is not None)
    return kind(message=_checked_template(message, values), arguments=values, **_checked_options(**given))


def _checked_arguments(arguments: Any) -> dict[str, Any]:
    if not isinstance(arguments, (Mapping, type(None))) or not all(isinstance(name, str) for name in arguments or ()):
        raise InvalidMessage(f"The arguments of a notification must be a dict with str keys, got {arguments!r:.200}")
    return {name: _plain(value) for name, value in (arguments or {}).items()}


def _plain(value: Any) -> Any:
    """Return what JSON keeps, and of anything else its text: that is all it is put in for."""
    return value if value is None or type(value) in (bool, int, float) else _text(value)


def _text(value: Any) -> str:
    # Not a subclass of str: Markup would make a body rich, and whatever it is put into escaped.
    return "".join(str(value))


def _checked_template(message: Any, arguments: Mapping[str, Any]) -> str:
    if not isinstance(message, str) or not message.strip():
        got = repr(message) if isinstance(message, str) else type(message).__name__
        raise InvalidMessage(
            f"A notification's message must be a template that is not translated yet, got {got}. A lazy "
            "text has its translation in it already: give the text itself, and mark it for extraction by a function "
            "that returns what it is given."
        )
    template = _text(message)
    missing = sorted(names_in(template) - set(arguments))
    if missing:
        raise InvalidMessage(
            f"The message {template!r:.200} needs {', '.join(missing)}, got {', '.join(arguments) or 'no arguments'}."
        )
    return template


def _checked_options(*, address: Any = None, details: Any = None, popup: Any = False) -> dict[str, Any]:
    return {
        "address": None if address is None else check_url(address),
        "details": None if details is None else _text(details),
        "popup": bool(popup),
    }


def names_in(template: str) -> set[str]:
    """Return the names of the arguments that a template needs."""
    return {slot["name"] for slot in _SLOT.finditer(template) if slot["name"] is not None}


def interpolated(template: str, arguments: Mapping[str, Any]) -> str:
    """Return a template with its arguments: ``%(name)s``, and ``%%`` for a percent sign. Any other stays as it is."""
    return _SLOT.sub(lambda slot: "%" if slot["name"] is None else str(arguments.get(slot["name"], slot[0])), template)
