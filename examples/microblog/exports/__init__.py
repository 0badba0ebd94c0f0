"""Take one's posts away: work in the background that tells how far it is."""

from .routes import blueprint

__all__ = ["blueprint"]
