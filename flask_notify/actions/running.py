"""Running an action: its rows are loaded, permission is asked, parameters are checked, and then all of it is done."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, has_request_context, request
from wtforms import Form

from .. import recipient
from ..config import Settings
from ..errors import ActionRefused, AnswerNeeded, InvalidParameters, InvalidResponse, NestedTooDeep, NotifyError
from ..language import gettext
from ..messages.message_types import unwrapped
from . import parameters, rows
from .action import Action
from .parameters import Answers
from .renderers import Renderer, TextRenderer
from .request import ActionRequest, ConfirmationNeeded, Declined
from .responses import ActionResponse
from .transactions import savepoint

MAX_DEPTH = 10
"""Actions that may run one within another."""

_log = logging.getLogger("flask_notify.actions")
_OPTIONS = frozenset({"known_values", "master_instance", "permalink_uris", "renderer"})


class _Failed(Exception):
    """The action has said so by its response: it is rolled back like one that raised."""


@dataclass(frozen=True)
class Given:
    """What a request was made with."""

    rows: Any
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Dialog:
    """An action before it is run.

    :param form: as it begins; None if there is nothing to fill in.
    """

    request: ActionRequest
    form: Form | None


class ActionRunner:
    """Runs the actions of one extension, for pages and for code alike."""

    def __init__(self, notify: Any) -> None:
        self.notify = notify

    def request(
        self,
        *,
        user: Any = None,
        acting_as: Any = None,
        answers: Answers = None,
        renderer: Renderer | None = None,
        **options: Any,
    ) -> ActionRequest:
        """Return a request of no action yet; see :meth:`.Notify.action_request`."""
        real = unwrapped(user)
        acted_as = unwrapped(acting_as) if acting_as is not None else recipient.acted_as()
        known, default = parameters.parse_answers(answers)
        request = ActionRequest(
            runner=self,
            renderer=renderer or TextRenderer(),
            user=real if acted_as is None else acted_as,
            real_user=real,
            acting_as=acted_as,
            answers=known,
            **_checked(options),
        )
        request.default_answer = default
        return request

    def spawn(self, parent: ActionRequest, spec: Any, **options: Any) -> ActionRequest:
        """Return a child of a request; see :meth:`.ActionRequest.spawn`."""
        params = options.pop("params", None)
        action, target = spec if isinstance(spec, tuple) and len(spec) == 2 else (spec, None)
        child = ActionRequest(
            runner=self,
            action=None if action is None else self.notify.actions.find(action)(),
            user=parent.user,
            real_user=parent.real_user,
            acting_as=parent.acting_as,
            answers=parent.answers,
            parent=parent,
            **{"renderer": parent.renderer, "permalink_uris": parent.permalink_uris, **_checked(options)},
        )
        if child.depth > MAX_DEPTH:
            raise NestedTooDeep(f"At most {MAX_DEPTH} actions may run one within another, got {action!r} beyond that.")
        child.given = Given(target, params or {})
        return child

    def new_response(self) -> ActionResponse:
        """Return an empty response, which knows where it may lead to."""
        return ActionResponse(self.hosts())

    def hosts(self) -> frozenset[str]:
        """Return the hosts to which a response may lead: those that are allowed, and the site's own."""
        settings: Settings = current_app.extensions["notify"].settings
        hosts = set(settings.action_hosts)
        if settings.base_url:
            hosts.add(urlsplit(settings.base_url).netloc.lower())
        if has_request_context():
            hosts.add(request.host.lower())
        return frozenset(hosts)

    def run_child(self, child: ActionRequest) -> ActionResponse:
        """Run a request that another one has spawned, and return its response.

        What it asks is asked by the one whose action runs it; from code alone there must be an answer.
        """
        if child.parent is not None and child.parent.action is not None:
            try:
                return self._run(child)
            except InvalidParameters as error:
                error.form = None  # it is not the one that the page has shown
                raise
        response = self.run(child)
        if response.xcallback is not None:
            question = response.xcallback
            raise AnswerNeeded(
                f"The action {child.action.name!r} asks {question.text!r}, and was given no answer. "
                f"Give answers={{{question.uid!r}: True}}, or False.",
                question.uid,
                question.text,
            )
        return response

    def run(self, request: ActionRequest) -> ActionResponse:
        """Run a request, and return its response: a question, where one is open.

        :raises ActionRefused: and what else :meth:`.Action.run_for` raises, but for ``AnswerNeeded``.
        """
        try:
            self._run(request)
        except ConfirmationNeeded as needed:
            request.response = self.new_response()
            request.response.update(xcallback=needed.question)
        except Declined:
            request.response = self.new_response()
            request.response.update(success=False, info_message=gettext("Nothing was changed."))
        self._log_unasked(request)
        return request.response

    def open(self, request: ActionRequest) -> Dialog:
        """Return an action's dialog as it begins. The same is asked as when it is run, and nothing is changed."""
        parameters.check_names(request.action, request.given.params)
        self._select(request, lock=False)
        return Dialog(request, parameters.fill(request.action, {**_initial(request), **request.given.params}))

    def may_run(self, request: ActionRequest, row: Any = None) -> bool:
        """Return whether an action is permitted on a row that the user sees, or at all: for its button."""
        action = request.action
        if action.select == "none":
            return bool(action.permitted(request))
        return row is None or bool(action.permitted(request, row))

    def _run(self, request: ActionRequest) -> ActionResponse:
        if request.action is None or request.started:
            raise NotifyError("A request runs one action once, got one that has none or has run. Spawn another.")
        request.started = True
        target = request.action.target
        mapped = (self.notify.models.Inbox,) if target is None else (self.notify.models.Inbox, target)
        session = self.notify.db.session()
        session.flush()  # what was changed before is not this user's doing
        try:
            with recipient.acting_as(request.user), savepoint(session, *mapped):
                self._do(request)
        except _Failed:
            if request.response.message is None and not request.response.errors:
                request.response.update(success=False, message=gettext("This did not work. Nothing was changed."))
        return request.response

    def _do(self, request: ActionRequest) -> None:
        action: Action = request.action
        parameters.check_names(action, request.given.params)
        self._select(request, lock=action.lock_rows)
        request.form = parameters.validate(action, request.given.params, _initial(request))
        request.params = {} if request.form is None else request.form.data
        request.running = True
        try:
            _call(action, request)
        finally:
            request.running = False
        if request.stopped is not None:
            raise request.stopped
        if not request.response.failed:
            request.response.update(success=True)
            action.succeeded(request)
        if request.response.failed:
            raise _Failed

    def _select(self, request: ActionRequest, *, lock: bool) -> None:
        action: Action = request.action
        request.selected = rows.load(self.notify.db.session(), request, request.given.rows, lock=lock)
        permitted = (
            action.permitted(request)
            if action.select == "none"
            else all(action.permitted(request, row) for row in request.selected)
        )
        if not permitted:
            raise ActionRefused(f"The user may not run the action {action.name!r}.")

    def _log_unasked(self, request: ActionRequest) -> None:
        unasked = set(request.answers) - set(request.asked)
        if unasked and request.response.xcallback is None:
            # Of a question that is no longer asked, since things have changed: it changes nothing.
            _log.info("The action %s did not ask %s, which was answered", request.action.name, sorted(unasked)[:5])


def _call(action: Action, request: ActionRequest) -> None:
    arguments = {"none": [], "one": request.selected, "many": [request.selected]}[action.select]
    returned: Any = action.run(request, *arguments)  # type: ignore[func-returns-value]  # which is what is checked
    if returned is not None:
        raise InvalidResponse(
            f"{type(action).__qualname__}.run() must return nothing, got {returned!r:.100}. "
            "Answer by ar.success() or ar.set_response()."
        )


def _initial(request: ActionRequest) -> dict[str, Any]:
    action: Action = request.action
    if action.form is None:
        return {}
    return action.initial(request, request.selected[0] if action.select == "one" else None)


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise NotifyError(f"A request takes {', '.join(sorted(_OPTIONS))}; got {', '.join(unknown)}.")
    return options
