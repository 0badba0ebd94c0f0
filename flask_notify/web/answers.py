"""How an action's response reaches the user: as JSON that the page's script carries out, or by redirect and flash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from ..actions.action import Action
from ..actions.parameters import ANSWER, NEXT, ROW, Sent
from ..actions.responses import ActionResponse
from .access import safe_path, wants_json
from .csrf import hidden_fields
from .dialogs import BODY, Pairs, has_files, render_dialog, title_of, to_ask_again
from .parts import frame

_CATEGORIES = (("message", "success"), ("info_message", "info"), ("warning_message", "warning"))


@dataclass(frozen=True)
class Asked:
    """What was asked for.

    :param fields: as they were sent.
    """

    action: type[Action]
    sent: Sent
    fields: MultiDict[str, Any]

    @property
    def back(self) -> str:
        """Where to go afterwards: what the form says, else where the user was, if that is this site."""
        return safe_path(self.fields.get(NEXT, "")) or _path_before() or url_for("notify.messages")

    @property
    def hidden(self) -> Pairs:
        """What every further form of the same request has to have, too."""
        rows = [(ROW, row) for row in self.sent.rows]
        here = safe_path(self.fields.get(NEXT, ""))
        return rows if here is None else [*rows, (NEXT, here)]


def show_dialog(
    asked: Asked, form: Any, wrong: dict[str, list[str]] | None = None, message: str | None = None
) -> Response:
    """Answer with the form of an action, anew with what is wrong where it was sent already.

    :param wrong: texts by the names of fields.
    :param message: what is wrong with it as a whole.
    """
    named = {} if form is None else {field.name: field for field in form}
    errors = wrong or {}
    general = [text for name, texts in errors.items() if name not in named for text in texts]
    for name, field in named.items():
        field.errors = field.errors or errors.get(name, ())
    if message:
        general.insert(0, message)
    live = wants_json()
    body = render_dialog(asked.action, form, asked.hidden, live=live, back=asked.back, wrong=general)
    title = title_of(asked.action, form)
    if not live:
        page = render_template("notify/action.html", title=title, dialog=body, **frame())
        return Response(page, 422 if wrong else 200, mimetype="text/html")
    answer: dict[str, Any] = {"title": title, "html": {BODY: body}}
    if wrong:
        answer |= {"success": False, "errors": errors}
    if message:
        answer["message"] = message
    response = jsonify(answer)
    response.status_code = 422 if wrong else 200
    return response


def show_response(asked: Asked, response: ActionResponse, form: Any) -> ResponseReturnValue:
    """Answer with what an action says."""
    if wants_json():
        return jsonify(response.to_json())
    if response.xcallback is not None:
        return _ask(asked, response.xcallback.to_json(), form)
    for name, category in _CATEGORIES:
        text = response.html_of(name)
        if text:
            flash(text, "error" if name == "message" and response.failed else category)
    return redirect(response.goto_url or response.open_url or asked.back, 303)


def _ask(asked: Asked, question: dict[str, Any], form: Any) -> ResponseReturnValue:
    again = list(to_ask_again(form))
    return render_template(
        "notify/confirm.html",
        question=question,
        answer=f"{ANSWER}{question['id']}",
        url=url_for("notify.action", name=asked.action.name),
        csrf=hidden_fields(),
        hidden=list(_to_send_again(asked, {field.name for field, _ in again})),
        again=again,
        multipart=has_files(form),
        **frame(),
    )


def _to_send_again(asked: Asked, without: set[str]) -> Iterator[tuple[str, str]]:
    yield from asked.hidden
    for uid, answer in asked.sent.answers.items():
        yield f"{ANSWER}{uid}", answer
    for name, value in asked.sent.params.items(multi=True):
        if name not in without:
            yield name, value


def _path_before() -> str | None:
    """Return the page that the form was on, if it is one of this site, and not the form's own."""
    before = urlsplit(request.referrer or "")
    if before.netloc != request.host or before.path == request.path:
        return None
    return safe_path(f"{before.path}?{before.query}" if before.query else before.path)
