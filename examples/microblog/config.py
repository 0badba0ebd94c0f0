"""The settings, and the key that signs the sessions."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

#: Overridden by ``MICROBLOG_<NAME>`` in the environment.
DEFAULTS: dict[str, Any] = {
    "SQLALCHEMY_DATABASE_URI": "sqlite:///microblog.sqlite",
    "SESSION_COOKIE_SAMESITE": "Lax",
    "REMEMBER_COOKIE_SAMESITE": "Lax",
    "REMEMBER_COOKIE_HTTPONLY": True,
    "REMEMBER_COOKIE_DURATION": timedelta(days=30),
    "MAX_CONTENT_LENGTH": 64 * 1024,
    "NOTIFY_POLL_INTERVAL": 2,
    "NOTIFY_MAIL_SENDER": "Microblog <hello@microblog.example>",
    "NOTIFY_MAIL_SUBJECT_PREFIX": "[Microblog] ",
    "NOTIFY_LIST_ID": "news.microblog.example",
    "POSTS_PER_PAGE": 12,
    "PEOPLE_PER_PAGE": 20,
    "COMMENTS_PER_PAGE": 30,
    # Seconds that an export rests after each post. Real work needs no rest; the
    # demo takes some, so that there is a progress bar to see.
    "EXPORT_PACE": 0.0,
    # Where finished exports are kept; by default below the instance folder.
    "EXPORT_FOLDER": None,
    # Where the demo keeps the mails that it catches; without it there is no page to read them.
    "LETTERBOX_FOLDER": None,
}


def secret_key(folder: Path) -> str:
    """Read the key kept in *folder*, making it at the first start.

    It is kept because a new key at every start would log everybody out.
    """
    return kept(folder / "secret_key", lambda: secrets.token_hex(32))


def kept(path: Path, make: Callable[[], str]) -> str:
    """Read the secret that a file keeps, making it at the first start."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_once(path, make())
    return path.read_text(encoding="ascii")


def _write_once(path: Path, text: str) -> None:
    # Two processes may start together: the link is made whole and by one of them.
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    with suppress(FileExistsError):
        os.link(name, path)
    os.unlink(name)
