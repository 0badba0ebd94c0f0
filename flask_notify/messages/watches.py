"""Watching an object: who is told of it, and muting it (rows E3 and B4)."""

from __future__ import annotations

from collections.abc import Collection, Container, Hashable, Iterable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from .. import emission, inbox
from ..emission import ByKey
from ..errors import InvalidWatch
from ..inbox import Inboxes
from ..models import Models, RecipientKey
from ..rules import MailMode
from . import preferences, watch_rows
from .message_types import unwrapped
from .outgoing import target_of
from .preferences import Types
from .watch_rows import Row, Target, Watching, forget, modes_of, watchers_of

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "ForgetChange",
    "Target",
    "WatchChange",
    "Watching",
    "Wish",
    "forget",
    "forget_deleted",
    "is_muted_by",
    "is_watched_by",
    "modes_of",
    "mute",
    "state_of",
    "states_of",
    "target_named",
    "unmute",
    "unwatch",
    "watch",
    "watchers",
    "watchers_of",
]

_BATCH = 500


class Wish(Enum):
    """What a recipient wants to become of their watch of one object."""

    WATCH = "watch"
    UNWATCH = "unwatch"
    UNMUTE = "unmute"

    def granted(self, before: Watching | None, mode: MailMode | None) -> Watching | None:
        """Return what becomes of a watch.

        :param before: what there is now; None is neither watched nor muted.
        :param mode: with ``WATCH``, the mode that is asked for, or None.
        """
        muted = before is not None and before.muted
        if self is Wish.WATCH:
            if mode is not None:
                return Watching(mode)
            # Who watches already keeps their mode: an application that lets those who comment watch does
            # not ask what they have chosen before.
            return Watching() if before is None or muted else before
        # A mute is an opinion of its own. It stays until it is taken back, and nothing else is.
        if self is Wish.UNWATCH:
            return before if muted else None
        return None if muted else before


class WatchChange(emission.Change):
    """That a recipient watches an object, or does no longer; mail that waits follows their mode for it."""

    # Before anything is sent in the same transaction, so that it holds for that, too.
    order: ClassVar[int] = -1

    def __init__(
        self, models: Models, recipient: Any, target: Target, wish: Wish, mode: MailMode | None, types: Types
    ) -> None:
        super().__init__(models, recipient)
        self.target = target
        self.wish = wish
        self.mode = mode
        self._types = types

    @property
    def subject(self) -> Hashable:
        """Itself: each counts, in their order."""
        return id(self)

    def locked(self) -> None:
        """Nothing is left to settle."""

    def applied(self, before: Watching | None) -> Watching | None:
        """Return what it makes of a watch."""
        return self.wish.granted(before, self.mode)

    @classmethod
    def write(cls, connection: Connection, models: Models, changes: Sequence[Self], inboxes: Inboxes) -> None:
        """Store them, and move what is pending of those whose mode is another now (row C7)."""
        keys = list({change.key: None for change in changes})
        before = watch_rows.stored(connection, models, keys, (change.target for change in changes), to_write=True)
        after: dict[Row, Watching | None] = {}
        for change in changes:
            row = (change.key, *change.target)
            after[row] = change.applied(after[row] if row in after else before.get(row))
        watch_rows.replace(connection, models, before, after)
        moved: dict[RecipientKey, set[Target]] = {}
        for row, watching in after.items():
            if _mode(watching) is not _mode(before.get(row)):
                moved.setdefault(row[0], set()).add((row[1], row[2]))
        types = {change.key: change._types for change in changes}
        for key, targets in moved.items():
            preferences.move_pending(connection, models, key, inboxes[key], types[key], targets=targets)

    def committed(self) -> None:
        """Nobody waits to hear of it."""


class ForgetChange(emission.Change):
    """That objects which a recipient watches, or has muted, are no more.

    :param targets: the objects.
    """

    # After what tells of the deletion: it goes out in the mode that the recipient had for the object.
    order: ClassVar[int] = 2

    def __init__(self, models: Models, recipient: Any, targets: Sequence[Target]) -> None:
        super().__init__(models, recipient)
        self.targets = targets

    @property
    def subject(self) -> Hashable:
        """Itself: each counts."""
        return id(self)

    def locked(self) -> None:
        """Nothing is left to settle."""

    @classmethod
    def write(cls, connection: Connection, models: Models, changes: Sequence[Self], _inboxes: Inboxes) -> None:
        """Delete the rows."""
        rows = [(change.key, *target) for change in changes for target in change.targets]
        watch_rows.remove(connection, models, rows)

    def committed(self) -> None:
        """Nobody waits to hear of it."""


def watch(models: Models, types: Types, target: Any, user: Any, mode: MailMode | str | None = None) -> None:
    """Let a user watch an object, from the commit on. Who has muted it is told again.

    :param mode: the user's own for what is told of this object; None leaves the one that they have chosen
        before, if any. ``silent`` mutes it.
    :raises InvalidWatch: for what is no stored user.
    :raises InvalidMessage: for what is no stored object with a key of one column.
    :raises InvalidPreference: if there is no such mode.
    """
    _collect(models, types, target, user, Wish.WATCH, MailMode.parse(mode))


def unwatch(models: Models, types: Types, target: Any, user: Any) -> None:
    """Let a user watch an object no longer, from the commit on; who has muted it hears as little as before.

    :raises InvalidWatch: see :func:`watch`; and what that raises for the object.
    """
    _collect(models, types, target, user, Wish.UNWATCH)


def mute(models: Models, types: Types, target: Any, user: Any) -> None:
    """Let a user hear nothing of an object, from the commit on, whether they watch it or not.

    :raises InvalidWatch: see :func:`watch`; and what that raises for the object.
    """
    _collect(models, types, target, user, Wish.WATCH, MailMode.SILENT)


def unmute(models: Models, types: Types, target: Any, user: Any) -> None:
    """Take a mute back, from the commit on. The user does not watch the object then: for that, let them.

    :raises InvalidWatch: see :func:`watch`; and what that raises for the object.
    """
    _collect(models, types, target, user, Wish.UNMUTE)


def _collect(models: Models, types: Types, target: Any, user: Any, wish: Wish, mode: MailMode | None = None) -> None:
    recipient = _checked(models, user)
    emission.collect(WatchChange(models, recipient, target_named(target), wish, mode, types))


def target_named(target: Any) -> Target:
    """Return by what an object is found again; one that was only just added is flushed.

    :raises InvalidMessage: for what is no stored object with a key of one column.
    """
    kind, key = target_of(target)
    if kind is None or key is None:
        raise InvalidWatch("What is watched must be an object of a model, got None. Give the object itself.")
    return kind, key


def _checked(models: Models, user: Any) -> Any:
    """Return a user who is stored, out of the proxy that ``current_user`` is."""
    user, User = unwrapped(user), models.user_mapper.class_
    if not isinstance(user, User):
        raise InvalidWatch(f"Who watches must be a {User.__name__}, got {user!r}. Ask only those who are logged in.")
    if emission.key_of(user) is None:
        session = Session.object_session(user)
        if session is None:
            raise InvalidWatch(f"Who watches must be in the session, got {user!r}. Add the user first.")
        session.flush()
    return user


def is_watched_by(models: Models, target: Any, user: Any) -> bool:
    """Return whether a user watches an object and has not muted it, with what waits for the commit."""
    watching = state_of(models, target, user)
    return watching is not None and not watching.muted


def is_muted_by(models: Models, target: Any, user: Any) -> bool:
    """Return whether a user has muted an object, with what waits for the commit."""
    watching = state_of(models, target, user)
    return watching is not None and watching.muted


def state_of(models: Models, target: Any, user: Any) -> Watching | None:
    """Return whether and how a user watches an object, with what waits for the commit; None if they do not.

    :raises InvalidWatch: for what is no stored user.
    """
    named = target_named(target)
    return states_of(models, [named], user)[named]


def states_of(models: Models, targets: Collection[Target], user: Any) -> dict[Target, Watching | None]:
    """Do as :func:`state_of` does for many objects at once."""
    recipient = _checked(models, user)
    session, key = emission.session_of(models, recipient), emission.key_of(recipient)
    connection = session.connection(bind_arguments={"clause": models.inbox})
    found: dict[Target, Watching | None] = dict.fromkeys(targets)
    for row, watching in watch_rows.stored(connection, models, [key], targets).items():
        found[row[1], row[2]] = watching
    for change in _pending(session, found):
        if change.key == key:
            found[change.target] = change.applied(found[change.target])
    return found


def watchers(models: Models, target: Any) -> list[Any]:
    """Return the users who watch an object and have not muted it, with what waits for the commit."""
    named = target_named(target)
    session = Session.object_session(target) or models.db.session()
    connection = session.connection(bind_arguments={"clause": models.inbox})
    present = watchers_of(connection, models, [named]).get(named, [])
    found: dict[RecipientKey, Watching | None] = {key: Watching(mode) for key, mode in present}
    for change in _pending(session, [named]):
        found[change.key] = change.applied(found.get(change.key))
    keys = [key for key, watching in found.items() if watching is not None and not watching.muted]
    users: list[Any] = []
    for start in range(0, len(keys), _BATCH):
        batch = inbox.among(connection, models.key_column, keys[start : start + _BATCH])
        users += session.scalars(select(models.user_mapper.class_).where(batch).order_by(models.key_column))
    return users


def _pending(session: Session, targets: Container[Target]) -> Iterable[WatchChange]:
    collected = emission.pending(session)
    return (change for change in collected if isinstance(change, WatchChange) and change.target in targets)


def forget_deleted(
    models: Models, found: Mapping[Target, Iterable[tuple[RecipientKey, Any]]], session: Session | None = None
) -> None:
    """Collect that nobody watches objects any more, which are deleted in this transaction.

    It is done under the recipients' locks, and after they are told: a row that was deleted before would be
    locked out of order, and whoever stops watching at the same time would deadlock with the deletion.

    :param found: what :func:`watchers_of` gave for them.
    :param session: whose transaction it is; by default the application's.
    """
    theirs: dict[RecipientKey, list[Target]] = {}
    for target, present in found.items():
        for key, _ in present:
            theirs.setdefault(key, []).append(target)
    for key, targets in theirs.items():
        emission.collect(ForgetChange(models, ByKey(key), targets), session)


def _mode(watching: Watching | None) -> MailMode | None:
    return None if watching is None else watching.mode
