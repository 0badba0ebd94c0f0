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
        self._announced: tuple[str, Sequence[str]] | None = None
        super().__init__(timeout=deadline.left())  # type: ignore[call-arg]

    def open(self, host: str, port: int) -> None:
        """Connect to a server, and read its greeting."""
        self._host = host  # by which a certificate is asked for
        code, text = self.connect(host, port)  # type: ignore[attr-defined]
        if code != 220:
            raise smtplib.SMTPConnectError(code, text)

    def announce(self, sender: str, size: int) -> None:
        """Say from whom the next mail is, without waiting for the answer, or for anything else.

        A server takes its time over it, in which there may be something to do. It commits to nothing:
        whoever goes away now has sent no mail.

        :param size: its bytes.
        """
        options = [f"size={size}"] if self.does_esmtp and self.has_extn("size") else []  # type: ignore[attr-defined]
        line = f"MAIL {_from(sender, options)}\r\n".encode("ascii")
        if self.sock is None or self._announced is not None:
            return
        try:
            self.sock.settimeout(0)
            if self.sock.send(line) == len(line):
                self._announced = sender, options
                return
        except OSError:
            pass
        self.close()  # type: ignore[attr-defined]  # it is gone, or has half of a command

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
        announced, self._announced = self._announced, None
        if announced is not None:
            if announced == (sender, options):
                return self.getreply()
            self.getreply()  # it was another mail, which does not come
            self.rset()  # type: ignore[attr-defined]
        self.putcmd("MAIL", _from(sender, options))  # type: ignore[attr-defined]
        return self.getreply()

    def rcpt(self, recip: str, options: Sequence[str] = ()) -> tuple[int, bytes]:
        self.putcmd("RCPT", " ".join([f"TO:<{recip}>", *options]))  # type: ignore[attr-defined]
        return self.getreply()

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.content_begun = True
        self.putcmd("data")  # type: ignore[attr-defined]
        code, text = self.getreply()
        if code != 354:
            raise smtplib.SMTPDataError(code, text)
        self.send(_dotted(msg))
        return self.getreply()

    def quit(self) -> tuple[int, bytes]:
        if self._announced is not None:
            self._announced = None
            self.getreply()
        reply: tuple[int, bytes] = super().quit()  # type: ignore[misc]
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


def _from(sender: str, options: Sequence[str]) -> str:
    return " ".join([f"FROM:<{sender}>", *options])


def _dotted(content: bytes) -> bytes:
    """Return a mail as it goes over the wire: with its end, and no other line that looks like one (RFC 5321, 4.5.2)."""
    first = b"." if content.startswith(b".") else b""
    end = b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n"
    return first + content.replace(b"\n.", b"\n..") + end


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
