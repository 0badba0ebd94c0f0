"""A table of characters is drawn as Lino's tested documents show it, and reads back as the same cells (row F7)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from textwrap import dedent

import pytest
from docutils.parsers.rst.tableparser import GridTableParser, SimpleTableParser
from docutils.statemachine import StringList
from hypothesis import given
from hypothesis import strategies as st

from flask_notify.actions.renderers.drawing import draw_heading, draw_list, draw_table, lines_of, width

# docutils loses its place in a line with combining characters: they have an example of their own.
characters = st.characters(exclude_categories=["Cs", "Mn", "Me", "Mc"]) | st.sampled_from("+|-=\\ \n*`咖ー")
texts = st.text(characters, max_size=12)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]], list[bool]]:
    """Draw headers, rows, and which columns are aligned at the right."""
    count = draw(st.integers(1, 4))
    line = st.lists(texts, min_size=count, max_size=count)
    return (
        draw(line),
        draw(st.lists(line, min_size=1, max_size=4)),
        draw(st.lists(st.booleans(), min_size=count, max_size=count)),
    )


def cells_of(drawn: str) -> list[list[list[str]]]:
    """Return the lines of each cell of each row, the headers first, as docutils reads them."""
    block = StringList(drawn.rstrip("\n").split("\n"), "test")
    block.pad_double_width("\0")
    parser = GridTableParser() if drawn.startswith("+") else SimpleTableParser()
    _columns, head, body = parser.parse(block)
    return [[_lines(cell[3]) for cell in row] for row in [*head, *body]]


def _lines(cell: Sequence[str]) -> list[str]:
    lines = [line.replace("\0", "").rstrip() for line in cell]
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    margin = min((len(line) - len(line.lstrip()) for line in lines if line), default=0)
    return [line[margin:] for line in lines] or [""]


def _aligned(rows: list[list[list[str]]], numeric: list[bool]) -> list[list[list[str]]]:
    """Leave out the spaces by which lines are aligned at the right."""
    return [
        [[line.strip() for line in cell] if right else cell for cell, right in zip(row, numeric, strict=True)]
        for row in rows
    ]


def test_a_table_is_drawn_as_lino_prints_it() -> None:
    rows = [["1", "Tea", "12.50"], ["2", "Coffee", ""], ["12", "Water", "3.00"]]

    assert draw_table(["ID", "Title", "Price"], rows, [True, False, True]) == dedent(
        """\
        ==== ======== =======
         ID   Title    Price
        ---- -------- -------
          1   Tea      12.50
          2   Coffee
         12   Water     3.00
        ==== ======== =======
        """
    )


def test_a_cell_of_several_lines_spans_several_lines() -> None:
    rows = [["ann", "Milk first?\n\nOr last?"], ["bob", "Never."]]

    assert draw_table(["By", "Text"], rows, [False, False]) == dedent(
        """\
        ===== =============
         By    Text
        ----- -------------
         ann   Milk first?

               Or last?
         bob   Never.
        ===== =============
        """
    )


def test_a_first_cell_of_several_lines_makes_it_a_grid() -> None:
    rows = [["Milk first?\nOr last?", "1"], ["Never.", "20"]]

    assert draw_table(["Text", "No."], rows, [False, True]) == dedent(
        """\
        +-------------+-----+
        | Text        | No. |
        +=============+=====+
        | Milk first? |   1 |
        | Or last?    |     |
        +-------------+-----+
        | Never.      |  20 |
        +-------------+-----+
        """
    )


def test_a_row_that_begins_with_nothing_is_a_row_of_its_own() -> None:
    drawn = draw_table(["By", "Text"], [["ann", "Tea"], ["", "Coffee"]], [False, False])

    assert drawn.splitlines()[4] == " \\     Coffee"
    assert cells_of(drawn)[2] == [["\\"], ["Coffee"]]


@pytest.mark.parametrize(
    "text, places",
    [("tea", 3), ("咖啡", 4), ("e\u0301te\u0301", 3), ("ｔｅａ", 6), ("ﾃｨ", 2), ("🫖", 2), ("שלום", 4)],
)
def test_places_are_counted_as_they_are_seen(text: str, places: int) -> None:
    assert width(text) == places

    drawn = draw_table(["Name", "Next"], [[text, "|"], ["tea", "|"]], [False, False])
    at = {width(line[: line.index("|")]) for line in drawn.splitlines() if "|" in line}
    assert at == {width(" " + max(text, "Name", "tea", key=width) + "   ")}


@given(tables())
def test_a_table_reads_back_as_the_same_cells(table: tuple[list[str], list[list[str]], list[bool]]) -> None:
    headers, rows, numeric = table
    drawn = draw_table(headers, rows, numeric)

    read = cells_of(drawn)

    expected = [[lines_of(cell) for cell in row] for row in [headers, *rows]]
    if not drawn.startswith("+"):
        expected = [[["\\"] if row[0] == [""] else row[0], *row[1:]] for row in expected]
    assert _aligned(read, numeric) == _aligned(expected, numeric)


@given(tables())
def test_every_line_of_a_table_is_as_long_as_its_border_at_most(
    table: tuple[list[str], list[list[str]], list[bool]],
) -> None:
    lines = draw_table(*table).split("\n")

    assert max(width(line) for line in lines) == width(lines[0])


@given(st.lists(st.text(), min_size=1, max_size=3))
def test_no_text_gives_a_command_to_a_terminal(row: list[str]) -> None:
    drawn = draw_table(["Column"] * len(row), [row], [False] * len(row)) + draw_list(row)

    assert {char for char in drawn if unicodedata.category(char) == "Cc"} <= {"\n"}


@pytest.mark.parametrize(
    "level, expected",
    [
        (1, "===\nTea\n===\n\n"),
        (2, "---\nTea\n---\n\n"),
        (3, "~~~\nTea\n~~~\n\n"),
        (4, "Tea\n===\n\n"),
        (6, "Tea\n~~~\n\n"),
    ],
)
def test_headings_have_the_lines_of_their_level(level: int, expected: str) -> None:
    assert draw_heading(level, "Tea") == expected


@pytest.mark.parametrize("level", [0, 7])
def test_a_heading_of_another_level_is_refused(level: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to 6, got {level}"):
        draw_heading(level, "Tea")


def test_an_entry_of_a_list_may_have_several_lines() -> None:
    assert draw_list(["Tea", "Milk first?\n\nOr last?"]) == "- Tea\n- Milk first?\n\n  Or last?\n"
