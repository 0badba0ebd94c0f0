"""What :class:`.Notify` has of actions: they are declared on it, and run by it."""

from __future__ import annotations

from typing import Any, TypeVar

from . import transactions
from .action import Action, ActionRegistry
from .parameters import Answers
from .renderers.base import Renderer
from .request import ActionRequest
from .running import ActionRunner

_Action = TypeVar("_Action", bound="type[Action]")


class Actions:
    """The declared actions, and what runs them."""

    def __init__(self) -> None:
        super().__init__()
        self.actions = ActionRegistry()
        self.action_runner = ActionRunner(self)
        transactions.listen()

    def action(self, kind: _Action) -> _Action:
        """Declare an action: ``@notify.action`` on a subclass of :class:`.Action`, before or after ``init_app``.

        :raises ConfigurationError: if it lacks something, or another action has its name.
        """
        self.actions.register(kind)
        return kind

    def action_request(
        self,
        *,
        user: Any = None,
        acting_as: Any = None,
        answers: Answers = None,
        renderer: Renderer | None = None,
        **options: Any,
    ) -> ActionRequest:
        """Return a request, for a shell, a job or a test: to run actions, and to show things.

        .. code-block:: python

            ar = notify.action_request(user=susan)
            ar.set_confirm_answer(True)
            ar.run(CloseThread, thread).message

        :param user: who asks, or None for nobody.
        :param acting_as: as whom they act; None is as ``notify.acting_as()`` says, else as themselves.
        :param answers: to what actions ask.
        :param renderer: how it shows rows and buttons; text by default.
        :param options: ``known_values``, ``master_instance`` and ``permalink_uris``.
        """
        return self.action_runner.request(user=user, acting_as=acting_as, answers=answers, renderer=renderer, **options)
