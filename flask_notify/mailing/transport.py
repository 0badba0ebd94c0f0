"""How mails leave: a small interface, and Flask-Mail's configuration behind it."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Protocol

import flask_mail
from flask import Flask

from ..errors import NotifyError
from .smtp import BoundedSMTP, BoundedSMTPOverTLS, Client, Deadline

logger = logging.getLogger("flask_notify")

_QUIT_SECONDS = 5.0


class RefusedForGood(NotifyError):
    """The server will never take this mail for this address.

    :param reason: what it said.
    :param code: its reply code.
    """

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class TryLater(NotifyError):
    """This mail did not go out now, and may at another attempt.

    :param reason: what the server said, or what went wrong.
    :param code: its reply code.
    """

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.code = code


class ServerUnusable(TryLater):
    """No mail can go out now: the server cannot be reached, or accepts nobody from us."""


class Connection(Protocol):
    """One conversation with a mail server.

    It may have a method ``announce(sender, content)`` besides, which is called when a mail was
    handed over and another follows, before it is written down that the first one is sent. It must
    return at once and raise nothing; the mail itself comes by :meth:`send`, or does not come.
    """

    def send(self, sender: str, address: str, content: bytes) -> None:
        """Hand one mail over; return when the server has taken it on.

        :param sender: the bare address that it is from (the envelope's).
        :param address: the bare address that it is for.
        :param content: the mail as :func:`.mail.compose` made it, to be sent byte for byte.
        :raises RefusedForGood: if there is no use in another attempt.
        :raises TryLater: if there may be. The mail may have gone out all the same, where the
            conversation broke before the server's last word.
        """


class Transport(Protocol):
    """Where mails are handed over."""

    def connection(self) -> AbstractContextManager[Connection]:
        """Return a conversation for a batch of mails; it is opened when the first is sent."""


class FlaskMailTransport:
    """Sends by SMTP as Flask-Mail is configured (``MAIL_SERVER``, ``MAIL_PORT``, …).

    With ``MAIL_SUPPRESS_SEND`` (the default under ``TESTING``) nothing is sent; each mail can be
    seen by ``mail.record_messages()``, as any other of Flask-Mail's.

    :param app: an application. It may have a :class:`flask_mail.Mail` or not.
    :param timeout: seconds that one mail may take in all, from connecting to the last word.
    """

    def __init__(self, app: Flask, timeout: float) -> None:
        self._app = app
        self._timeout = timeout
        configured = app.extensions.get("mail")
        self._mail: Any = configured or flask_mail.Mail().init_mail(app.config, app.debug, app.testing)

    @property
    def default_sender(self) -> str | None:
        """Flask-Mail's ``MAIL_DEFAULT_SENDER``."""
        sender = self._mail.default_sender
        return f"{sender[0]} <{sender[1]}>" if isinstance(sender, tuple) else sender

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Return a conversation for a batch of mails; it is opened when the first is sent."""
        connection = _FlaskMailConnection(self._app, self._mail, self._timeout)
        try:
            yield connection
        finally:
            connection.close()

    def probe(self) -> str | None:
        """Talk to the server without a mail, and return what it says; None where mail is suppressed.

        :raises OSError: if it cannot be reached in time.
        :raises smtplib.SMTPException: if it refuses.
        """
        if self._mail.suppress:
            return None
        connection = _FlaskMailConnection(self._app, self._mail, self._timeout)
        connection.host = connection.configure_host()
        try:
            code, text = connection.host.noop()
        finally:
            connection.close()
        return f"{self._mail.server} answers {code} {text.decode('ascii', 'replace')}"


class _FlaskMailConnection(flask_mail.Connection):
    """A connection of Flask-Mail's that keeps to its time, and is opened anew when it broke."""

    host: Client | None

    def __init__(self, app: Flask, mail: Any, timeout: float) -> None:
        super().__init__(mail)
        self._app = app
        self._timeout = timeout

    def send(self, sender: str, address: str, content: bytes) -> None:  # type: ignore[override]
        """Hand one mail over; see :meth:`.Connection.send`."""
        if not self.mail.suppress:
            self._transmit(Deadline(self._timeout), sender, address, content)
        self.num_emails += 1
        self._tell(sender, address, content)

    def announce(self, sender: str, content: bytes) -> None:
        """Let the server think about the next mail's sender already; see :class:`.Connection`."""
        if self.host is not None and not self._has_enough:
            self.host.announce(sender, len(content))

    def configure_host(self, deadline: Deadline | None = None) -> Client:
        """Open a connection; all of it counts for the time of the mail at hand."""
        deadline = deadline or Deadline(self._timeout)
        kind = BoundedSMTPOverTLS if self.mail.use_ssl else BoundedSMTP
        host = kind(deadline)
        try:
            host.set_debuglevel(int(self.mail.debug))
            host.open(self.mail.server, self.mail.port or 0)
            if self.mail.use_tls:
                host.starttls()
            if self.mail.username and self.mail.password:
                host.login(self.mail.username, self.mail.password)
        except BaseException:
            host.close()
            raise
        return host

    def close(self, deadline: Deadline | None = None) -> None:
        """Say goodbye, if there is anybody left to say it to."""
        host, self.host = self.host, None
        if host is not None:
            host.deadline = deadline or Deadline(min(_QUIT_SECONDS, self._timeout))
            try:
                with suppress(OSError, smtplib.SMTPException):
                    host.quit()
            finally:
                host.close()

    def _drop(self) -> None:
        host, self.host = self.host, None
        if host is not None:
            host.close()

    @property
    def _has_enough(self) -> bool:
        """Whether so many mails went this way that the next one is to go another (``MAIL_MAX_EMAILS``)."""
        return bool(self.mail.max_emails and self.num_emails and self.num_emails % self.mail.max_emails == 0)

    def _transmit(self, deadline: Deadline, sender: str, address: str, content: bytes) -> None:
        if self._has_enough:
            self.close(deadline)
        if self.host is not None:
            try:
                self._talk(self.host, deadline, sender, address, content)
            except _Stale:
                self._drop()  # servers end conversations as they like; the next one is new
            else:
                return
        self.host = self._open(deadline)
        try:
            self._talk(self.host, deadline, sender, address, content)
        except _Stale as stale:
            raise TryLater(str(stale)) from stale

    def _open(self, deadline: Deadline) -> Client:
        try:
            return self.configure_host(deadline)
        except (OSError, smtplib.SMTPException) as error:
            raise _not_open(error) from error

    def _talk(
        self,
        host: Client,
        deadline: Deadline,
        sender: str,
        address: str,
        content: bytes,
    ) -> None:
        host.deadline = deadline
        host.content_begun = False
        try:
            host.sendmail(sender, [address], content)
        except (OSError, smtplib.SMTPException) as error:
            verdict = _verdict(error, address)
            if verdict.code in (None, 421):  # the connection broke, or the server ends it (RFC 5321, 3.8)
                self._drop()  # without a goodbye: whoever hangs would hang on it, too
                if not (host.content_begun or deadline.over):
                    raise _Stale(str(verdict)) from error
            raise verdict from error

    def _tell(self, sender: str, address: str, content: bytes) -> None:
        if flask_mail.email_dispatched.receivers:
            with self._app.app_context():
                try:
                    message = _as_flask_mail_has_it(sender, address, content)
                    flask_mail.email_dispatched.send(self._app, message=message)
                except Exception:
                    # The server has the mail: it must not look as if it had not.
                    logger.exception("A receiver of Flask-Mail's email_dispatched raised")


class _Stale(Exception):
    """The conversation ended before the mail's content began, so that nobody can have it."""


# What a client is to take for a passing state although the code begins with 5: no login or no
# encryption yet, a bad sequence of commands; 552 is a full mailbox (RFC 5321, 4.5.3.1.10).
_LATER_FOR_RECIPIENT = frozenset({503, 530, 534, 535, 538, 552})


def _verdict(error: Exception, address: str) -> RefusedForGood | TryLater:
    """Return what an error of :mod:`smtplib` means for this one mail."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = error.recipients[address]
        return _by_code(code, text, _LATER_FOR_RECIPIENT)
    if isinstance(error, smtplib.SMTPSenderRefused):
        return _sender_refused(error)
    if isinstance(error, smtplib.SMTPResponseException):
        return _by_code(error.smtp_code, error.smtp_error, frozenset())
    return TryLater(f"{type(error).__name__}: {error}")


def _by_code(code: int, text: Any, passing: frozenset[int]) -> RefusedForGood | TryLater:
    kind = RefusedForGood if 500 <= code <= 599 and code not in passing else TryLater
    return kind(_said(code, text), code)


def _sender_refused(refused: smtplib.SMTPSenderRefused) -> RefusedForGood | TryLater:
    reason = _said(refused.smtp_code, refused.smtp_error)
    if refused.smtp_code == 552:  # this one mail is too large (RFC 1870, 6.1)
        return RefusedForGood(reason, refused.smtp_code)
    if refused.smtp_code >= 500:
        logger.error("The mail server refused the sender of our mails (%s): all of them wait", refused.smtp_code)
        return ServerUnusable(f"the sender was refused: {reason}", refused.smtp_code)
    return TryLater(reason, refused.smtp_code)


def _not_open(error: Exception) -> ServerUnusable:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        # Not what the server said: it may repeat the name that was tried.
        logger.error("The mail server refused MAIL_USERNAME and MAIL_PASSWORD (%s)", error.smtp_code)
        return ServerUnusable("the server refused MAIL_USERNAME and MAIL_PASSWORD", error.smtp_code)
    if isinstance(error, smtplib.SMTPResponseException):
        return ServerUnusable(_said(error.smtp_code, error.smtp_error), error.smtp_code)
    return ServerUnusable(f"{type(error).__name__}: {error}")


def _said(code: int, text: Any) -> str:
    return f"{code} {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}"


def _as_flask_mail_has_it(sender: str, address: str, content: bytes) -> flask_mail.Message:
    parsed = message_from_bytes(content, EmailMessage, policy=policy.default)
    text, html = (parsed.get_body([kind]) for kind in ("plain", "html"))
    message = _StoredMessage(
        subject=parsed["Subject"],
        recipients=[address],
        body=text.get_content() if text else None,
        html=html.get_content() if html else None,
        sender=parsed["From"] or sender,
        date=parsed["Date"].datetime.timestamp() if parsed["Date"] else None,
        extra_headers={name: value for name, value in parsed.items() if name not in _FLASK_MAILS_OWN},
    )
    message.msgId = parsed["Message-ID"]
    message.content = content
    return message


_FLASK_MAILS_OWN = {"Message-ID", "Date", "From", "To", "Subject", "MIME-Version", "Content-Type"}


class _StoredMessage(flask_mail.Message):
    """A message that is sent as it was stored."""

    content: bytes

    def as_bytes(self) -> bytes:
        return self.content

    def as_string(self) -> str:
        return self.content.decode("ascii")
