"""Writing messages into the inboxes: who gets one, what becomes of one like it, what the count is."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import Connection

from .. import emission
from ..config import Alongside
from ..inbox import Inboxes, InboxState
from ..local_time import due_at
from ..models import Models, RecipientKey
from ..rules import Case, Decision, MailMode, decide
from . import message_rows, preferences, watch_rows
from .message_rows import Copy, Entry
from .message_types import MessageType, Private
from .outgoing import Outgoing

if TYPE_CHECKING:
    from typing_extensions import Self


_RECIPIENTS = 10_000
"""Recipients to whom is written at once, with few statements for all of them."""


class SendChange(emission.Change):
    """A message that the commit is to put into one inbox."""

    order: ClassVar[int] = 1

    def __init__(self, models: Models, recipient: Any, copy: Copy) -> None:
        super().__init__(models, recipient)
        self.copy = copy

    @property
    def subject(self) -> Hashable:
        """Itself: each message counts."""
        return id(self)

    def locked(self) -> None:
        """Take the timestamp over."""
        self.copy.cursor = self.timestamp

    @classmethod
    def write(cls, connection: Connection, models: Models, changes: Sequence[Self], inboxes: Inboxes) -> None:
        """Write the messages and count them."""
        by_recipient: dict[RecipientKey, list[Copy]] = {}
        for change in changes:
            by_recipient.setdefault(change.copy.key, []).append(change.copy)
        now, keys = models.clock(), list(by_recipient)
        for start in range(0, len(keys), _RECIPIENTS):
            copies = [copy for key in keys[start : start + _RECIPIENTS] for copy in by_recipient[key]]
            write(connection, models, copies, inboxes, now=now)

    def committed(self) -> None:
        """Nobody waits to hear of it."""


def case_for(
    kind: type[MessageType],
    state: Any,
    *,
    doing: bool,
    allowed: bool = True,
    blocked: bool = False,
    **opinions: MailMode | None,
) -> Case:
    """Return what the rules are asked for one recipient.

    :param state: the inbox: what has ``mail_mode`` and ``notify_myself``, or None without one.
    :param opinions: ``pair``, ``watch`` and ``own_for_type``, as of :class:`.Case`.
    """
    return Case(
        **opinions,
        own=None if state is None else MailMode.parse(state.mail_mode),
        of_type=MailMode.parse(kind.mail_mode),
        critical=kind.critical,
        doing=doing,
        notify_myself=state is not None and bool(state.notify_myself),
        allowed=allowed,
        blocked=blocked,
    )


class Deciding:
    """The rules with all that they ask for, read at once for many recipients."""

    def __init__(self, connection: Connection, models: Models, outgoings: Iterable[Outgoing], keys: Any) -> None:
        unique = {id(outgoing): outgoing for outgoing in outgoings}.values()
        types = {outgoing.kind.name for outgoing in unique}
        senders = {outgoing.sender_id for outgoing in unique if issubclass(outgoing.kind, Private)} - {None}
        self._modes = preferences.own_modes(connection, models, keys, types)
        targets = {outgoing.target for outgoing in unique if outgoing.target is not None}
        self._watches = watch_rows.modes_of(connection, models, keys, targets)
        self._blocks = preferences.who_blocks(connection, models, keys, senders)
        self._decisions: dict[Any, Decision] = {}
        self._each_once: dict[Decision, Decision] = {}

    def decide(
        self, outgoing: Outgoing, key: RecipientKey, state: Any, pair: MailMode | None, *, allowed: bool
    ) -> Decision:
        """Return what becomes of a message for one recipient."""
        own_for_type = self._modes.get((key, outgoing.kind.name)) if self._modes else None
        blocked = bool(self._blocks) and (key, outgoing.sender_id) in self._blocks
        watch = None
        if self._watches and outgoing.target is not None:
            watch = self._watches.get((key, *outgoing.target))
        settings = None if state is None else (state.mail_mode, state.notify_myself)
        # Of many recipients most are alike: the rules are asked once for each kind.
        doing = outgoing.doer_id is not None and outgoing.doer_id == key
        alike = (id(outgoing), settings, own_for_type, watch, pair, allowed, blocked, doing)
        if alike not in self._decisions:
            case = case_for(
                outgoing.kind,
                state,
                own_for_type=own_for_type,
                doing=doing,
                pair=pair,
                watch=watch,
                allowed=allowed,
                blocked=blocked,
            )
            decision = decide(case)
            # What is equal is the same: so others may compare by identity, of so many.
            self._decisions[alike] = self._each_once.setdefault(decision, decision)
        return self._decisions[alike]


def write(
    connection: Connection,
    models: Models,
    copies: Sequence[Copy],
    inboxes: Inboxes,
    *,
    now: float,
    moved: bool = True,
) -> int:
    """Write copies into locked inboxes, and return how many are unseen messages of their own.

    The rules are asked here, under the lock: a mode that the recipient changes at the same time
    holds either for this message, or moves it.

    :param now: Unix seconds.
    :param moved: whether the inboxes' cursors have been moved on already (:func:`.inbox.advance`),
        or are to be moved with what is noted in them (:func:`.inbox.lock`).
    """
    deciding = Deciding(
        connection, models, (copy.outgoing for copy in copies), list({copy.key: None for copy in copies})
    )
    due = _Due(now)
    entries = []
    for copy in copies:
        state = inboxes[copy.key]
        decision = deciding.decide(copy.outgoing, copy.key, state, copy.pair, allowed=copy.allowed)
        if decision.mode is not MailMode.SILENT:
            entries.append(Entry(copy, decision, due.at(copy, decision, state)))
    fresh, renewed = message_rows.collapse(connection, models, entries)
    # First, so that the inboxes know their cursors.
    message_rows.tally(connection, models, fresh, renewed, None if moved else now)
    message_rows.add(connection, models, fresh, inboxes, now)
    message_rows.renew(connection, models, renewed, now)
    _write_alongside(connection, models, [*fresh, *renewed], now)
    return len(fresh)


def _write_alongside(connection: Connection, models: Models, entries: Sequence[Entry], now: float) -> None:
    """Write what goes along with messages, now that their rows are there; by recipient and cursor they are found."""
    with_them: dict[Alongside, list[Entry]] = {}
    for entry in entries:
        for alongside in entry.copy.outgoing.alongside:
            with_them.setdefault(alongside, []).append(entry)
    for alongside, theirs in with_them.items():
        alongside(connection, models, theirs, now)


class _Due:
    """When mails are due, worked out once for all recipients of one mode and time zone."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._known: dict[Any, float | None] = {}

    def at(self, copy: Copy, decision: Decision, state: InboxState) -> float | None:
        """Return when a copy is to be mailed, in Unix seconds."""
        alike = (id(decision), state.timezone, id(copy.outgoing))
        if alike not in self._known:
            self._known[alike] = (
                self._now
                if decision.rule == "critical"
                else due_at(decision.mode, self._now, state.timezone, copy.outgoing.schedule)
            )
        return self._known[alike]
