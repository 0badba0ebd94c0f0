"""What a button says, in every renderer: which action, on which row, and whether it is permitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...language import gettext
from ..values import as_json, is_object, key_of


@dataclass(frozen=True)
class Button:
    """A button that runs an action.

    :param ar: the request that would run it.
    :param row: the object on which; None for an action on none, or for one that is not chosen yet.
    :param permitted: whether the request's user may; it is disabled otherwise.
    """

    ar: Any
    row: Any
    label: str
    permitted: bool

    @property
    def action(self) -> Any:
        """The action."""
        return self.ar.action

    @property
    def key(self) -> Any:
        """The key of the row, as JSON has it; None without one."""
        return as_json(key_of(self.row)) if is_object(self.row) else None

    @property
    def title(self) -> str | None:
        """What is read beside it: why it is disabled, else what the action does."""
        if not self.permitted:
            return gettext("Log in to do this.") if self.ar.user is None else gettext("You may not do this.")
        return None if self.action.help_text is None else str(self.action.help_text)


def button_of(ar: Any, action: Any, row: Any = None, label: str | None = None) -> Button:
    """Return a button for an action, in a child of a request; permission is asked.

    :param action: its class or name.
    :raises UnknownAction: if it was not declared.
    """
    return _button(ar.spawn(action), row, label)


def own_button_of(ar: Any, label: str | None = None) -> Button:
    """Return a button for a request's own action, on its own row, likewise."""
    return _button(ar, ar.selected[0] if ar.action.select == "one" and ar.selected else None, label)


def _button(ar: Any, row: Any, label: str | None) -> Button:
    # Of somebody who is not logged in nobody is asked: what is permitted to whom is said of users.
    permitted = ar.user is not None and bool(ar.runner.may_run(ar, row))
    return Button(ar, row, str(ar.action.label if label is None else label), permitted)
