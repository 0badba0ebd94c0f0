"""``/actions/<name>``: a declared action is run by POST, and shows its dialog by GET (rows F1, F3 and F4)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from flask import Blueprint, abort, current_app, flash, got_request_exception, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from ..actions.parameters import NEXT, RESERVED, ROW, check_names, read
from ..actions.request import ActionRequest
from ..actions.running import ActionRunner
from ..errors import ActionRefused, InvalidParameters, RowNotFound, UnknownAction, UnknownParameter
from ..language import gettext
from ..recipient import RecipientMixin
from .access import for_recipients, wants_json
from .answers import Asked, show_dialog, show_response
from .buttons import renderer
from .csrf import protected
from .poll import current_recipient

_NAME = "string(maxlength=64)"
_log = logging.getLogger("flask_notify.actions")


def add_routes(blueprint: Blueprint) -> None:
    """Add the resource of the actions."""
    add: Callable[..., None] = blueprint.add_url_rule
    add(f"/actions/<{_NAME}:name>", endpoint="action", view_func=action, methods=["GET", "POST"])


def action(name: str) -> ResponseReturnValue:
    """Run an action, or show its dialog."""
    if request.method != "POST":
        return _dialog(name=name)
    if current_recipient() is None and not wants_json():
        # After the login one is sent to the dialog: a POST cannot be repeated.
        path = url_for("notify.action", name=name, row=request.form.getlist(ROW), next=request.form.get(NEXT))
        return redirect(path, 303)
    return _run(name=name)


@for_recipients
def _dialog(user: RecipientMixin, name: str) -> ResponseReturnValue:
    return _guarded(_open, user, name, request.args)


@for_recipients
@protected
def _run(user: RecipientMixin, name: str) -> ResponseReturnValue:
    fields: MultiDict[str, Any] = MultiDict(request.form.items(multi=True))
    fields.update(MultiDict(request.files.items(multi=True)))
    return _guarded(_carry_out, user, name, fields)


def _guarded(
    answer: Callable[[ActionRequest, Asked], ResponseReturnValue],
    user: RecipientMixin,
    name: str,
    fields: MultiDict[str, Any],
) -> ResponseReturnValue:
    """Answer, with what can go wrong told as the user can understand it; nothing is kept then."""
    try:
        asked = _asked(name, fields)
        ar = _request(user, asked)
    except (UnknownAction, UnknownParameter) as error:
        unknown = isinstance(error, UnknownAction)
        return _refuse(404, gettext("There is no such action.")) if unknown else _refuse(400, str(error))
    try:
        return answer(ar, asked)
    except RowNotFound:
        return _refuse(404, gettext("What this is about does not exist, or not any more."))
    except ActionRefused:
        return _refuse(403, gettext("You may not do this."))
    except HTTPException as error:
        return _pass_on(error)
    except Exception as error:  # noqa: BLE001  # whatever an action raises: the page must not see it
        return _fail(name, error)


def _open(ar: ActionRequest, asked: Asked) -> ResponseReturnValue:
    try:
        dialog = _runner().open(ar)
    except InvalidParameters as error:  # no row was selected
        return _tell_wrong(asked, error.errors)
    return show_dialog(asked, dialog.form)


def _carry_out(ar: ActionRequest, asked: Asked) -> ResponseReturnValue:
    session = _runner().notify.db.session
    try:
        response = _runner().run(ar)
    except InvalidParameters as error:
        session.rollback()
        # What it runs may have been given wrong parameters, too: that is not what its own form asks for.
        own = error.form is not None and ar.form is None and type(error.form) is asked.action.form
        return show_dialog(asked, error.form, error.errors) if own else _tell_wrong(asked, error.errors)
    if response.failed or response.xcallback is not None:
        session.rollback()
    else:
        session.commit()
    if not response.errors:
        return show_response(asked, response, ar.form)
    message: str | None = response.to_json().get("message")
    if ar.form is None:
        return _tell_wrong(asked, {"": [message or ""], **response.errors})
    return show_dialog(asked, ar.form, response.errors, message)


def _tell_wrong(asked: Asked, errors: Mapping[str, Sequence[str]]) -> ResponseReturnValue:
    """Answer what is wrong where no form has a place for it."""
    text = "\n".join(text for texts in errors.values() for text in texts if text)
    if wants_json():
        return _as_json(422, text)
    flash(text, "error")
    return redirect(asked.back, 303)


def _asked(name: str, fields: MultiDict[str, Any]) -> Asked:
    found = _runner().notify.actions.find(name)
    ours = RESERVED | {str(current_app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token"))}
    sent = read(fields, ours=ours)
    if request.method != "POST" and (sent.params or sent.answers):
        given = ", ".join([*sent.params, *sent.answers])
        raise UnknownParameter(f"The dialog of {name!r} takes {ROW} and {NEXT}; got {given:.200}. Send these by POST.")
    return Asked(found, sent, fields)


def _request(user: RecipientMixin, asked: Asked) -> ActionRequest:
    check_names(asked.action, asked.sent.params)
    asking = _runner().request(user=user, answers=asked.sent.answers, renderer=renderer())
    return asking.spawn((asked.action, asked.sent.rows), params=asked.sent.params)


def _pass_on(error: HTTPException) -> ResponseReturnValue:
    """Answer as an action wants by ``abort()``: with the application's own page for that status."""
    _forget()
    if error.code is None or error.code < 400 or not wants_json():
        raise error
    return _as_json(error.code, str(error.description))


def _fail(name: str, error: Exception) -> ResponseReturnValue:
    """Log an exception, and tell the user nothing but by which reference it is found in the log."""
    _forget()
    reference = secrets.token_hex(4)
    _log.error("The action %s has failed, reference %s", name, reference, exc_info=error)
    # As Flask does for what it catches itself: this is how error trackers are told.
    got_request_exception.send(cast(Any, current_app)._get_current_object(), exception=error)
    return _refuse(500, gettext("Something went wrong. Nothing was changed. Reference %(number)s", number=reference))


def _refuse(status: int, message: str) -> ResponseReturnValue:
    _forget()
    if not wants_json():
        abort(status, description=message)
    return _as_json(status, message)


def _as_json(status: int, message: str) -> Response:
    response = jsonify(success=False, message=message)
    response.status_code = status
    return response


def _forget() -> None:
    _runner().notify.db.session.rollback()


def _runner() -> ActionRunner:
    return cast(ActionRunner, current_app.extensions["notify"].notify.action_runner)
