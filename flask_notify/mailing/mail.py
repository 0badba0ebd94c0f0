"""One mail as bytes: what goes over the wire, the same at every attempt.

It is put together here and not by :class:`flask_mail.Message`, which folds long headers into
encoded words, lets a line break in a header through, and leaves lines longer than servers take.
"""

from __future__ import annotations

import binascii
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from email import policy
from email.header import Header
from email.parser import BytesHeaderParser
from email.utils import format_datetime, parseaddr
from functools import cached_property
from hashlib import sha256
from typing import Protocol

MAX_LINE = 998
"""Characters that a line may have at most (RFC 5322, 2.1.1)."""

_FOLDED_LINE = 76  # RFC 2047, 2

_MAX_LOCAL_PART = 64  # RFC 5321, 4.5.3.1
_MAX_ADDRESS = 254
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_FOLDED = ("Subject", "From")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Letter(Protocol):
    """What a mail says, in the recipient's language."""

    @property
    def subject(self) -> str:
        """The subject, on one line and without the prefix."""

    @property
    def text(self) -> str:
        """The plain text."""

    @property
    def html(self) -> str:
        """The same as HTML."""

    @property
    def unsubscribe_url(self) -> str | None:
        """Where one POST ends these mails (RFC 8058), or None."""


class UnsafeHeader(ValueError):
    """A header was given a value that would begin another line, or does not fit on one."""


class InvalidAddress(ValueError):
    """A text is no address to which mail can be sent."""


@dataclass(frozen=True)
class Masthead:
    """What is the same on every mail of an application.

    :param sender: an address, perhaps with a name: ``"Microblog <news@example.org>"``.
    :param list_id: the name of the list, without brackets (RFC 2919).
    :param subject_prefix: what each subject begins with, as in ``"[Microblog] "``.
    :raises InvalidAddress: if the sender is none.
    :raises UnsafeHeader: if a value has a line break.
    """

    sender: str
    list_id: str
    subject_prefix: str = ""

    def __post_init__(self) -> None:
        _refuse_controls("List-Id", self.list_id)
        self.sent_from  # noqa: B018  # a sender that is no address is refused at once

    @cached_property
    def sent_from(self) -> str:
        """The header From."""
        return mailbox(self.sender)

    @cached_property
    def envelope_sender(self) -> str:
        """The bare address, as SMTP takes it."""
        return bare_address(parseaddr(self.sender)[1])


def compose(
    letter: Letter,
    masthead: Masthead,
    *,
    address: str,
    message_id: str,
    date: float,
    references: Sequence[str] = (),
) -> bytes:
    """Return a letter as bytes for an SMTP server: seven-bit lines of at most 998 characters.

    :param address: the recipient's.
    :param message_id: with its angle brackets.
    :param date: Unix seconds.
    :param references: the message ids of the thread it belongs to (RFC 5322, 3.6.4).
    :raises UnsafeHeader: if a value has a line break or another control character.
    :raises InvalidAddress: if the address is none.
    """
    headers: list[tuple[str, str]] = [
        ("Message-ID", message_id),
        ("Date", format_datetime(datetime.fromtimestamp(date, timezone.utc))),
        ("From", masthead.sent_from),
        ("To", bare_address(address)),
        ("Subject", _encoded("Subject", masthead.subject_prefix + letter.subject)),
        ("List-Id", f"<{masthead.list_id}>"),
    ]
    if references:
        headers += [("In-Reply-To", references[-1]), ("References", " ".join(references))]
    if letter.unsubscribe_url is not None:
        # Both are needed for the button that mail programs show (RFC 8058, 3.1).
        headers += [
            ("List-Unsubscribe", f"<{letter.unsubscribe_url}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ]
    # So that no absence notice answers it (RFC 3834, 5).
    headers += [("Auto-Submitted", "auto-generated"), ("MIME-Version", "1.0")]
    # "=_" occurs in no quoted-printable text, so the boundary cannot occur in a part.
    boundary = f"=_{sha256(message_id.encode()).hexdigest()[:24]}"
    headers.append(("Content-Type", f'multipart/alternative; boundary="{boundary}"'))
    lines = [_line(name, value) for name, value in headers]
    parts = [_part(boundary, "plain", letter.text), _part(boundary, "html", letter.html)]
    return b"".join([*lines, *parts, f"\r\n--{boundary}--\r\n".encode()])


def new_message_id(host: str) -> str:
    """Return a Message-ID that nobody else has, with its angle brackets."""
    return f"<{secrets.token_hex(16)}@{host}>"


def thread_id(host: str, *of: object) -> str:
    """Return the message id of a thread, equal for equal things and telling nothing about them."""
    digest = sha256("\0".join(map(str, of)).encode()).hexdigest()
    return f"<thread.{digest[:32]}@{host}>"


def mailbox(text: str) -> str:
    """Return ``Name <address>`` or an address as the value of a header.

    :raises InvalidAddress: if there is no address in it.
    :raises UnsafeHeader: if it has a line break.
    """
    _refuse_controls("an address", text)
    name, address = parseaddr(text)
    bare = bare_address(address)
    if not name:
        return bare
    if name.isascii():
        quoted = re.sub(r'([\\"])', r"\\\1", name)
        return f'"{quoted}" <{bare}>'
    return f"{_encoded('From', name)} <{bare}>"


def bare_address(text: str) -> str:
    """Return an address as SMTP takes it, its domain in ASCII.

    :raises InvalidAddress: saying what is wrong, without the address itself.
    """
    local, at, domain = text.strip().rpartition("@")
    if not at:
        raise InvalidAddress("an address must have an @")
    if not local.isascii():
        # Few servers take these (RFC 6531), and what one refuses halfway is lost.
        raise InvalidAddress("the part of the address before the @ must be ASCII")
    if len(local) > _MAX_LOCAL_PART or not _LOCAL_PART.fullmatch(local):
        raise InvalidAddress("the part of the address before the @ is not valid")
    address = f"{local}@{_ascii_domain(domain)}"
    if len(address) > _MAX_ADDRESS:
        raise InvalidAddress(f"an address must have at most {_MAX_ADDRESS} characters")
    return address


def _ascii_domain(domain: str) -> str:
    try:
        encoded = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        encoded = ""
    if not encoded or not all(_LABEL.fullmatch(label) for label in encoded.split(".")):
        raise InvalidAddress("the domain of the address is not valid")
    return encoded


def _refuse_controls(what: str, value: str) -> None:
    if not value.isprintable() and _CONTROL.search(value):
        raise UnsafeHeader(
            f"{what} must be text on one line, got one with a line break or another control character. "
            "Take it out before the mail is rendered."
        )


def _encoded(name: str, value: str) -> str:
    """Fold a text, with encoded words where it needs them (RFC 2047)."""
    _refuse_controls(name, value)
    # Otherwise what looks like an encoded word would be shown as what it encodes.
    charset = "us-ascii" if value.isascii() and "=?" not in value else "utf-8"
    if charset == "us-ascii" and len(name) + 2 + len(value) <= _FOLDED_LINE and value == " ".join(value.split()):
        return value  # there is nothing to fold, which Header would take long to find out
    return Header(value, charset, maxlinelen=_FOLDED_LINE, header_name=name).encode(linesep="\r\n")


def _line(name: str, value: str) -> bytes:
    # Subject and From are checked and folded by now; all others stay on one line, where every
    # parser, and every mail program that looks for a button to unsubscribe, finds them whole.
    if name not in _FOLDED:
        _refuse_controls(name, value)
    line = f"{name}: {value}"
    if not line.isascii() or (len(line) > MAX_LINE and max(map(len, line.split("\r\n"))) > MAX_LINE):
        raise UnsafeHeader(f"{name} must be ASCII of at most {MAX_LINE} characters, got {len(value)} characters.")
    return f"{line}\r\n".encode("ascii")


def _part(boundary: str, subtype: str, text: str) -> bytes:
    head = (
        f"\r\n--{boundary}\r\n"
        f'Content-Type: text/{subtype}; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    # The encoder breaks lines as the first one ends; a text without a line end would get bare LFs.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").replace("\n", "\r\n") + "\r\n"
    return head.encode("ascii") + binascii.b2a_qp(lines.encode("utf-8", "replace"))


def subject_of(content: bytes) -> str:
    """Return the subject of a mail as people read it."""
    return str(BytesHeaderParser(policy=policy.default).parsebytes(content)["Subject"])
