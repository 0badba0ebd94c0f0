"""What a model whose objects are watched can do, and what it may decide of what is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from flask import current_app
from markupsafe import Markup

from .. import recipient
from ..errors import ConfigurationError
from ..language import gettext
from ..messages import preferences, watches
from ..models import Models
from ..rules import MailMode
from .changes import Change
from .labels import doer_of
from .noticing import listen
from .telling import read_in_bulk, tell, watchers_of


class WatchableMixin:
    """Makes a model one whose objects can be watched: ``class Post(WatchableMixin, db.Model)`` (rows E1 to E3).

    When a transaction commits that has created, modified or deleted an object, whoever watches it
    gets one message with a summary, wherever the change was made: in a view, a shell, a command or
    a job. It adds no column. The model needs a primary key of one column.
    """

    __watch__: ClassVar[Iterable[str] | None] = None
    """The attributes of which is told that they have changed: columns, many-to-one relationships and plain
    collections. None is all columns but keys and timestamps; foreign keys are among them."""

    __watch_secret__: ClassVar[Iterable[str]] = ()
    """Those of which neither value nor length is told. What is called like a password, a token or a secret is
    one of them whether it stands here or not."""

    def watch(self, user: Any, mail_mode: MailMode | str | None = None) -> None:
        """Let a user be told of what becomes of this object, from the commit on.

        An object that was only just added is flushed.

        :param mail_mode: the user's own for this object; None leaves the one that they have chosen before, if any.
        :raises InvalidWatch: for what is no stored user.
        :raises InvalidPreference: if there is no such mode.
        """
        models = _models_of(self)
        watches.watch(models, _types(), self, user, mail_mode)

    def add_change_watcher(self, user: Any) -> None:
        """Do as :meth:`watch` does (Lino's name for it)."""
        self.watch(user)

    def unwatch(self, user: Any) -> None:
        """Let a user be told of this object no more, from the commit on; a mute stays.

        :raises InvalidWatch: for what is no stored user.
        """
        watches.unwatch(_models_of(self), _types(), self, user)

    def mute(self, user: Any) -> None:
        """Let a user hear nothing about this object, whatever the type of message, from the commit on.

        :raises InvalidWatch: for what is no stored user.
        """
        watches.mute(_models_of(self), _types(), self, user)

    def unmute(self, user: Any) -> None:
        """Take a mute back, from the commit on; the user does not watch the object then.

        :raises InvalidWatch: for what is no stored user.
        """
        watches.unmute(_models_of(self), _types(), self, user)

    def is_watched_by(self, user: Any) -> bool:
        """Return whether a user watches this object and has not muted it, with what waits for the commit."""
        return watches.is_watched_by(_models_of(self), self, user)

    def is_muted_by(self, user: Any) -> bool:
        """Return whether a user has muted this object, with what waits for the commit."""
        return watches.is_muted_by(_models_of(self), self, user)

    @property
    def watchers(self) -> list[Any]:
        """The users who watch this object and have not muted it, with what waits for the commit."""
        return watchers_of(_models_of(self), self)

    def get_change_subject(self, doer: Any, change: Change) -> str | None:
        """Return what is told in one line, in the language that is current. Override it to say something else.

        :param doer: the user who has done it, or None.
        :return: None or an empty text to tell nobody.
        """
        return str(_subject(doer, change))

    def get_change_body(self, doer: Any, change: Change) -> str | Markup | None:
        """Return what is told as a whole: for a modification who has done it, and :meth:`get_change_info` as a list.

        :param doer: the user who has done it, or None.
        :return: a plain text, ``Markup`` of limited rich text, or None for none.
        """
        if change.kind != "modified":
            return None
        lines = Markup("").join(Markup("<li>{}</li>").format(line) for line in self.get_change_info(change))
        return Markup("<p>{}</p><ul>{}</ul>").format(_sentence(doer, change), lines)

    def get_change_info(self, change: Change) -> list[str | Markup]:
        """Return the lines of the summary, each a plain text or ``Markup``: what is plain is escaped."""
        return [str(field) for field in change.fields]

    def get_change_owner(self) -> Any:
        """Return the object that the message is about, and whose watchers are told if this one has none: itself."""
        return self

    @read_in_bulk
    def get_change_observers(self) -> Any:
        """Return whom to tell: users, pairs of a user and a mail mode, or a ``select()`` of keys.

        By default they are those who watch this object, or, where there are none, its owner. Who does it is not
        told, whoever is returned.
        """
        models = _models_of(self)
        own = watchers_of(models, self)
        owner = self.get_change_owner()
        return own if own or owner is self or owner is None else watchers_of(models, owner)

    def get_notify_message_type(self) -> str | None:
        """Return the name of the type that the message is of, ``change`` or a subclass's; None to tell nobody."""
        return "change"

    def get_change_url(self) -> str | None:
        """Return where the message leads to: a path of this site, or http(s). It is not asked of what is deleted."""
        return None


listen(WatchableMixin, tell)


def _subject(doer: Any, change: Change) -> str:
    if doer is None:
        return {
            "created": gettext("%(object)s was created", object=change.label),
            "modified": gettext("%(object)s was modified", object=change.label),
            "deleted": gettext("%(object)s was deleted", object=change.label),
        }[change.kind]
    user = doer_of(doer)
    return {
        "created": gettext("%(user)s created %(object)s", user=user, object=change.label),
        "modified": gettext("%(user)s modified %(object)s", user=user, object=change.label),
        "deleted": gettext("%(user)s deleted %(object)s", user=user, object=change.label),
    }[change.kind]


def _sentence(doer: Any, change: Change) -> str:
    if doer is None:
        return gettext("%(object)s has been modified:", object=change.label)
    return gettext("%(object)s has been modified by %(user)s:", object=change.label, user=doer_of(doer))


def _models_of(instance: Any) -> Models:
    found = recipient.find_models(type(instance).__fsa__)
    if found is None:
        raise ConfigurationError(
            f"{type(instance).__name__} can be watched by users of a model with RecipientMixin, got none on its db. "
            "Write class User(RecipientMixin, UserMixin, db.Model), and import its module."
        )
    return found


def _types() -> preferences.Types:
    state = current_app.extensions["notify"]
    return preferences.types_of(state.settings, state.notify.message_types)
