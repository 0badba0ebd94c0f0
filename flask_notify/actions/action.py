"""Declared actions: what users can do with an object, with selected ones, or with none (row F1)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from inspect import signature
from typing import Any, ClassVar, Literal

from flask import current_app
from flask_wtf import FlaskForm
from sqlalchemy import Select, inspect, select
from wtforms import Form

from ..errors import ConfigurationError, UnknownAction
from .parameters import Answers, fields_of, is_reserved
from .renderers.base import Renderer
from .request import ActionRequest
from .responses import ActionResponse

_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


class Action:
    """Something that users can do. Declare it by a subclass, and register it with ``@notify.action``::

        @notify.action
        class CloseThread(Action):
            label = "Close thread"
            target = Thread

            def permitted(self, ar, thread):
                return thread.author_id == ar.user.id

            def run(self, ar, thread):
                thread.closed = True
                ar.success("Closed.", refresh=True)

    Every method gets the request as ``ar``. The transaction is the caller's: nothing here commits.
    """

    name: ClassVar[str] = ""
    """What it is called in addresses; by default the class's name in snake case."""
    label: ClassVar[Any] = None
    """What stands on its button; by default made of the name. It may be a lazy text."""
    help_text: ClassVar[Any] = None
    """What it does, in a sentence for the user; or None."""
    target: ClassVar[type[Any] | None] = None
    """The model on whose objects it runs; one with a key of one column. None is no model."""
    select: ClassVar[Literal["one", "many", "none"]] = "none"
    """On how many rows it runs: ``"one"``, which is the default with a target, ``"many"``, or ``"none"``."""
    form: ClassVar[type[Form] | None] = None
    """A WTForms form, whose fields are the parameters; a dialog asks for them. Not a FlaskForm: the token is ours."""
    danger: ClassVar[bool] = False
    """Whether its button is to look dangerous."""
    lock_rows: ClassVar[bool] = False
    """Whether the rows are locked (``FOR UPDATE``, in the order of their keys) before permission is asked, so that of
    two who run it at once the second decides on what the first has left."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = vars(cls)
        if "name" not in own:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        if "label" not in own and getattr(cls, "_label_is_made", True):
            cls.label = cls.name.replace("_", " ").capitalize()
            cls._label_is_made = True
        elif "label" in own:
            cls._label_is_made = False
        if "select" in own:
            cls._select_is_made = False
        elif getattr(cls, "_select_is_made", True):
            cls.select = "none" if cls.target is None else "one"

    _label_is_made: ClassVar[bool]
    _select_is_made: ClassVar[bool]

    def permitted(self, ar: ActionRequest, *row: Any) -> bool:
        """Return whether ``ar.user`` may run it on a row: ``permitted(self, ar, row)``.

        It is asked for every row before it runs on any. Without rows it is ``permitted(self, ar)``.
        Every action must say so.
        """
        raise NotImplementedError

    def run(self, ar: ActionRequest, *rows: Any) -> None:
        """Do it: ``run(self, ar, row)``, ``run(self, ar, rows)`` with ``select = "many"``, or ``run(self, ar)``.

        An exception, ``ar.error()`` and a question without an answer roll back all that it did.
        """
        raise NotImplementedError

    def get_query(self, ar: ActionRequest) -> Select[Any]:  # noqa: ARG002  # for subclasses
        """Return a ``select()`` of the target, of the rows on which it may be asked for; by default all.

        Those that ``target.visible_to(user, ids)`` does not name are left out in any case. What is left
        out is not found, for this user.
        """
        return select(self.target)  # type: ignore[arg-type]  # an action with rows has a target

    def initial(self, ar: ActionRequest, row: Any) -> dict[str, Any]:  # noqa: ARG002  # for subclasses
        """Return what the dialog begins with, by the names of fields; it stands for parameters that are not given.

        :param row: the one row, or None where it runs on several, or on none.
        """
        return {}

    @classmethod
    def check(cls) -> None:
        """Look at what a subclass has declared; called by ``@notify.action``.

        :raises ConfigurationError: if it cannot work.
        """

    def succeeded(self, ar: ActionRequest) -> None:
        """Do what is to follow a run that has succeeded, in the same transaction."""

    @classmethod
    def run_for(
        cls,
        target: Any = None,
        *,
        user: Any,
        acting_as: Any = None,
        params: Mapping[str, Any] | None = None,
        answers: Answers = None,
        renderer: Renderer | None = None,
    ) -> ActionResponse:
        """Run it from code, with the same questions as from a page: which rows, who may, what parameters.

        Nothing is committed; what it did is all there, or nothing of it.

        :param target: an object; or an iterable of objects or keys; or nothing.
        :param user: who asks, or None for nobody.
        :param acting_as: as whom they act; their permission counts, and they are the doer.
            ``with notify.acting_as(user)`` does the same.
        :param params: values for the fields of its form; what is missing is as the dialog begins.
        :param answers: to what it asks.
        :param renderer: how it shows rows and buttons; text by default.
        :raises ActionRefused: if the user may not.
        :raises RowNotFound: if a row is not there, or the user may not see it.
        :raises UnknownParameter: if it takes no such parameter.
        :raises InvalidParameters: if the form does not take the values.
        :raises AnswerNeeded: if it asks something that was not answered.
        :return: the response; what ``run()`` raises is raised. Nothing was kept if its ``failed`` is True.
        """
        state = current_app.extensions.get("notify")
        if state is None:
            raise ConfigurationError(f"{current_app.name!r} has no Flask-Notify. Call notify.init_app(app).")
        request = state.notify.action_runner.request(user=user, acting_as=acting_as, answers=answers, renderer=renderer)
        return request.run(cls, target, params)  # type: ignore[no-any-return]  # the extension stands above


class ActionRegistry(dict[str, type[Action]]):
    """The declared actions by name."""

    def register(self, action: type[Action]) -> type[Action]:
        """Declare an action; usable as a decorator. Declaring it again replaces it.

        :raises ConfigurationError: if it lacks something, or another one has its name.
        """
        if not (isinstance(action, type) and issubclass(action, Action)):
            raise ConfigurationError(f"An action must be a subclass of Action, got {action!r}")
        _check(action)
        present = self.get(action.name)
        if present is not None and (present.__module__, present.__qualname__) != (
            action.__module__,
            action.__qualname__,
        ):
            raise ConfigurationError(
                f"An action's name must be its own, got {action.__qualname__} with the name {action.name!r}, which "
                f"{present.__qualname__} has. Set another name."
            )
        self[action.name] = action
        return action

    def find(self, action: type[Action] | str) -> type[Action]:
        """Return a declared action by its name or class.

        :raises UnknownAction: with the list of those that are declared.
        """
        name = getattr(action, "name", action)
        found = self.get(name) if isinstance(name, str) else None
        if found is None or not (isinstance(action, str) or found is action):
            raise UnknownAction(
                f"An action must be declared, got {action!r}; declared: {', '.join(sorted(self)) or 'none'}. "
                "Register it with @notify.action."
            )
        return found


def _check(action: type[Action]) -> None:
    name = action.__qualname__
    if not _NAME.fullmatch(action.name):
        raise ConfigurationError(
            "The name of an action must have 1 to 64 of a-z, 0-9, '_', '.' and '-', and begin with a letter, "
            f"got {action.name!r}. Set {name}.name."
        )
    if action.select not in ("one", "many", "none"):
        raise ConfigurationError(f"{name}.select must be 'one', 'many' or 'none', got {action.select!r}")
    if action.select != "none":
        _check_target(action)
    arguments = ("ar",) if action.select == "none" else ("ar", "row")
    _check_method(action, "permitted", arguments, "who may run it has to be said: return True where everybody may")
    _check_method(action, "run", arguments, "it is what the action does")
    _check_form(action)
    action.check()


def _check_target(action: type[Action]) -> None:
    state: Any = None if action.target is None else inspect(action.target, raiseerr=False)
    keys = getattr(state, "primary_key", ())
    if len(keys) != 1:
        raise ConfigurationError(
            f"{action.__qualname__}.target must be a model with a key of one column, got {action.target!r}. "
            "An action that needs no row has select = 'none'."
        )


def _check_method(action: type[Action], method: str, arguments: Collection[str], why: str) -> None:
    function = getattr(action, method)
    expected = f"def {method}(self, {', '.join(arguments)})"
    if function is getattr(Action, method):
        raise ConfigurationError(
            f"{action.__qualname__} must have a method {method}, got none: {why}. Write {expected}."
        )
    try:
        signature(function).bind(None, *arguments)
    except TypeError as error:
        raise ConfigurationError(
            f"{action.__qualname__}.{method} must take what an action with select = {action.select!r} is given, "
            f"got {signature(function)}. Write {expected}."
        ) from error


def _check_form(action: type[Action]) -> None:
    form: Any = action.form
    if form is None:
        return
    if not (isinstance(form, type) and issubclass(form, Form)) or issubclass(form, FlaskForm):
        raise ConfigurationError(
            f"{action.__qualname__}.form must be a subclass of wtforms.Form, got {form!r}. The token against forgery "
            "is added by itself, so it is no FlaskForm."
        )
    refused = [name for name in fields_of(form) if is_reserved(name)]
    if refused:
        raise ConfigurationError(
            f"{action.__qualname__}.form must not have the fields {', '.join(refused)}, which every action's form "
            "has already. Give them other names."
        )
