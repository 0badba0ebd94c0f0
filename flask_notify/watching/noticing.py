"""Noticing what a flush does to watched objects, from SQLAlchemy's own history.

A session without such objects pays nothing: only their own mappers are listened to. The history
is read before an UPDATE, when foreign keys have been set already, and values that the database
makes have not replaced it yet.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.orm.state import InstanceState

from .. import emission, recipient
from ..errors import ConfigurationError
from ..object_names import label_of
from .changes import Noticed, Unknown
from .fields import Field, fields_of
from .sight import ask_before_deletion

Teller = emission.Teller


def listen(mixin: type[Any], teller: Teller) -> None:
    """Notice what happens to the objects of all models that have a mixin.

    :param teller: is given what was noticed, at the commit.
    """

    mapped: list[Mapper[Any]] = []

    def check(mapper: Mapper[Any], model: type[Any]) -> None:
        _check(mapper, model)
        mapped.append(mapper)

    def keep_old_values() -> None:
        # Only now: what a model has of another's backref was not there before.
        while mapped:
            mapper = mapped.pop()
            for field in fields_of(mapper):
                if field.column is not None:
                    # So that the old value is loaded where it is not there: expired, or deferred.
                    event.listen(getattr(mapper.class_, field.key), "set", _set, active_history=True)

    def inserted(_mapper: Mapper[Any], _connection: Any, instance: Any) -> None:
        _notice(teller, Noticed("created", instance, recipient.current_doer()))

    def updated(mapper: Mapper[Any], _connection: Any, instance: Any) -> None:
        state: InstanceState[Any] = inspect(instance)
        moved = ((field.name, _moved(state, field)) for field in fields_of(mapper))
        values = {name: value for name, value in moved if value is not None}
        if values:
            _notice(teller, Noticed("modified", instance, recipient.current_doer(), values=values))

    def deleted(_mapper: Mapper[Any], _connection: Any, instance: Any) -> None:
        # Before it is gone: what it is called may have to be loaded, and who may see it can be asked.
        session = Session.object_session(instance)
        models = recipient.find_models(type(instance).__fsa__)
        seen_by = {} if session is None else ask_before_deletion(session, models, instance)
        _notice(teller, Noticed("deleted", instance, recipient.current_doer(), label_of(instance), seen_by=seen_by))

    event.listen(mixin, "mapper_configured", check, propagate=True)
    event.listen(Mapper, "after_configured", keep_old_values)
    event.listen(mixin, "after_insert", inserted, propagate=True)
    event.listen(mixin, "before_update", updated, propagate=True)
    event.listen(mixin, "before_delete", deleted, propagate=True)


def _notice(teller: Teller, record: Noticed) -> None:
    session = Session.object_session(record.object)
    if session is not None:
        emission.notice(session, teller, record)


def _moved(state: InstanceState[Any], field: Field) -> tuple[Any, Any] | None:
    """Return the old and the new value of what has changed, else None."""
    history = state.attrs[field.key].history
    if not history.added and not history.deleted:
        return None
    if field.column is None:
        return tuple(history.deleted), tuple(history.added)
    old = history.deleted[0] if history.deleted else Unknown.UNKNOWN
    new = history.added[0] if history.added else None
    return old, new


def _set(_instance: Any, value: Any, _old: Any, _initiator: Any) -> Any:
    """Let SQLAlchemy load the old value; it does so for who listens."""
    return value


def _check(mapper: Mapper[Any], model: type[Any]) -> None:
    if not hasattr(model, "__fsa__"):
        raise ConfigurationError(
            f"{model.__name__} has WatchableMixin and must be a model of Flask-SQLAlchemy, "
            f"got bases {', '.join(base.__name__ for base in model.__bases__)}. Derive it from db.Model."
        )
    if len(mapper.primary_key) != 1:
        names = ", ".join(column.name for column in mapper.primary_key)
        raise ConfigurationError(
            f"{model.__name__} must have a primary key of one column to be watched, got ({names}). "
            "Give it a key of its own, and make the present one a UniqueConstraint."
        )
