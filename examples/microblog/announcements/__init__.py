"""What administrators tell everybody."""

from .routes import blueprint

__all__ = ["blueprint"]
