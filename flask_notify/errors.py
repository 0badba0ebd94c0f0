"""What can go wrong, each error saying what was expected, what came and what to do."""

from __future__ import annotations


class NotifyError(Exception):
    """The base of all errors that Flask-Notify raises."""


class ConfigurationError(NotifyError):
    """The application, its user model or a setting does not fit the extension."""


class InvalidName(NotifyError, ValueError):
    """A notification was given a name that not every database can store."""


class InvalidPayload(NotifyError, ValueError):
    """A notification was given data that is not JSON, or more of it than is allowed."""


class EmittedTooLate(NotifyError):
    """Something was emitted after its transaction had been stamped for the commit."""


class TransactionFailed(NotifyError):
    """A commit was tried again although writing the notifications had failed in it."""


class WrittenByHand(NotifyError):
    """A message was added to a session, or deleted from one, past what keeps the counts."""


class InvalidMessage(NotifyError, ValueError):
    """A message was given text, a link or data that it cannot have, or lacks what it needs."""


class UnknownType(NotifyError, LookupError):
    """A message is of a type that was never declared."""


class InvalidWatch(NotifyError, ValueError):
    """Something is to be watched, or watches, that is no stored object of a model, or no user."""


class InvalidPreference(NotifyError, ValueError):
    """A recipient's setting was given a value that it cannot have."""
