"""The rows on which an action runs: loaded through its own query, so that what one may not see is not found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper, Session

from ..errors import ConfigurationError, RowNotFound
from ..visibility import visible_keys
from .parameters import need_a_row

MAX_ROWS = 10_000
"""Rows that one request can have."""

_LARGEST = 2**63 - 1  # of an integer key; a driver refuses more
_CHUNK = 500


def load(session: Session, ar: Any, given: Any, *, lock: bool) -> list[Any]:
    """Return the rows that a request is for, in the order in which they are given, each once.

    :param given: an object; or objects, keys, or texts of keys; None is none.
    :param lock: whether to lock them until the transaction ends.
    :raises RowNotFound: if any of them is not there, or not for this user.
    :raises InvalidParameters: if none is given to an action on several.
    """
    action = ar.action
    wanted = _listed(given)
    if action.select == "none":
        if wanted:
            raise RowNotFound(f"The action {action.name!r} is for no row, got {len(wanted)}.")
        return []
    if action.select == "many" and not wanted:
        raise need_a_row()
    if len(wanted) > MAX_ROWS or (action.select == "one" and len(wanted) != 1):
        most = 1 if action.select == "one" else f"1 to {MAX_ROWS}"
        raise RowNotFound(f"The action {action.name!r} is for {most} row at a time, got {len(wanted)}.")
    mapper: Mapper[Any] = inspect(action.target)
    keys = list(dict.fromkeys(_key(mapper, one) for one in wanted))
    found = _find(session, ar, mapper, keys, lock=lock)
    missing = [key for key in keys if key not in found]
    if missing:
        raise RowNotFound(
            f"The action {action.name!r} needs rows of {mapper.class_.__name__} that are there and that the user may "
            f"see; it did not get {', '.join(map(repr, missing[:5]))}{' …' if len(missing) > 5 else ''}."
        )
    return [found[key] for key in keys]


def _listed(given: Any) -> Sequence[Any]:
    if given is None:
        return []
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable) or inspect(given, raiseerr=False) is not None:
        return [given]
    return list(given)


def _key(mapper: Mapper[Any], one: Any) -> Any:
    """Return the key of what was given: of an object, or as a value or text."""
    one = one._get_current_object() if hasattr(one, "_get_current_object") else one
    state: Any = inspect(one, raiseerr=False)
    if state is not None and hasattr(state, "identity"):
        if not isinstance(one, mapper.class_):
            raise RowNotFound(f"A row must be a {mapper.class_.__name__}, got {one!r}.")
        if state.identity is None and state.session is not None:
            state.session.flush()
        if state.identity is None:
            raise RowNotFound(f"A row must be in the session, got {one!r}. Add it before.")
        return state.identity[0]
    key = _parse(mapper, one)
    if key is None or (isinstance(key, int) and abs(key) > _LARGEST):
        raise RowNotFound(f"A row must be named by a key of {mapper.class_.__name__}, got {one!r:.100}.")
    return key


def _parse(mapper: Mapper[Any], given: Any) -> Any:
    """Return the key that a value or a text stands for; None if it stands for none."""
    kind = mapper.primary_key[0].type.python_type
    if not isinstance(given, str):
        return given if isinstance(given, kind) else None
    if kind not in (int, UUID, str) or not given.isprintable():
        return None  # what not every database can hold is no key
    try:
        return kind(given)
    except ValueError:
        return None


def _find(session: Session, ar: Any, mapper: Mapper[Any], keys: Sequence[Any], *, lock: bool) -> dict[Any, Any]:
    column = mapper.primary_key[0]
    query = ar.action.get_query(ar)
    found: dict[Any, Any] = {}
    # Rows are locked in the order of their keys, in one statement: nobody who does so waits for another in a circle.
    size = len(keys) if lock else _CHUNK
    for start in range(0, len(keys), size):
        some = query.where(column.in_(keys[start : start + size]))
        if lock:
            some = some.order_by(None).order_by(column).with_for_update(of=mapper.class_)
            # What the session has read before may have changed until the lock was had.
            some = some.execution_options(populate_existing=True)
        for row in session.scalars(some).unique():
            if not isinstance(row, mapper.class_):
                raise ConfigurationError(
                    f"{type(ar.action).__qualname__}.get_query() must return a select() of {mapper.class_.__name__}, "
                    f"got one of {row!r:.100}. Begin with select({mapper.class_.__name__})."
                )
            found[inspect(row).identity[0]] = row
    visible = visible_keys(mapper.class_, ar.user, found)
    return {key: row for key, row in found.items() if key in visible}
