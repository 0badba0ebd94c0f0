"""The kinds of application that the extension must work in: keys × bases × databases."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from tests.apps import BASES, KEYS
from tests.servers import DATABASE_NAMES


class Variant(NamedTuple):
    """One kind of application."""

    key: str
    base: str
    database: str


def whole() -> list[Variant]:
    """Return every combination."""
    return [Variant(*names) for names in product(KEYS, BASES, DATABASE_NAMES)]


def pairwise() -> list[Variant]:
    """Return a third of them, in which every two choices meet: a Latin square."""
    return [
        Variant(key, base, DATABASE_NAMES[(row + column) % len(DATABASE_NAMES)])
        for row, key in enumerate(KEYS)
        for column, base in enumerate(BASES)
    ]
