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
