"""Who may see what is told of: a model says so by ``visible_to`` (row B11), and who may not is not told.

What was told once stays, also when its object is gone and nobody can be asked any more. So it is asked before it
is told: of an object that is deleted before it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from flask import has_app_context
from sqlalchemy import inspect
from sqlalchemy.orm import Session

from .. import emission
from ..messages import fanout, watch_rows
from ..messages.watches import WatchChange, target_named
from ..models import Models, RecipientKey

_BATCH = 1_000
_SEEN_BY = "_flask_notify_seen_by"


class Sight:
    """Which recipients may see which objects; asked once for each model and recipient.

    :param session: whose transaction it is; models are asked in it, also where it is not the application's own.
    """

    def __init__(self, session: Session, models: Models) -> None:
        self._session = session
        self._models = models
        self._visible: dict[tuple[type[Any], RecipientKey], set[Any]] = {}

    def ask(self, wanted: Iterable[tuple[Any, Iterable[RecipientKey]]]) -> None:
        """Ask the models whether recipients may see objects.

        :param wanted: objects that are stored, each with the keys of those who are to be told of it.
        """
        asked: dict[tuple[type[Any], RecipientKey], set[Any]] = {}
        for instance, keys in wanted:
            if has_judge(instance):
                for key in keys:
                    asked.setdefault((type(instance), key), set()).add(_identity(instance))
        users = self._users(list({key: None for _, key in asked}))
        with _current(self._models, self._session):
            for (model, key), ids in asked.items():
                user = users.get(key)
                seen = set() if user is None else set(model.visible_to(user, ids)) & ids
                self._visible.setdefault((model, key), set()).update(seen)

    def sees(self, key: RecipientKey, instance: Any) -> bool:
        """Return whether a recipient may see an object, of whom and of which it was asked."""
        if not has_judge(instance):
            return True
        return _identity(instance) in self._visible.get((type(instance), key), ())

    def _users(self, keys: Sequence[RecipientKey]) -> dict[RecipientKey, Any]:
        users: dict[RecipientKey, Any] = {}
        for start in range(0, len(keys), _BATCH):
            users |= fanout.users_by_key(self._session, self._models, keys[start : start + _BATCH])
        return users


def has_judge(instance: Any) -> bool:
    """Return whether the model of an object says who may see it."""
    return getattr(type(instance), "visible_to", None) is not None


def ask_before_deletion(session: Session, models: Models | None, instance: Any) -> dict[RecipientKey, bool]:
    """Return which watchers of an object that is about to be deleted, or of its owner, may see it.

    With the first of them all are asked for that the session is about to delete.
    """
    if models is None or not has_judge(instance) or not has_app_context():
        return {}
    if _SEEN_BY not in vars(instance):
        together = [one for one in session.deleted if type(one) is type(instance)]
        _ask_for_all(session, models, together if instance in together else [instance])
    answers: dict[RecipientKey, bool] = vars(instance).pop(_SEEN_BY)
    return answers


def _ask_for_all(session: Session, models: Models, instances: Sequence[Any]) -> None:
    owners = [instance.get_change_owner() for instance in instances]
    about = [
        {target_named(one) for one in (instance, owner) if one is not None}
        for instance, owner in zip(instances, owners, strict=True)
    ]
    connection = session.connection(bind_arguments={"clause": models.inbox})
    watchers = watch_rows.watchers_of(connection, models, set().union(*about))
    for change in emission.pending(session):
        if isinstance(change, WatchChange) and change.models is models:
            watchers.setdefault(change.target, []).append((change.key, None))
    theirs = [{key for target in targets for key, _ in watchers.get(target, ())} for targets in about]
    sight = Sight(session, models)
    sight.ask(zip(instances, theirs, strict=True))
    for instance, keys in zip(instances, theirs, strict=True):
        vars(instance)[_SEEN_BY] = {key: sight.sees(key, instance) for key in keys}


def _identity(instance: Any) -> Any:
    return inspect(instance).identity[0]


@contextmanager
def _current(models: Models, session: Session) -> Iterator[None]:
    """Let the application's own session be this one, so that its models look at what is being committed."""
    registry: Any = models.db.session.registry
    before = registry() if registry.has() else None
    if before is session:
        yield
        return
    registry.set(session)
    try:
        yield
    finally:
        if before is None:
            registry.clear()
        else:
            registry.set(before)
