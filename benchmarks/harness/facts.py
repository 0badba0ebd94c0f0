"""What a reader has to know of the machine to compare these figures with others."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

OURS = ("Flask", "Flask-SQLAlchemy", "SQLAlchemy", "psycopg")
"""Packages that take part in everything."""

DJANGO = ("Django", "django-notifications-hq")


def machine() -> str:
    """Return the processor, the cores and the memory."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GB of memory"


def versions(*more: str) -> str:
    """Return the versions of everything that takes part, but the databases.

    :param more: packages that take part in one benchmark alone.
    """
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return ", ".join([python, *(f"{package} {version(package)}" for package in (*OURS, *more))])


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
