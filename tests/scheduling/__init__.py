"""Schedulers as real processes."""
