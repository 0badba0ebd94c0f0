"""Who gets what, and how it reaches their mailbox: pure functions of what is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from .errors import InvalidPreference


class MailMode(str, Enum):
    """How a message reaches its recipient's mailbox (Lino's mail modes)."""

    SILENT = "silent"
    """Nothing is stored."""
    NEVER = "never"
    """Stored, and never mailed."""
    OFTEN = "often"
    """Mailed soon, unless it is seen before."""
    DAILY = "daily"
    """Mailed in the digest of the day."""
    WEEKLY = "weekly"
    """Mailed in the digest of the week."""

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def parse(cls, value: MailMode | str | None) -> MailMode | None:
        """Return the mode of that name; None stays None.

        :raises InvalidPreference: naming the modes there are.
        """
        if value is None or isinstance(value, cls):
            return value
        try:
            return cls(value)
        except ValueError:
            known = ", ".join(mode.value for mode in cls)
            raise InvalidPreference(f"A mail mode must be one of {known}, or None, got {value!r}") from None


@dataclass(frozen=True)
class Case:
    """All that is asked to decide on one message for one recipient; None is no opinion."""

    pair: MailMode | None = None
    """The mode given beside the recipient, as in ``to=[(user, "daily")]``."""
    watch: MailMode | None = None
    """The recipient's, for the object that the message is about."""
    own_for_type: MailMode | None = None
    """The recipient's, for this type of message."""
    own: MailMode | None = None
    """The recipient's, in general."""
    of_type: MailMode | None = None
    """What the type itself says."""
    critical: bool = False
    """Whether the type is one that recipients cannot mask."""
    doing: bool = False
    """Whether the recipient is the one who does what the message tells of."""
    notify_myself: bool = False
    """Whether the recipient wants to be told of their own doing."""
    allowed: bool = True
    """Whether the type is meant for this recipient at all."""
    blocked: bool = False
    """Whether the recipient has blocked the sender."""


class Decision(NamedTuple):
    """What becomes of a message, and the name of the rule that says so."""

    mode: MailMode
    rule: str

    @property
    def stored(self) -> bool:
        """Whether the recipient gets it at all."""
        return self.mode is not MailMode.SILENT


RULES: dict[str, str] = {
    "not allowed": "the type is not meant for this recipient",
    "own doing": "recipients are not told of what they do themselves",
    "blocked": "the recipient has blocked the sender",
    "critical": "the type is critical: it cannot be masked, and is mailed at once",
    "pair": "the emitter gave a mode for this recipient",
    "own for type": "the recipient's mode for this type",
    "own for watch": "the recipient's mode for this object",
    "own": "the recipient's mode in general",
    "type": "the type's own mode",
    "default": "nobody has said anything else",
}
"""What each rule says, by its name."""


def decide(case: Case) -> Decision:
    """Return what becomes of a message, and why (rows B3 to B5).

    The recipient's ``silent`` and ``never`` are final, so that nobody is told more than they
    want; for all else, whoever is nearest to this one message decides.
    """
    if not case.allowed:
        return Decision(MailMode.SILENT, "not allowed")
    if case.doing and not case.notify_myself:
        return Decision(MailMode.SILENT, "own doing")
    if case.blocked:
        return Decision(MailMode.SILENT, "blocked")
    if case.critical:
        return Decision(MailMode.OFTEN, "critical")
    if case.watch is MailMode.SILENT:
        # Muting one object is about all that is told of it, whatever its type (row E3).
        return Decision(MailMode.SILENT, "own for watch")
    return _refused(case) or _preferred(case)


def _refused(case: Case) -> Decision | None:
    opinions = ((case.own_for_type, "own for type"), (case.watch, "own for watch"), (case.own, "own"))
    for mode, rule in opinions:
        if mode is not None:
            # The nearest opinion alone: a wish for this type is one against the general refusal.
            return Decision(mode, rule) if mode in (MailMode.SILENT, MailMode.NEVER) else None
    return None


def _preferred(case: Case) -> Decision:
    opinions = (
        (case.pair, "pair"),
        (case.watch, "own for watch"),
        (case.own_for_type, "own for type"),
        (case.own, "own"),
        (case.of_type, "type"),
    )
    for mode, rule in opinions:
        if mode is not None:
            return Decision(mode, rule)
    return Decision(MailMode.OFTEN, "default")


@dataclass(frozen=True)
class PushCase:
    """All that is asked to decide whether a message is pushed to one recipient; None is no opinion."""

    stored: bool = True
    """Whether the recipient gets the message at all."""
    critical: bool = False
    """Whether the type is one that recipients cannot mask."""
    muted: bool = False
    """Whether the recipient wants nothing to interrupt them."""
    own_for_type: bool | None = None
    """The recipient's opinion, for this type of message."""
    own: bool | None = None
    """The recipient's, in general."""
    of_type: bool = True
    """What the type itself says."""


class PushDecision(NamedTuple):
    """Whether a message is pushed, and the name of the rule that says so."""

    wanted: bool
    rule: str


PUSH_RULES: dict[str, str] = {
    "not stored": "the recipient does not get the message",
    "critical": "the type is critical: it cannot be masked",
    "muted": "the recipient wants nothing to interrupt them",
    "own for type": "the recipient's opinion for this type",
    "own": "the recipient's opinion in general",
    "type": "what the type itself says",
}
"""What each rule says, by its name."""


def decide_push(case: PushCase) -> PushDecision:
    """Return whether a message is pushed to its recipient's browsers, and why (row H2).

    Whoever is nearest to this one message decides, as with mail; being muted is above all opinions.
    """
    if not case.stored:
        return PushDecision(False, "not stored")
    if case.critical:
        return PushDecision(True, "critical")
    if case.muted:
        return PushDecision(False, "muted")
    for opinion, rule in ((case.own_for_type, "own for type"), (case.own, "own")):
        if opinion is not None:
            return PushDecision(opinion, rule)
    return PushDecision(case.of_type, "type")
