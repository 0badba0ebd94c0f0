"""Hints: which recipients may have news, told from process to process through a broker.

The database is the truth. A hint that is lost, late, or comes twice delays news, and never loses any.
"""
