"""The request to run an action: who asks, on which rows, with what, and what is answered (rows F2 and F3)."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from flask import current_app
from markupsafe import Markup
from sqlalchemy import inspect

from ..errors import InvalidQuestion
from ..visibility import visible_keys
from .renderers.base import Renderer, url_of
from .responses import ActionResponse, Question, text_of

_UID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_log = logging.getLogger("flask_notify.actions")


class ConfirmationNeeded(BaseException):
    """A question has no answer yet. It ends the run; no ``except Exception`` of an action's own may keep it."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.uid)
        self.question = question


class Declined(BaseException):
    """A question was answered with no; it ends the run likewise."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.uid)
        self.question = question


class Runner(Protocol):
    """What a request needs to run further actions."""

    @property
    def notify(self) -> Any:
        """The extension."""

    def new_response(self) -> ActionResponse:
        """Return an empty response."""

    def spawn(self, parent: ActionRequest, spec: Any, **options: Any) -> ActionRequest:
        """Return a child request."""

    def run_child(self, child: ActionRequest) -> ActionResponse:
        """Run a child request."""


@dataclass(eq=False)
class ActionRequest:
    """Somebody asks for an action. It is the ``ar`` that all methods of an action get.

    Outside an action, ``notify.action_request(user=…)`` makes one, to show things and to run actions.
    """

    runner: Runner
    renderer: Renderer
    action: Any = None
    """The action that runs, or None."""
    user: Any = None
    """The user whose permission counts: the one acted as, else who asks; None is anonymous."""
    real_user: Any = None
    """The user who really asks."""
    acting_as: Any = None
    """The user as whom they act, or None."""
    selected: list[Any] = field(default_factory=list)
    """The rows on which it runs."""
    params: dict[str, Any] = field(default_factory=dict)
    """The validated values of the action's form, by the names of its fields."""
    form: Any = field(default=None, init=False)
    """The action's form, filled in; None if it has none."""
    answers: dict[str, bool] = field(default_factory=dict)
    """The answers that were given, by the uid of the question."""
    parent: ActionRequest | None = None
    """The request whose action runs this one."""
    known_values: dict[str, Any] = field(default_factory=dict)
    """What new objects are made with."""
    master_instance: Any = None
    """The object to which new ones belong."""
    permalink_uris: bool = False
    """Whether links are to be whole addresses, for a mail."""
    asked: dict[str, Question] = field(default_factory=dict, init=False)
    response: ActionResponse = field(init=False)
    """What it answers."""
    default_answer: bool | None = field(default=None, init=False)
    given: Any = field(default=None, init=False)
    started: bool = field(default=False, init=False)
    running: bool = field(default=False, init=False)
    stopped: BaseException | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.response = self.runner.new_response()
        if self.parent is not None:
            self.default_answer = self.parent.default_answer
            if self.parent.action is not None:
                self.asked = self.parent.asked

    # What it answers

    def set_response(self, **keys: Any) -> None:
        """Set keys of the response. Their order does not matter; of one key the last value counts.

        :param keys: see :doc:`/reference/responses`; None leaves a key as it is.
        :raises UnknownResponseKey: with the list of those that there are.
        :raises InvalidResponse: if a value is not what its key expects.
        """
        self.response.update(**keys)

    def success(self, message: Any = None, alert: bool | str | None = None, **keys: Any) -> None:
        """Say that it was done, in a sentence for the user.

        An action that sets nothing has succeeded, too.
        """
        self.response.update(success=True, message=message, alert=alert, **keys)

    def error(self, error: Any = None, message: Any = None, **keys: Any) -> None:
        """Say that it failed. All that it did is rolled back when it ends, whatever it says further.

        :param error: an exception, or a text. Both are text: nothing of them becomes HTML.
        :param message: a text in place of it; limited rich text if it is ``Markup``.
        """
        if message is None and error is not None:
            message = str(error)
        self.response.update(success=False, message=message, **keys)

    def info(self, text: Any) -> None:
        """Tell the user something further. Several add up."""
        self._add("info_message", text)

    def warning(self, text: Any) -> None:
        """Warn the user. Several add up."""
        self._add("warning_message", text)

    def debug(self, text: Any) -> None:
        """Tell the developer something: it is logged, and shown while the application debugs."""
        _log.debug("%s", text)
        if current_app.debug:
            self._add("debug_message", text)

    def _add(self, key: str, text: Any) -> None:
        before = getattr(self.response, key)
        added = text_of(text)
        self.response.update(**{key: added if before is None else before + "\n" + added})

    def close_window(self) -> None:
        """Let the page close the dialog from which it was run."""
        self.response.update(close_window=True)

    def goto_instance(self, obj: Any, **keys: Any) -> None:
        """Let the page go to the page of an object, if there is one and the user may see it.

        The page is what the object's ``get_absolute_url()`` returns, or its ``notify_url``.
        """
        state: Any = inspect(obj)
        if state.identity is None and state.session is not None:
            state.session.flush()  # one that was only just made has a page, too
        key = state.identity
        if key is not None and key[0] in visible_keys(type(obj), self.user, [key[0]]):
            self.response.update(record_id=key[0], goto_url=url_of(obj))
        self.response.update(**keys)

    def goto_pk(self, pk: Any, **keys: Any) -> None:
        """Let the page go to the record with a key, where it shows one. Nothing is looked up, and nobody is asked."""
        self.response.update(record_id=pk, **keys)

    # What it asks

    def confirm(self, *texts: Any, uid: str) -> None:
        """Ask the user to confirm; returns once they have said yes.

        Without an answer the action ends here, and all that it did is rolled back. The page asks, and the
        action runs anew, from its beginning, with the answer. So ask before you do what no rollback
        takes back, such as a call to another server. After a "no" nothing is changed.

        :param texts: the question; several are put together by lines. It is shown as text.
        :param uid: 1 to 64 letters, digits, ``-`` and ``_``: by what the answer is found. Where the
            question is about something that may change meanwhile, let it be part of the uid.
        :raises InvalidQuestion: if it is none, or two different questions have one uid; and outside ``run()``.
        """
        if not self.running:
            raise InvalidQuestion(f"A question can be asked while an action runs, got {uid!r} before or after it.")
        question = self._question(uid, "\n".join(str(_plain(text)) for text in texts))
        answer = self.answers.get(question.uid, self.default_answer)
        if answer is None:
            self._stop(ConfirmationNeeded(question))
        if not answer:
            self._stop(Declined(question))

    def _question(self, uid: str, text: str) -> Question:
        if not isinstance(uid, str) or not _UID.fullmatch(uid):
            raise InvalidQuestion(
                f"The uid of a question must have 1 to 64 of A-Z, a-z, 0-9, '_' and '-', got {uid!r}: when the "
                "action runs anew, its answer is found by that."
            )
        if not text:
            raise InvalidQuestion(f"The question {uid!r} must have a text.")
        question = Question(self.scope + uid, "" if self.action is None else str(self.action.label), text)
        before = self.asked.setdefault(question.uid, question)
        if before.text != text:
            raise InvalidQuestion(
                f"Two different questions must have two uids, got {uid!r} for {before.text!r} and for {text!r}: "
                "one answer would count for both. Put what they are about into the uid."
            )
        return question

    def _stop(self, how: BaseException) -> None:
        # Found by the runner also where somebody caught everything. A "no" may be caught by who runs this one.
        request: ActionRequest | None = self
        while request is not None:
            request.stopped = how
            request = request.parent if isinstance(how, ConfirmationNeeded) else None
        raise how

    @property
    def scope(self) -> str:
        """What the uids of this request's questions begin with: empty, unless another one runs it.

        A child's are told apart by its action and its rows, so that no answer is taken for another.
        """
        if self.parent is None or self.parent.action is None:
            return ""
        keys = ",".join(quote(str(inspect(row).identity[0]), safe="").replace(".", "%2E") for row in self.selected)
        return f"{self.parent.scope}{self.action.name}:{keys}/"

    def set_confirm_answer(self, answer: bool) -> None:
        """Answer all further questions of this request and of those that it runs: for a shell, or a test."""
        self.default_answer = answer

    # What it runs

    def spawn(self, spec: Any = None, **options: Any) -> ActionRequest:
        """Return a child request. It has this one's user, acting-as, renderer and answers, and a response of its own.

        :param spec: an action's class or name; or a pair of that and an object, or objects; None for no action.
        :param options: ``params``, ``known_values``, ``master_instance``, ``renderer`` and ``permalink_uris``.
        :raises UnknownAction: if it was not declared.
        """
        return self.runner.spawn(self, spec, **options)

    def run(self, action: Any = None, target: Any = None, params: Mapping[str, Any] | None = None) -> ActionResponse:
        """Run an action in a child request, and return its response; this one's own stays as it is.

        The same is asked as of any request: rows, permission, parameters. What the child asks the user is
        asked on this request's page; then all of it runs anew. A child that fails has changed nothing.

        :param action: its class or name; or a pair of that and an object, or objects. Without it the
            request itself is run, which :meth:`spawn` has made.
        :param target: an object, or objects, or their keys.
        :raises ActionRefused: and all that :meth:`.Action.run_for` raises.
        """
        if action is None:
            return self.runner.run_child(self)
        spec = action if target is None else (action, target)
        return self.runner.run_child(self.runner.spawn(self, spec, params=params))

    @property
    def depth(self) -> int:
        """How many requests run this one."""
        return 0 if self.parent is None else self.parent.depth + 1

    # What it shows

    def show(self, spec: Any, column_names: Any = None, master_instance: Any = None, **options: Any) -> Any:
        """Show rows as a table, a list or a summary; see :doc:`/howto/rendering`."""
        return self.renderer.show(self, spec, column_names, master_instance, **options)

    def obj2html(self, obj: Any, text: str | None = None, **attributes: Any) -> Markup:
        """Return a link to an object, or its text where it has no page."""
        return self.renderer.obj2html(self, obj, text, **attributes)

    def obj2str(self, obj: Any) -> str:
        """Return an object's text."""
        return self.renderer.obj2str(self, obj)

    def data_record(self, obj: Any, **options: Any) -> dict[str, Any]:
        """Return one record, with ``id``, ``title``, ``data``, ``navinfo`` and ``disable_delete``."""
        return self.renderer.data_record(self, obj, **options)

    def create_instance(self, model: type[Any], **values: Any) -> Any:
        """Return a new object with the known values, which belongs to the master; it is not added to the session."""
        return self.renderer.create_instance(self, model, **values)

    def action_button(self, action: Any, row: Any = None, **options: Any) -> Any:
        """Return a button that runs an action, on a row."""
        return self.renderer.action_button(self, action, row, **options)

    def ar2button(self, **options: Any) -> Any:
        """Return a button that runs this request."""
        return self.renderer.ar2button(self, **options)

    def as_button(self, **options: Any) -> Any:
        """Return the same as :meth:`ar2button`, by Lino's other name."""
        return self.ar2button(**options)

    def row_action_button(self, row: Any, **options: Any) -> Any:
        """Return a button that runs this request's action on a row."""
        return self.renderer.row_action_button(self, row, **options)

    def is_obvious_field(self, name: str, model: Any = None) -> bool:
        """Whether a field is the same in all rows: it is among the known values, or points at the master.

        :param model: of the rows; the default is the action's target.
        """
        return self.renderer.is_obvious_field(self, name, model)


def _plain(text: Any) -> str:
    return text.striptags() if isinstance(text, Markup) else str(text)
