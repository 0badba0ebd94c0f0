"""Accounts: register, log in, log out."""

from .routes import blueprint

__all__ = ["blueprint"]
