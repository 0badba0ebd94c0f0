"""Text, as Lino's tested documents show it: for tests, shells and commands (row F7)."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..columns import Column
from ..values import is_many, say, text_of
from .base import BaseRenderer, Page, address_of, has_page, plain_summary_of
from .buttons import Button
from .drawing import draw_heading, draw_list, draw_table, one_line


class TextRenderer(BaseRenderer):
    """Renders a request as text, which it returns and does not print.

    .. code-block:: pycon

        >>> print(ar.show(Thread, "id title author"))
        ==== ======== ========
         ID   Title    Author
        ---- -------- --------
          1   Tea      ann
          2   Coffee   bob
        ==== ======== ========
    """

    def show_table(self, page: Page) -> str:
        """Return a table."""
        table = page.table
        if not table.objects:
            return _heading(page) + table.no_data_text + "\n"
        columns, rows = table.columns, table.rows()
        body = [list(map(partial(_text, page), columns, row)) for row in rows]
        if page.display.show_links:
            for row, each in zip(body, table.objects, strict=True):
                row[0] = _with_address(page, each, row[0])
        drawn = draw_table([one_line(column.label) for column in columns], body, table.numeric(rows))
        return _heading(page) + drawn + (f"\n{page.and_more}\n" if page.and_more else "")

    def show_list(self, page: Page) -> str:
        """Return a list with dashes."""
        if not page.table.objects:
            return _heading(page) + page.table.no_data_text + "\n"
        entries = [_with_address(page, row, plain_summary_of(page.ar, row)) for row in page.table.objects]
        return _heading(page) + draw_list(entries) + (f"\n{page.and_more}\n" if page.and_more else "")

    def show_summary(self, page: Page) -> str:
        """Return one line."""
        entries = [_with_address(page, row, plain_summary_of(page.ar, row)) for row in page.table.objects]
        text = one_line(", ".join(entries)) or page.table.no_data_text
        return _heading(page) + " ".join(filter(None, [text, page.and_more])) + "\n"

    def draw_button(self, button: Button) -> str:
        """Return its label in brackets; in round ones where it is disabled."""
        return f"[{one_line(button.label)}]" if button.permitted else f"({one_line(button.label)})"


def _heading(page: Page) -> str:
    level = page.display.header_level
    return "" if level is None else draw_heading(level, page.table.title)


def _text(page: Page, column: Column, value: Any) -> str:
    if page.display.show_links:
        if is_many(value):
            return ", ".join(" ".join(_text(page, column, each).split()) for each in value)
        if has_page(value):
            return _with_address(page, value, text_of(value))
    return say(column.finish(value), page.clock)


def _with_address(page: Page, obj: Any, text: str) -> str:
    address = address_of(page.ar, obj) if page.display.show_links else None
    return text if address is None else f"{text} ({address})"
