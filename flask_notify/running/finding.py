"""What the doctor says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was looked at, and what is to be done.

    :param level: ``ok``, ``warning`` or ``error``.
    """

    level: str
    about: str
    what: str
    remedy: str = ""
