"""SMTP that keeps to its time: one deadline for all that is said, from connecting to the last word."""

from __future__ import annotations

import io
import smtplib
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any, TypeAlias


class Deadline:
    """The end of the time for one mail."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._seconds = seconds

    @property
    def over(self) -> bool:
        """Whether there is no time left."""
        return time.monotonic() >= self._end

    def left(self) -> float:
        """Return the seconds that are left.

        :raises TimeoutError: if there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"the mail server took longer than {self._seconds:g} seconds (NOTIFY_MAIL_TIMEOUT)")
        return left


class _Bounded:
    """Makes every read and write of an SMTP client end by one deadline.

    A timeout of the socket alone would start anew with each byte that a server sends.
    """

    sock: socket.socket | None
    file: Any

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.content_begun = False
        super().__init__(timeout=deadline.left())  # type: ignore[call-arg]

    def open(self, host: str, port: int) -> None:
        """Connect to a server, and read its greeting."""
        self._host = host  # by which a certificate is asked for
        code, text = self.connect(host, port)  # type: ignore[attr-defined]
        if code != 220:
            raise smtplib.SMTPConnectError(code, text)

    def send(self, s: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(self.deadline.left())
        super().send(s)  # type: ignore[misc]

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = io.BufferedReader(_BoundedReader(self, self.sock))
        reply: tuple[int, bytes] = super().getreply()  # type: ignore[misc]
        return reply

    # The addresses were checked when the mail was made (see mail.bare_address()): smtplib would take each
    # apart once more, which costs more than the rest of what is said.
    def mail(self, sender: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        self.putcmd("MAIL", " ".join([f"FROM:<{sender}>", *options]))  # type: ignore[attr-defined]
        return self.getreply()

    def rcpt(self, recip: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        self.putcmd("RCPT", " ".join([f"TO:<{recip}>", *options]))  # type: ignore[attr-defined]
        return self.getreply()

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.content_begun = True
        reply: tuple[int, bytes] = super().data(msg)  # type: ignore[misc]
        return reply

    def _get_socket(self, host: str, port: int, _timeout: float) -> socket.socket:
        # One address after the other, within one time for all of them.
        failure: OSError = ConnectionError(f"{host} has no address")
        for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                return socket.create_connection((str(address[0]), int(address[1])), self.deadline.left())
            except OSError as error:
                failure = error
        raise failure


class BoundedSMTP(_Bounded, smtplib.SMTP):
    """SMTP, perhaps with STARTTLS."""


class BoundedSMTPOverTLS(_Bounded, smtplib.SMTP_SSL):
    """SMTP within TLS from the beginning."""

    def _get_socket(self, host: str, port: int, timeout: float) -> ssl.SSLSocket:
        plain = super()._get_socket(host, port, timeout)
        plain.settimeout(self.deadline.left())
        return self.context.wrap_socket(plain, server_hostname=host)


Client: TypeAlias = BoundedSMTP | BoundedSMTPOverTLS


class _BoundedReader(io.RawIOBase):
    """Reads from a socket until a deadline."""

    def __init__(self, client: _Bounded, sock: socket.socket) -> None:
        self._client = client
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._client.deadline.left())
        return self._sock.recv_into(buffer)
