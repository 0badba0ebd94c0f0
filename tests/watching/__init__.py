"""Watched objects: what is noticed of them, and what is told."""
