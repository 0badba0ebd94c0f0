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


class InvalidSubscription(NotifyError, ValueError):
    """A browser subscribed to pushes with an address or keys that no push service gives."""


class UnknownAction(NotifyError, LookupError):
    """An action was asked for that was never declared."""


class ActionRefused(NotifyError):
    """The user may not run the action, on one of the rows or at all."""


class RowNotFound(NotifyError, LookupError):
    """An action was asked for on a row that is not there, or that the user may not see."""


class UnknownParameter(NotifyError, ValueError):
    """An action was given a parameter or an answer that it cannot have."""


class InvalidParameters(NotifyError, ValueError):
    """An action was given parameters that its form does not take, or no row where it needs one.

    :ivar errors: what is wrong, in the user's language: lists of texts by the name of the field.
    :ivar form: the form as it was filled in, or None.
    """

    def __init__(self, message: str, errors: dict[str, list[str]], form: object = None) -> None:
        super().__init__(message)
        self.errors = errors
        self.form = form


class AnswerNeeded(NotifyError):
    """An action that was run from code asks a question to which no answer was given.

    :ivar uid: what the answer is to be given for: ``answers={uid: True}``.
    :ivar text: the question.
    """

    def __init__(self, message: str, uid: str, text: str) -> None:
        super().__init__(message)
        self.uid = uid
        self.text = text


class UnknownResponseKey(NotifyError, TypeError):
    """An action's response was given a key that it does not have."""


class InvalidResponse(NotifyError, ValueError):
    """An action's response was given a value that its key cannot have."""


class InvalidQuestion(NotifyError, ValueError):
    """An action asks in a way by which the answers could be mistaken for one another."""


class TransactionEnded(NotifyError):
    """An action's run() has ended the transaction, which is the caller's."""


class NestedTooDeep(NotifyError, RecursionError):
    """Actions run one another without an end."""


class InvalidTable(NotifyError, ValueError):
    """What is to be shown has no rows, or a column of it is not there or secret."""
