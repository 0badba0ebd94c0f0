"""What recipients want pushed: reading it, and changing it."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from sqlalchemy import Connection, delete, insert, select

from .. import emission, inbox
from ..errors import InvalidPreference
from ..inbox import Inboxes
from ..messages.message_types import MessageType
from ..models import Models, RecipientKey
from ..rules import PushCase

if TYPE_CHECKING:
    from typing_extensions import Self

OwnOpinions: TypeAlias = "dict[tuple[RecipientKey, str], bool]"
"""Recipients' opinions, by key and type."""


def own_opinions(
    connection: Connection, models: Models, keys: Sequence[RecipientKey], types: Collection[str] | None = None
) -> OwnOpinions:
    """Return which types recipients want pushed, or do not; None means all types."""
    preference = models.push_preference.c
    query = select(preference.recipient_id, preference.type, preference.push).where(
        inbox.among(connection, preference.recipient_id, keys)
    )
    if types is not None:
        query = query.where(preference.type.in_(types))
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def case_for(
    kind: type[MessageType] | None, state: Any, own_for_type: bool | None, *, stored: bool = True, critical: bool
) -> PushCase:
    """Return what the rules are asked for one recipient.

    :param kind: the message's type, or None where it has gone from the code.
    :param state: the inbox: what has ``muted`` and ``push``, or None without one.
    :param critical: whether the message itself is, as its rule tells: its type may be another by now.
    """
    return PushCase(
        stored=stored,
        critical=critical,
        muted=state is not None and bool(state.muted),
        own_for_type=own_for_type,
        own=None if state is None else state.push,
        of_type=kind is None or kind.push,
    )


def check_opinion(wanted: object) -> None:
    """Refuse what is no opinion.

    :raises InvalidPreference: telling what one is.
    """
    if wanted is not None and not isinstance(wanted, bool):
        raise InvalidPreference(f"Whether messages are pushed must be True, False or None, got {wanted!r}")


class OpinionChange(emission.Change):
    """Whether one recipient wants one type of message pushed.

    :param wanted: None takes the recipient's opinion away.
    """

    # Before anything is sent in the same transaction, so that it holds for that, too.
    order: ClassVar[int] = -1

    def __init__(self, models: Models, recipient: Any, type_: str, wanted: bool | None) -> None:
        super().__init__(models, recipient)
        self._type = type_
        self._wanted = wanted

    @property
    def subject(self) -> Hashable:
        """What it is about."""
        return self._type

    def locked(self) -> None:
        """Nothing is left to settle."""

    @classmethod
    def write(cls, connection: Connection, models: Models, changes: Sequence[Self], _inboxes: Inboxes) -> None:
        """Store each. What waits to be pushed is asked for again when it is sent."""
        preference = models.push_preference
        for change in changes:
            mine = preference.c.recipient_id == change.key, preference.c.type == change._type
            connection.execute(delete(preference).where(*mine))
            if change._wanted is not None:
                row = {"recipient_id": change.key, "type": change._type, "push": change._wanted}
                connection.execute(insert(preference).values(row))

    def committed(self) -> None:
        """Nobody waits to hear of it."""
