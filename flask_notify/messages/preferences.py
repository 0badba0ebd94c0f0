"""What recipients want to be told of: reading it, and changing it."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, delete, insert, select, update

from .. import emission, inbox
from ..config import Settings
from ..errors import InvalidPreference
from ..inbox import Inboxes, InboxState
from ..local_time import Schedule, due_at
from ..models import Models, RecipientKey
from ..rules import Case, Decision, MailMode, decide
from . import watch_rows
from .message_types import Registry
from .outgoing import schedule_of
from .watch_rows import Target

if TYPE_CHECKING:
    from typing_extensions import Self

OwnModes: TypeAlias = "dict[tuple[RecipientKey, str], MailMode]"
"""Recipients' modes, by key and type."""


def own_modes(
    connection: Connection, models: Models, keys: Sequence[RecipientKey], types: Collection[str] | None = None
) -> OwnModes:
    """Return the modes that recipients have set for types; None means all types."""
    preference = models.preference.c
    query = select(preference.recipient_id, preference.type, preference.mail_mode).where(
        inbox.among(connection, preference.recipient_id, keys)
    )
    if types is not None:
        query = query.where(preference.type.in_(types))
    return {(row[0], row[1]): MailMode(row[2]) for row in connection.execute(query)}


def who_blocks(
    connection: Connection, models: Models, keys: Sequence[RecipientKey], senders: Collection[RecipientKey]
) -> set[tuple[RecipientKey, RecipientKey]]:
    """Return which of the recipients have blocked which of the senders, as pairs of keys."""
    if not senders:
        return set()
    block = models.block.c
    query = select(block.recipient_id, block.sender_id).where(
        inbox.among(connection, block.recipient_id, keys), block.sender_id.in_(senders)
    )
    return {(row[0], row[1]) for row in connection.execute(query)}


@dataclass(frozen=True)
class Types:
    """What of the declared types has a say in a change of mode."""

    modes: Mapping[str, MailMode | None]
    """The types' own modes, by name."""
    schedule: Schedule


def types_of(settings: Settings, types: Registry) -> Types:
    """Return what the declared types of an application say."""
    modes = {kind.name: MailMode.parse(kind.mail_mode) for kind in types.values()}
    return Types(modes, schedule_of(settings))


class PreferenceChange(emission.Change):
    """New settings of one recipient; what waits to be mailed follows them.

    :param settings: columns of the inbox with their values.
    :param modes: the mode per type; None takes the recipient's opinion away.
    """

    # Before anything is sent or seen in the same transaction, so that it holds for that, too.
    order: ClassVar[int] = -1

    def __init__(
        self,
        models: Models,
        recipient: Any,
        settings: Mapping[str, Any],
        modes: Mapping[str, MailMode | None],
        types: Types,
    ) -> None:
        super().__init__(models, recipient)
        self._settings = settings
        self._modes = modes
        self._types = types

    @property
    def subject(self) -> Hashable:
        """What is set; a later change of the same replaces it."""
        return frozenset((*self._settings, *self._modes))

    def locked(self) -> None:
        """Nothing is left to settle."""

    @classmethod
    def write(cls, connection: Connection, models: Models, changes: Sequence[Self], inboxes: Inboxes) -> None:
        """Store each, and move what is pending (row C7)."""
        for change in changes:
            inboxes[change.key] = change._store(connection, inboxes[change.key])
        moved = {change.key for change in changes if "timezone" in change._settings}
        for key, change in {change.key: change for change in changes if change._moves_mail}.items():
            move_pending(connection, models, key, inboxes[key], change._types, zone_moved=key in moved)

    @property
    def _moves_mail(self) -> bool:
        return bool(self._modes) or not {"mail_mode", "timezone"}.isdisjoint(self._settings)

    def _store(self, connection: Connection, state: InboxState) -> InboxState:
        table, preference = self.models.inbox, self.models.preference
        if self._settings:
            mine = table.c.recipient_id == self.key
            connection.execute(update(table).where(mine).values(dict(self._settings)))
            known = {name: value for name, value in self._settings.items() if name in InboxState._fields}
            state = state._replace(**known)
        for kind, mode in self._modes.items():
            mine = preference.c.recipient_id == self.key
            connection.execute(delete(preference).where(mine, preference.c.type == kind))
            if mode is not None:
                row = {"recipient_id": self.key, "type": kind, "mail_mode": mode.value}
                connection.execute(insert(preference).values(row))
        return state

    def committed(self) -> None:
        """Nobody waits to hear of it."""


def move_pending(
    connection: Connection,
    models: Models,
    key: RecipientKey,
    state: InboxState,
    types: Types,
    *,
    zone_moved: bool = False,
    targets: Collection[Target] | None = None,
) -> None:
    """Decide anew on the messages that are unseen and owe a mail, or are in one that waits.

    :param zone_moved: whether the recipient's clock is another now.
    :param targets: only those about one of these objects; None is all messages.
    """
    message = models.message.c
    columns = (message.id, message.type, message.target_type, message.target_id)
    pending = select(*columns, message.mail_mode, message.rule, message.mail_due_at).where(
        message.recipient_id == key,
        message.seen_at.is_(None),
        message.mail_due_at.is_not(None) | (message.mail_id.is_not(None) & message.sent_at.is_(None)),
    )
    # Under repeatable reads a plain one would look into the past; the inbox's lock is held.
    rows = [
        row
        for row in connection.execute(pending.with_for_update())
        if targets is None or (row.target_type, row.target_id) in targets
    ]
    if not rows:
        return
    own = own_modes(connection, models, [key], {row.type for row in rows})
    about = {(row.target_type, row.target_id) for row in rows if row.target_type is not None}
    watches = watch_rows.modes_of(connection, models, [key], about)
    for row in rows:
        watch = watches.get((key, row.target_type, row.target_id))
        decision = _decide_again(row, own.get((key, row.type)), watch, state, types)
        values: dict[str, Any] = {"mail_mode": decision.mode.value, "rule": decision.rule}
        # Those that are in a mail already can still be taken out of it, but not be put into another.
        if row.mail_due_at is not None and decision.rule != "critical":
            stays = row.mail_mode == decision.mode.value and (decision.mode is MailMode.OFTEN or not zone_moved)
            # One whose mode is the same keeps its hour, which may have come just now.
            if not stays:
                values["mail_due_at"] = due_at(decision.mode, models.clock(), state.timezone, types.schedule)
        connection.execute(update(models.message).where(message.id == row.id).values(values))
    inbox.settle_due(connection, models, [key])


def _decide_again(
    row: Any, own_for_type: MailMode | None, watch: MailMode | None, state: InboxState, types: Types
) -> Decision:
    case = Case(
        pair=MailMode(row.mail_mode) if row.rule == "pair" else None,
        watch=watch,
        own_for_type=own_for_type,
        own=MailMode.parse(state.mail_mode),
        of_type=types.modes.get(row.type),
        critical=row.rule == "critical",
    )
    decision = decide(case)
    # It is there already, and stays; it only is not mailed.
    return decision if decision.stored else Decision(MailMode.NEVER, decision.rule)


class BlockChange(emission.Change):
    """A sender whose private messages a recipient wants no more, or wants again."""

    order: ClassVar[int] = -1

    def __init__(self, models: Models, recipient: Any, sender_id: RecipientKey, *, blocked: bool) -> None:
        super().__init__(models, recipient)
        self._sender_id = sender_id
        self._blocked = blocked

    @property
    def subject(self) -> Hashable:
        """Whom it is about."""
        return str(self._sender_id)

    def locked(self) -> None:
        """Nothing is left to settle."""

    @classmethod
    def write(cls, connection: Connection, models: Models, changes: Sequence[Self], _inboxes: Inboxes) -> None:
        """Store each; one that is so already changes nothing."""
        block = models.block
        for change in changes:
            row = {"recipient_id": change.key, "sender_id": change._sender_id}
            connection.execute(delete(block).where(*(block.c[name] == value for name, value in row.items())))
            if change._blocked:
                connection.execute(insert(block).values(row))

    def committed(self) -> None:
        """Nobody waits to hear of it."""


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse values that a recipient's settings cannot have.

    :raises InvalidPreference: naming the setting and what it expects.
    """
    unknown = sorted(set(settings) - {"timezone", "locale", *_FLAGS, *_OPINIONS})
    if unknown:
        raise InvalidPreference(
            f"A recipient's settings are timezone, locale, {', '.join((*_FLAGS, *_OPINIONS))}; got {', '.join(unknown)}"
        )
    zone, locale = settings.get("timezone"), settings.get("locale")
    try:
        known = zone is None or (isinstance(zone, str) and len(zone) <= 64 and ZoneInfo(zone) is not None)
    except (ValueError, OSError, LookupError):
        known = False
    if not known:
        raise InvalidPreference(f"A time zone must be an IANA name like 'Europe/Berlin', or None, got {zone!r}")
    if locale is not None and not (isinstance(locale, str) and 1 <= len(locale) <= 35 and locale.isascii()):
        raise InvalidPreference(f"A locale must be a name like 'de' or 'pt_BR', or None, got {locale!r}")
    for name in _FLAGS:
        if not isinstance(settings.get(name, False), bool):
            raise InvalidPreference(f"{name} must be True or False, got {settings[name]!r}")
    for name in _OPINIONS:
        if not isinstance(settings.get(name) or False, bool):
            raise InvalidPreference(f"{name} must be True, False or None, got {settings[name]!r}")


_FLAGS = ("notify_myself", "widget_hidden", "muted")
_OPINIONS = ("desktop", "push")
