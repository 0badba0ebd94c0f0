"""Tables, lists and headings drawn with characters, as Lino's tested documents show them (row F7).

What is drawn is reStructuredText, too: it can be pasted into a document, and reads back as the same cells.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_EMPTY = "\\"  # of a row's first cell: a blank one would read as a further line of the row before


def draw_table(headers: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> str:
    """Return a table; a cell of several lines spans several lines.

    It is a simple table. Where the first cell of a row has several lines, which a simple table cannot
    show, it is a grid.

    :param headers: the names of the columns.
    :param rows: the text of each cell.
    :param numeric: for each column, whether its cells are aligned at the right.
    """
    head, *body = ([lines_of(cell) for cell in row] for row in [headers, *rows])
    is_simple = all(len(row[0]) == 1 for row in [head, *body])
    if is_simple:
        for row in [head, *body]:
            row[0] = [row[0][0] or _EMPTY]
    widths = [max(width(line) for row in [head, *body] for line in row[at]) for at in range(len(headers))]
    return (_draw_simple if is_simple else _draw_grid)(head, body, widths, numeric)


def draw_heading(level: int, title: str) -> str:
    """Return a heading: of level 1 to 3 between two lines, of level 4 to 6 above one.

    :raises ValueError: for any other level.
    """
    if not 1 <= level <= 6:
        raise ValueError(f"A heading must have a level from 1 to 6, got {level!r}.")
    text = one_line(title)
    line = "=-~"[(level - 1) % 3] * max(1, width(text))
    return f"{line}\n{text}\n{line}\n\n" if level <= 3 else f"{text}\n{line}\n\n"


def draw_list(entries: Sequence[str]) -> str:
    """Return a list with dashes; further lines of an entry are indented."""
    return "".join("- " + "\n  ".join(lines_of(entry)).replace("\n  \n", "\n\n") + "\n" for entry in entries)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, at least one, without what a terminal would take for a command."""
    lines = text.strip().splitlines() or [""]
    return [_CONTROL.sub("\ufffd", line.expandtabs(4)).rstrip() for line in lines]


def one_line(text: str) -> str:
    """Return a text with all its lines in one."""
    return " ".join(" ".join(lines_of(text)).split())


def width(text: str) -> int:
    """Return how many places a text takes: none for a combining character, two for a wide one."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


_Row = Sequence[Sequence[str]]


def _draw_simple(head: _Row, body: Sequence[_Row], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    def line_of(char: str) -> str:
        return " ".join(char * (wide + 2) for wide in widths)

    lines = [line_of("="), *_draw_row(head, widths, numeric), line_of("-")]
    for row in body:
        lines += _draw_row(row, widths, numeric)
    return "\n".join([*lines, line_of("=")]) + "\n"


def _draw_row(row: _Row, widths: Sequence[int], numeric: Sequence[bool]) -> list[str]:
    height = max(len(cell) for cell in row)
    return ["  ".join(_padded(row, at, widths, numeric)).rstrip() for at in range(height)]


def _draw_grid(head: _Row, body: Sequence[_Row], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    def line_of(char: str) -> str:
        return "+" + "+".join(char * (wide + 2) for wide in widths) + "+"

    lines = [line_of("-")]
    for row in [head, *body]:
        height = max(len(cell) for cell in row)
        lines += ["|" + " |".join(_padded(row, at, widths, numeric)) + " |" for at in range(height)]
        lines.append(line_of("=" if row is head else "-"))
    return "\n".join(lines) + "\n"


def _padded(row: _Row, at: int, widths: Sequence[int], numeric: Sequence[bool]) -> list[str]:
    """Return one line of each cell of a row, with the space before it."""
    columns = zip(row, widths, numeric, strict=True)
    return [" " + _align(cell[at] if at < len(cell) else "", wide, right) for cell, wide, right in columns]


def _align(text: str, wide: int, at_the_right: bool) -> str:
    padding = " " * (wide - width(text))
    return padding + text if at_the_right else text + padding
