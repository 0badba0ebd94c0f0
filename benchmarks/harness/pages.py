"""Tables for the terminal and for the documentation, and what was reached."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
"""The databases, as readers know them."""

Rows = list[tuple[str, ...]]
"""A table, the header first."""


def terminal(rows: Rows) -> str:
    """Return a table as aligned text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return "\n".join(lines)


def verdict(reached: bool, what: str, got: float, target: str) -> str:
    """Return a line that says whether a target was reached."""
    return f"{'reached' if reached else 'MISSED '}  {what}: {got:.2f} (target {target})"


def heading(text: str, line: str) -> str:
    """Return a heading in reStructuredText."""
    return f"{text}\n{line * len(text)}\n"


def list_table(rows: Rows) -> str:
    """Return a table in reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        marks = ["   * -", *["     -"] * (len(row) - 1)]
        lines += [f"{mark} {cell}" for mark, cell in zip(marks, row, strict=True)]
    return "\n".join(lines) + "\n"


def literal(lines: Sequence[str]) -> str:
    """Return lines in reStructuredText, as they are."""
    return "\n".join(["::", "", *(f"   {line}" for line in lines)]) + "\n"


def spread(values: Sequence[float], form: str = ",.0f") -> str:
    """Return the median, and between which values the rounds lay."""
    middle = format(median(values), form)
    return middle if len(values) == 1 else f"{middle} ({min(values):{form}}–{max(values):{form}})"
