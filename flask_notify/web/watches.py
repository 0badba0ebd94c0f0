"""``POST /watches`` and the button for it: a recipient watches an object, mutes it, or does neither any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import quote

from flask import Blueprint, current_app, flash, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from sqlalchemy import inspect

from ..errors import InvalidPreference, InvalidWatch
from ..language import gettext
from ..messages import watches
from ..messages.preferences import Types, types_of
from ..messages.targets import find_visible
from ..messages.watches import Target, Watching
from ..models import Models
from ..recipient import RecipientMixin, models_of
from ..rules import MailMode
from ..watching.mixin import WatchableMixin
from .access import commit, for_recipients, go_back, refuse, settings, wants_json
from .csrf import hidden_fields, protected
from .parts import here, render_part
from .poll import current_recipient, recipient_key
from .preferences_form import mode_choices

_STATES = "flask_notify.watches"
"""The key of the environ under which is kept what the recipient watches of what a page shows."""

_MOST_AT_ONCE = 500


def add_routes(blueprint: Blueprint) -> None:
    """Add what changes a watch."""
    add: Callable[..., None] = blueprint.add_url_rule
    add("/watches", endpoint="watch", view_func=watch, methods=["POST"])
    add("/watches/remove", endpoint="unwatch", view_func=unwatch, methods=["POST"])


@for_recipients
@protected
def watch(user: RecipientMixin) -> ResponseReturnValue:
    """Watch an object, in a mode or none of its own, or mute it; one that is so already stays as it is."""
    target, mode = _target(user), request.form.get("mode")
    if target is None:
        return _refuse()
    try:
        wanted = MailMode.parse(mode or None)
    except InvalidPreference as error:
        return refuse(400, str(error))
    models, types = models_of(user), _types()
    if mode == "":  # chosen, and not left out: it is to be as in general again
        watches.unwatch(models, types, target, user)
    watches.watch(models, types, target, user, wanted)
    return _answer(user, target)


@for_recipients
@protected
def unwatch(user: RecipientMixin) -> ResponseReturnValue:
    """Watch an object no longer, and take a mute back; one that is so already stays as it is."""
    target = _target(user)
    if target is None:
        return _refuse()
    models, types = models_of(user), _types()
    watches.unmute(models, types, target, user)
    watches.unwatch(models, types, target, user)
    return _answer(user, target)


def _target(user: RecipientMixin) -> Any:
    """Return the object that the form is about; None if the user cannot watch it."""
    target = find_visible(models_of(user), user, request.form.get("target_type"), request.form.get("target_id"))
    return target if isinstance(target, WatchableMixin) else None


def _refuse() -> ResponseReturnValue:
    # The same words whether it is not there or hidden: which of the two is nobody's business.
    return refuse(404, "There is no such object to watch. Reload the page, and try again.")


def _types() -> Types:
    return types_of(settings(), current_app.extensions["notify"].notify.message_types)


def _answer(user: RecipientMixin, target: Any) -> ResponseReturnValue:
    commit(user)
    state = watches.state_of(models_of(user), target, user)
    said = _said(state)
    if not wants_json():
        flash(said)
        return go_back(url_for("notify.messages"))
    button = _render(target, state, label=request.form.get("label"), modes="modes" in request.form)
    return jsonify(success=True, message=said, html={_element_id(watches.target_named(target)): str(button)})


def _said(state: Watching | None) -> str:
    if state is None:
        return gettext("You do not watch this any more.")
    if state.muted:
        return gettext("You will hear nothing of this.")
    return gettext("You watch this: you will be told of its changes.")


def notify_watch(target: Any, label: str | None = None, *, modes: bool = False) -> Markup:
    """Return a button by which the user watches an object, or does so no longer.

    It works without JavaScript; with ``notify_actions_script()`` on the page it needs no reload. Nothing for a
    visitor who is not logged in. Many of them on one page cost one statement for each model.

    :param target: an object of a model with :class:`.WatchableMixin`.
    :param label: what it is called, for those who hear the page, where there is more than one such button.
    :param modes: whether to offer a choice of how to be told of this object, too, and to mute it.
    :raises InvalidWatch: for any other object.
    """
    user = current_recipient()
    if user is None:
        return Markup("")
    if not isinstance(target, WatchableMixin):
        raise InvalidWatch(
            f"notify_watch() is for objects of a model with WatchableMixin, got {target!r}. Write "
            f"class {type(target).__name__}(WatchableMixin, db.Model)."
        )
    return _render(target, _state(user, target), label=label, modes=modes)


def _render(target: Any, state: Watching | None, *, label: str | None, modes: bool) -> Markup:
    named = watches.target_named(target)
    mode = state.mode.value if state is not None and state.mode is not None else ""
    return render_part(
        "notify/watch.html",
        id=_element_id(named),
        named=named,
        state=state,
        mode=mode,
        label=label,
        modes=mode_choices(gettext("As in general")) if modes else None,
        # Whoever has just chosen finds what they chose, and the focus, where it was.
        open=request.method == "POST" and "mode" in request.form,
        csrf=hidden_fields(),
        here=request.form.get("next", "") if request.method == "POST" else here(),
    )


def _element_id(named: Target) -> str:
    # A key may be any text, and an element's id has no spaces.
    return f"notify-watch-{named[0]}-{quote(named[1], safe='')}"


def _state(user: RecipientMixin, target: Any) -> Watching | None:
    """Return whether a user watches an object, reading it with all others of its model that the session has."""
    key, named = recipient_key(user), watches.target_named(target)
    # Not in g: an application's tests often have many requests in one application context.
    present = request.environ.get(_STATES)
    if present is None or present[0] != key:
        present = request.environ[_STATES] = (key, {})
    known = cast("dict[Target, Watching | None]", present[1])
    if named not in known:
        models = models_of(user)
        known.update(watches.states_of(models, _beside(models, target, named), user))
    return known[named]


def _beside(models: Models, target: Any, named: Target) -> list[Target]:
    """Return the object, and those that its page shows with it: they were read before the first is shown."""
    session = inspect(target).session or models.db.session()
    alike = [other for other in session.identity_map.values() if type(other) is type(target)]
    return [named, *(watches.target_named(other) for other in alike[:_MOST_AT_ONCE])]
