"""Discussions: threads, and comments on them."""

from .routes import blueprint

__all__ = ["blueprint"]
