"""Where caught mails lie: one file each, as it came over the wire, in a folder per address."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from hashlib import sha256
from pathlib import Path

#: By when it came, so that names are in that order.
_NAME = re.compile(r"[0-9]{16}-[0-9a-f]{8}")


@dataclass(frozen=True)
class Caught:
    """A mail in the letterbox."""

    name: str
    content: bytes

    @cached_property
    def mail(self) -> EmailMessage:
        """The mail as a parser reads it."""
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def came_at(self) -> datetime:
        """When it was caught."""
        return datetime.fromtimestamp(int(self.name.split("-")[0]) / 1e6, timezone.utc)

    @property
    def subject(self) -> str:
        """The subject, on one line."""
        return " ".join(str(self.mail["Subject"] or "(no subject)").split())

    def body(self, kind: str) -> str | None:
        """Return the body of a kind, ``plain`` or ``html``, or None without one."""
        part = self.mail.get_body((kind,))
        return None if part is None else str(part.get_content())


class Letterbox:
    """The mails to one address."""

    def __init__(self, folder: Path, address: str) -> None:
        # A digest, and never what somebody typed as their address, is the name of a folder.
        self._folder = folder / sha256(address.lower().encode()).hexdigest()[:32]

    def put(self, content: bytes) -> None:
        """Keep a mail."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns() // 1000:016}-{secrets.token_hex(4)}"
        # Under its name there is only ever a whole mail.
        partial = self._folder / f".{name}"
        partial.write_bytes(content)
        os.replace(partial, self._folder / name)

    def __iter__(self) -> Iterator[Caught]:
        names = sorted((path.name for path in self._folder.glob("*") if _NAME.fullmatch(path.name)), reverse=True)
        return (Caught(name, (self._folder / name).read_bytes()) for name in names)

    def find(self, name: str) -> Caught | None:
        """Return the mail of that name, or None."""
        path = self._folder / name
        return Caught(name, path.read_bytes()) if _NAME.fullmatch(name) and path.is_file() else None
