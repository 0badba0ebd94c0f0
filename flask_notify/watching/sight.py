"""Who may see what is told of: a model says so by ``visible_to`` (row B11), and who may not is not told.

What was told once stays, also when its object is gone and nobody can be asked any more. So it is asked before it
is told: of an object that is deleted before it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from flask import has_app_context
from sqlalchemy import inspect
from sqlalchemy.orm import Session

from .. import emission
from ..messages import fanout, watch_rows
from ..messages.watches import WatchChange, target_named
from ..models import Models, RecipientKey
from ..visibility import is_limited, visible_keys

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
            if is_limited(type(instance)):
                for key in keys:
                    asked.setdefault((type(instance), key), set()).add(_identity(instance))
        users = self._users(list({key: None for _, key in asked}))
        with _current(self._models, self._session):
            for (model, key), ids in asked.items():
                user = users.get(key)
                if user is not None:
                    self._visible.setdefault((model, key), set()).update(visible_keys(model, user, ids))

    def sees(self, key: RecipientKey, instance: Any) -> bool:
        """Return whether a recipient may see an object, of whom and of which it was asked."""
        if not is_limited(type(instance)):
            return True
        return _identity(instance) in self._visible.get((type(instance), key), ())

    def _users(self, keys: Sequence[RecipientKey]) -> dict[RecipientKey, Any]:
        users: dict[RecipientKey, Any] = {}
        for start in range(0, len(keys), _BATCH):
            users |= fanout.users_by_key(self._session, self._models, keys[start : start + _BATCH])
        return users


def ask_before_deletion(session: Session, models: Models | None, instance: Any) -> dict[RecipientKey, bool]:
    """Return which watchers of an object that is about to be deleted, or of its owner, may see it.

    With the first of them all are asked for that the session is about to delete.
    """
    if models is None or not is_limited(type(instance)) or not has_app_context():
        return {}
    transaction = session.get_transaction()
    asked, answers = vars(instance).pop(_SEEN_BY, (None, {}))
    # What was answered before a flush that failed may be otherwise now.
    if asked is None or asked is not transaction:
        together = [one for one in session.deleted if type(one) is type(instance)]
        _ask_for_all(session, models, together if instance in together else [instance])
        asked, answers = vars(instance).pop(_SEEN_BY)
    return cast("dict[RecipientKey, bool]", answers)


def _ask_for_all(session: Session, models: Models, instances: Sequence[Any]) -> None:
    owners = [instance.get_change_owner() for instance in instances]
    about = [
        {target_named(one) for one in (instance, owner) if one is not None}
        for instance, owner in zip(instances, owners, strict=True)
    ]
    connection = session.connection(bind_arguments={"clause": models.inbox})
    watchers = watch_rows.watchers_of(connection, models, set().union(*about))
    for change in emission.pending(session):
        if isinstance(change, WatchChange) and change.models is models and change.key is not None:
            watchers.setdefault(change.target, []).append((change.key, None))
    theirs = [{key for target in targets for key, _ in watchers.get(target, ())} for targets in about]
    sight = Sight(session, models)
    sight.ask(zip(instances, theirs, strict=True))
    for instance, keys in zip(instances, theirs, strict=True):
        vars(instance)[_SEEN_BY] = session.get_transaction(), {key: sight.sees(key, instance) for key in keys}


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
