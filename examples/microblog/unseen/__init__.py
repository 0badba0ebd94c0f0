"""Sorting through what one has not seen yet."""

from .routes import blueprint

__all__ = ["blueprint"]
