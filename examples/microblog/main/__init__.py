"""Posts and people."""

from .routes import blueprint

__all__ = ["blueprint"]
