"""What an application decides for the pages of the inbox: who is meant by a name, and who may do what."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select

from ..models import Models
from .visits import seen_by_visit

_Find = TypeVar("_Find", bound=Callable[[str], Any])
_Name = TypeVar("_Name", bound=Callable[[Any], str])
_Before = TypeVar("_Before", bound=Callable[[Any, Any], None])
_Judge = TypeVar("_Judge", bound=Callable[[Any], bool])

_NATURAL_NAMES = ("username", "name")
_LARGEST = 2**63 - 1  # of an integer key; a driver refuses more


class Hooks:
    """The decorators by which an application answers."""

    if TYPE_CHECKING:

        @property
        def models(self) -> Models:
            """What :class:`.Notify` has."""

    _find_recipient: Callable[[str], Any] | None = None
    _address_recipient: Callable[[Any], str] | None = None
    _before_private_message: Callable[[Any, Any], None] | None = None
    _administrator: Callable[[Any], bool] | None = None

    seen_by_visit = staticmethod(seen_by_visit)

    def find_recipient(self, function: _Find) -> _Find:
        """Set how a user is found by the name that stands in an address, as in ``/send_message/susan``.

        By default a user is found by the attribute ``username``, else ``name``, else by the key.

        :param function: called with the name; returns the user, or None.
        """
        self._find_recipient = function
        return function

    def address_recipient(self, function: _Name) -> _Name:
        """Set the name that stands for a user in an address: the reverse of :meth:`find_recipient`.

        :param function: called with the user; returns the name.
        """
        self._address_recipient = function
        return function

    def before_private_message(self, function: _Before) -> _Before:
        """Set what is asked before a private message is sent: a limit of their rate, say.

        :param function: called with sender and recipient. It lets the message pass by
            returning, and stops it by ``abort(429)`` or any other exception.
        """
        self._before_private_message = function
        return function

    def administrator(self, function: _Judge) -> _Judge:
        """Set who may see the list of everybody's messages; by default nobody.

        :param function: called with the logged-in user.
        """
        self._administrator = function
        return function


def find_user(hooks: Hooks, name: str) -> Any:
    """Return the user of that name, or None."""
    if "\0" in name:
        return None  # PostgreSQL refuses to look for it
    if hooks._find_recipient is not None:
        return hooks._find_recipient(name)
    models = hooks.models
    session, User = models.db.session, models.user_mapper.class_
    attribute = natural_name(models)
    if attribute is None:
        key = _parse_key(models, name)
        return None if key is None else session.get(User, key)
    found = session.scalars(select(User).where(getattr(User, attribute) == name).limit(2)).all()
    # Where two have one name nobody can tell who is meant, and it may not be the wrong one.
    return found[0] if len(found) == 1 else None


def address_of(hooks: Hooks, user: Any) -> str:
    """Return the name by which a user is found again."""
    if hooks._address_recipient is not None:
        return hooks._address_recipient(user)
    attribute = natural_name(hooks.models)
    name = None if attribute is None else getattr(user, attribute)
    return str(hooks.models.user_mapper.primary_key_from_instance(user)[0]) if name is None else str(name)


def may_administrate(hooks: Hooks, user: Any) -> bool:
    """Whether a user may see everybody's messages."""
    return hooks._administrator is not None and bool(hooks._administrator(user))


def ask_before_private_message(hooks: Hooks, sender: Any, recipient: Any) -> None:
    """Let the application stop a private message."""
    if hooks._before_private_message is not None:
        hooks._before_private_message(sender, recipient)


def natural_name(models: Models) -> str | None:
    """Return the column of the user model by which people know users, if it has one of the usual."""
    columns = models.user_mapper.column_attrs
    return next((name for name in _NATURAL_NAMES if name in columns), None)


def _parse_key(models: Models, text: str) -> Any:
    kind = models.key_column.type.python_type
    try:
        key = kind(text)
    except ValueError:
        return None
    return None if isinstance(key, int) and abs(key) > _LARGEST else key
