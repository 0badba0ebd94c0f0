"""Emitting is part of the caller's transaction: work is collected, and written at its commit.

This is the only place that writes what was emitted. A session collects changes in a box.
When the outermost transaction is about to commit, the inboxes concerned are locked, each
change is given a timestamp above its recipient's cursor, and all is written. The locks are
held for the last instant only, and whoever commits second has the higher timestamp: that is
why a client that polls with the last timestamp it saw misses nothing.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from sqlalchemy import Connection, event, inspect
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.orm.state import InstanceState

from . import detour, inbox, news
from .errors import EmittedTooLate, TransactionFailed
from .inbox import Inboxes
from .models import Models, RecipientKey

if TYPE_CHECKING:
    from typing_extensions import Self

_KEY = "flask_notify"
_MOST_ROUNDS = 100


@dataclass(frozen=True)
class ByKey:
    """A recipient of whom only the key is known; stands where else an instance of the user model does."""

    key: RecipientKey


class Change(ABC):
    """One thing that the commit is to write for one recipient.

    :param recipient: an instance of the user model, stored or yet to be, or a :class:`ByKey`.
    """

    order: ClassVar[int] = 0
    """Kinds with a lower number are written first."""

    def __init__(self, models: Models, recipient: Any) -> None:
        self.models = models
        self.recipient = recipient
        self.timestamp: float = 0.0

    @property
    def key(self) -> RecipientKey | None:
        """The recipient's key, or None while the user is not stored."""
        return key_of(self.recipient)

    @property
    @abstractmethod
    def subject(self) -> Hashable:
        """What a later change for the same recipient replaces: the last one counts."""

    @abstractmethod
    def locked(self) -> None:
        """Settle what can be known only now that nobody else writes to the recipient."""

    @classmethod
    @abstractmethod
    def write(cls, connection: Connection, models: Models, changes: Sequence[Self], inboxes: Inboxes) -> None:
        """Write changes that have their timestamps, in few statements.

        :param inboxes: the locked inboxes, by the recipient's key.
        """

    @abstractmethod
    def committed(self) -> None:
        """Tell the caller's objects, now that the commit has happened."""


class Box:
    """What one transaction of a session has collected."""

    __slots__ = ("afterwards", "changes", "commits", "failure", "marks", "notices", "stamped", "stamping", "written")

    def __init__(self) -> None:
        self.changes: list[Change] = []
        # What was noticed, each with who makes emissions of it before the stamp.
        self.notices: list[tuple[Teller, Any]] = []
        # How much there was of changes, later work and notices, when each open savepoint began.
        self.marks: dict[SessionTransaction, tuple[int, int, int]] = {}
        # Commits in progress: one that finds open savepoints commits these first.
        self.commits = 0
        self.stamped = False
        self.stamping = False
        self.failure: BaseException | None = None
        self.written: list[Change] = []
        # What is to be done once the commit has happened.
        self.afterwards: list[Callable[[], None]] = []


Teller: TypeAlias = Callable[[Session, "list[Any]"], None]
"""Emits, when a transaction is about to be stamped, what follows from all that was noticed in it for this teller."""


def collect(change: Change, session: Session | None = None) -> None:
    """Keep a change until a session commits; a rollback drops it.

    :param session: by default the recipient's.
    :raises EmittedTooLate: if the transaction has been stamped already.
    """
    box = _box_of(session or session_of(change.models, change.recipient))
    if box.stamped:
        raise EmittedTooLate(
            "Notifications are written when the transaction is about to commit, and this one "
            "was emitted after that, expected it before. Emit it before you call commit(), or "
            "in a 'before_flush' listener instead of one that runs during the commit."
        )
    box.changes.append(change)


def notice(session: Session, teller: Teller, record: Any) -> None:
    """Keep something that has happened in a transaction until it commits; a rollback drops it.

    At the outermost commit, after the flush, ``teller(session, records)`` is called once with
    all that was noticed for it. What it emits is part of the same transaction.

    :raises EmittedTooLate: if the transaction has been stamped already.
    """
    box = _box_of(session)
    if box.stamped:
        raise EmittedTooLate(
            f"What changes is told when the transaction is about to commit, and {record!r} came after that, "
            "expected it before. Change it before you call commit(), or in a 'before_flush' listener instead of "
            "a 'before_commit' one."
        )
    box.notices.append((teller, record))


def after_commit(session: Session, work: Callable[[], None]) -> None:
    """Do something once the session's outermost transaction has committed; a rollback drops it.

    The session itself cannot be used for it: the work needs a connection of its own.
    """
    _box_of(session).afterwards.append(work)


def _box_of(session: Session) -> Box:
    if not session.in_transaction():
        session.begin()  # or a rollback would fire no event, and what was collected would live on
    return session.info.get(_KEY) or _open_box(session)


def pending(session: Session) -> list[Change]:
    """Return what the session has collected and not yet written."""
    box = session.info.get(_KEY)
    return [] if box is None or box.stamped else list(box.changes)


def _open_box(session: Session) -> Box:
    box = session.info[_KEY] = Box()
    box.marks.update(dict.fromkeys(_open_savepoints(session), (0, 0, 0)))
    return box


def _open_savepoints(session: Session) -> Iterable[SessionTransaction]:
    transaction = session.get_nested_transaction()
    while transaction is not None:
        if transaction.nested:
            yield transaction
        transaction = transaction.parent


def listen() -> None:
    """Listen on every session, also on those that are not Flask-SQLAlchemy's.

    A session that emits nothing pays for a look into a dictionary.
    """
    if not event.contains(Session, "before_commit", _before_commit):
        event.listen(Session, "before_commit", _before_commit)
        event.listen(Session, "after_commit", _after_commit)
        event.listen(Session, "after_transaction_create", _after_transaction_create)
        event.listen(Session, "after_transaction_end", _after_transaction_end)


def _before_commit(session: Session) -> None:
    # The box is made even where nothing was emitted: an emission that comes after this, from
    # another listener, must be refused, for nobody would write it.
    box = session.info.get(_KEY) or _open_box(session)
    box.commits += 1
    # This fires for the release of a savepoint, too, whose work waits for the outer commit.
    if not session.in_nested_transaction():
        _stamp(session, box)


def _after_transaction_create(session: Session, transaction: SessionTransaction) -> None:
    box = session.info.get(_KEY)
    if box is not None and transaction.nested:
        box.marks[transaction] = (len(box.changes), len(box.afterwards), len(box.notices))


def _after_commit(session: Session) -> None:
    box = session.info.get(_KEY)
    if box is None:
        return
    box.commits -= 1
    savepoint = session.get_nested_transaction()
    if savepoint is not None:
        box.marks.pop(savepoint, None)  # released: its work is the outer transaction's now
    else:
        for change in box.written:
            change.committed()
        if box.written and news.is_carried():
            # The last of a recipient's changes bears the cursor.
            news.committed({change.key: change.timestamp for change in box.written})
        box.written.clear()
        afterwards, box.afterwards = box.afterwards, []
        for work in afterwards:
            work()


def _after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
    box = session.info.get(_KEY)
    if box is None:
        return
    if transaction.parent is None:
        del session.info[_KEY]
    elif transaction.nested:
        mark = box.marks.pop(transaction, None)
        if mark is not None:  # not released, so rolled back
            del box.changes[mark[0] :]
            del box.afterwards[mark[1] :]
            del box.notices[mark[2] :]
            box.commits = 0
        elif box.commits and not session.in_nested_transaction():
            # The outermost commit was called while this savepoint was open, and its own
            # before_commit came too early to stamp what the savepoint has collected.
            _stamp(session, box)


def _stamp(session: Session, box: Box) -> None:
    if box.failure is not None:
        raise TransactionFailed(
            "Writing the notifications of this transaction failed before, so that it cannot "
            "be committed. Call rollback() on the session, and repeat the whole transaction."
        ) from box.failure
    if box.stamped or box.stamping:  # who is asked what to tell may have used a savepoint
        return
    box.stamping = True
    try:
        # Whether anything was emitted or not: what this flush writes may be worth telling.
        session.flush()
        _tell(session, box)
        box.stamped = True  # what is emitted from here on, nobody would write
        if box.changes:
            for models in {change.models for change in box.changes}:
                mine = [change for change in box.changes if change.models is models]
                box.written += _write(session, models, mine)
    except BaseException as error:
        box.failure = error
        raise


def _tell(session: Session, box: Box) -> None:
    """Let those who noticed something emit what follows from it."""
    for _ in range(_MOST_ROUNDS):
        if not box.notices:
            return
        noticed: dict[Teller, list[Any]] = {}
        for teller, record in box.notices:
            noticed.setdefault(teller, []).append(record)
        box.notices.clear()
        for teller, records in noticed.items():
            teller(session, records)
        session.flush()  # the application's own code was asked, and may have written something
    raise TransactionFailed(
        f"What is told of changes must not change anything itself without end, got changes in {_MOST_ROUNDS} rounds. "
        "Look for a hook that writes to a watched object each time it is asked."
    )


def _write(session: Session, models: Models, changes: Sequence[Change]) -> list[Change]:
    by_recipient = _settle(changes)
    if not by_recipient:
        return []
    connection = session.connection(bind_arguments={"clause": models.inbox})
    inboxes = inbox.advance(
        connection,
        models,
        list(by_recipient),
        steps=max(map(len, by_recipient.values())),
        now=models.clock(),
    )
    written = []
    for key, mine in by_recipient.items():
        if key in inboxes:  # or the user was deleted, which is no error
            for back, change in enumerate(reversed(mine)):
                change.timestamp = inboxes[key].cursor - back * inbox.STEP
            written += mine
    for change in written:
        change.locked()
    kinds = dict.fromkeys(type(change) for change in written)
    for kind in sorted(kinds, key=lambda kind: kind.order):
        kind.write(connection, models, [change for change in written if type(change) is kind], inboxes)
    return written


def _settle(changes: Iterable[Change]) -> dict[RecipientKey, list[Change]]:
    """Sort by recipient; of several changes of one subject keep the last, in its place."""
    last: dict[RecipientKey, dict[Hashable, Change]] = {}
    for change in changes:
        key = change.key
        if key is None:
            warnings.warn(
                f"{change.recipient!r} is not in the session, so what was emitted to it is "
                "dropped. Add the user to the session before the commit.",
                stacklevel=2,
            )
            continue
        mine = last.setdefault(key, {})
        subject = (type(change), change.subject)
        mine.pop(subject, None)
        mine[subject] = change
    return {key: list(mine.values()) for key, mine in last.items()}


def key_of(recipient: Any) -> RecipientKey | None:
    """Return a user's key, or None for one who is not stored yet."""
    if isinstance(recipient, ByKey):
        return recipient.key
    # Not user.id: it may be expired, and loading it would need a user who still exists.
    state: InstanceState[Any] = inspect(recipient)
    return state.identity[0] if state.identity else None


def session_of(models: Models, recipient: Any) -> Session:
    """Return the session that a user is in, else the application's current one."""
    if (session := detour.session_for(models)) is not None:
        return session
    if isinstance(recipient, ByKey):
        return models.db.session()
    return Session.object_session(recipient) or models.db.session()
