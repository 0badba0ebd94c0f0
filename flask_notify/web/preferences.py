"""``/preferences``: how a recipient wants to be told, of what, and by whom and of what not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from flask import Blueprint, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from ..language import gettext, languages
from ..messages import watches
from ..messages.message_types import Registry, name_of
from ..messages.preferences import types_of
from ..messages.targets import find_visible
from ..models import Models
from ..object_names import label_of
from ..pushing.preferences import own_opinions
from ..recipient import RecipientMixin, models_of
from ..rules import MailMode
from .access import commit, for_recipients, settings
from .desktop import pushes
from .poll import recipient_key
from .preferences_form import OPINIONS, Offer, PreferencesForm, make_form, sent_for

_MOST_MUTED = 50
"""Muted objects that the page lists; the others are unmuted where they are shown."""

_SETTINGS = ("timezone", "locale", "notify_myself", "muted")


def add_routes(blueprint: Blueprint) -> None:
    """Add the page, and its form."""
    add: Callable[..., None] = blueprint.add_url_rule
    add("/preferences", endpoint="preferences", view_func=preferences, methods=["GET", "POST"])


@dataclass(frozen=True)
class _Stored:
    """What a recipient has chosen so far.

    :param settings: as the form has them: an empty text is no opinion.
    :param modes: the modes that are set per type.
    :param pushes: likewise, what is to be pushed.
    :param blocked: the blocked senders, by their keys as text.
    :param muted: the muted objects, by their models and keys as text.
    """

    settings: dict[str, Any]
    modes: dict[str, str]
    pushes: dict[str, bool]
    blocked: dict[str, Any]
    muted: dict[str, Any]


@for_recipients
def preferences(user: RecipientMixin) -> ResponseReturnValue:
    """Show the form, and store what has changed."""
    types = cast(Registry, current_app.extensions["notify"].notify.message_types)
    allowed = [kind for _, kind in sorted(types.items()) if kind.allowed(user)]
    stored = _stored(user)
    offer = Offer(
        [kind for kind in allowed if not kind.critical],
        languages(),
        settings().timezone,
        [(key, name_of(sender)) for key, sender in stored.blocked.items()],
        [(key, label_of(target)) for key, target in stored.muted.items()],
        push=pushes(),
    )
    form = make_form(offer, stored.settings, stored.modes, stored.pushes)
    if form.form.validate_on_submit():
        _store(user, form, stored)
        flash(gettext("Your preferences are saved."))
        return redirect(url_for("notify.preferences"), 303)
    critical = [kind.title() for kind in allowed if kind.critical]
    page = render_template("notify/preferences.html", form=form.form, types=form.types, critical=critical, _=gettext)
    return page, 400 if form.form.is_submitted() else 200


def _stored(user: RecipientMixin) -> _Stored:
    models, key = models_of(user), recipient_key(user)
    connection = models.db.session.connection(bind_arguments={"clause": models.inbox})
    inbox, preference = models.inbox.c, models.preference.c
    names = ("mail_mode", "timezone", "locale", "notify_myself", "widget_hidden", "muted", "desktop", "push")
    mine = select(*(inbox[name] for name in names)).where(inbox.recipient_id == key)
    row: Any = connection.execute(mine).one_or_none() or (None, None, None, False, False, False, None, None)
    mode, zone, locale, myself, hidden, muted, desktop, push = row
    chosen = select(preference.type, preference.mail_mode).where(preference.recipient_id == key)
    return _Stored(
        {
            "mail_mode": mode or "",
            "timezone": zone or "",
            "locale": locale or "",
            "notify_myself": myself,
            "widget_shown": not hidden,
            "muted": muted,
            "desktop": desktop is not False,
            "push": sent_for(push),
        },
        {name: mode for name, mode in connection.execute(chosen)},
        {name: wanted for (_, name), wanted in own_opinions(connection, models, [key]).items()},
        _blocked(models, key),
        _muted(models, user),
    )


def _blocked(models: Models, key: Any) -> dict[str, Any]:
    User, block = models.user_mapper.class_, models.block.c
    theirs = select(block.sender_id).where(block.recipient_id == key)
    senders = models.db.session.scalars(select(User).where(models.key_column.in_(theirs)))
    return {str(recipient_key(sender)): sender for sender in senders}


def _muted(models: Models, user: RecipientMixin) -> dict[str, Any]:
    watch = models.watch.c
    mine = (watch.recipient_id == recipient_key(user), watch.mail_mode == MailMode.SILENT.value)
    query = select(watch.target_type, watch.target_id).where(*mine).limit(_MOST_MUTED)
    rows = models.db.session.execute(query, bind_arguments={"clause": models.inbox})
    found = {f"{kind} {key}": find_visible(models, user, kind, key) for kind, key in rows.all()}
    # Of one that they may not see any more they hear nothing anyway, least of all its name.
    return {key: target for key, target in found.items() if target is not None}


def _store(user: RecipientMixin, form: PreferencesForm, stored: _Stored) -> None:
    """Set what has changed, and nothing else: a change of mode moves the mail that waits."""
    given, before = form.form.data, stored.settings
    if given["mail_mode"] != before["mail_mode"]:
        user.set_mail_mode(given["mail_mode"] or None)
    for name, mode in form.modes().items():
        if mode != stored.modes.get(name, ""):
            user.set_mail_mode(mode or None, type=name)
    for name, wanted in form.pushes().items():
        if wanted is not stored.pushes.get(name):
            user.set_push(wanted, type=name)
    changed = {name: given[name] for name in _SETTINGS if name in given and given[name] != before[name]}
    if given["widget_shown"] != before["widget_shown"]:
        changed["widget_hidden"] = not given["widget_shown"]
    if given["desktop"] != before["desktop"]:
        changed["desktop"] = given["desktop"]
    if given.get("push", before["push"]) != before["push"]:
        user.set_push(OPINIONS[given["push"]])
    user.set_notify_preferences(**{name: None if value == "" else value for name, value in changed.items()})
    _take_back(user, given, stored)
    commit(user)


def _take_back(user: RecipientMixin, given: dict[str, Any], stored: _Stored) -> None:
    for key in given.get("unblock") or ():
        user.unblock_sender(stored.blocked[key])
    for key in given.get("unmute") or ():
        types = types_of(settings(), current_app.extensions["notify"].notify.message_types)
        watches.unmute(models_of(user), types, stored.muted[key], user)
