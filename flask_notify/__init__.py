"""Live notifications, an inbox and e-mail digests for Flask."""

from __future__ import annotations

__version__ = "0.1.0"
