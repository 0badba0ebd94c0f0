"""JSON: the keys of a response that a client renders by itself (row F7)."""

from __future__ import annotations

from typing import Any

from ..values import as_json, is_object, key_of
from .base import BaseRenderer, Page, plain_summary_of
from .buttons import Button


class JsonRenderer(BaseRenderer):
    """Renders a request as the keys of an :class:`.ActionResponse`: ``ar.set_response(**ar.show(Thread))``.

    They are ``rows``, ``count``, ``title``, ``no_data_text`` and ``navinfo``. A row of a table is a dict by the
    names of the columns; of a list and a summary it has an ``id`` and a ``text``, and so has another object in a cell.
    """

    def show_table(self, page: Page) -> dict[str, Any]:
        """Return a row with the value of each column."""
        names = [column.name for column in page.table.columns]
        rows = [dict(zip(names, map(as_json, row), strict=True)) for row in page.table.rows()]
        return _response(page, rows)

    def show_list(self, page: Page) -> dict[str, Any]:
        """Return a row with key and text."""
        rows = [{"id": _key(row), "text": plain_summary_of(page.ar, row)} for row in page.table.objects]
        return _response(page, rows)

    def show_summary(self, page: Page) -> dict[str, Any]:
        """Return the same as of a list."""
        return self.show_list(page)

    def draw_button(self, button: Button) -> dict[str, Any]:
        """Return what a client needs to draw it, and to run the action."""
        action = button.action
        return {
            "action": action.name,
            "label": button.label,
            "row": button.key,
            "permitted": button.permitted,
            "title": button.title,
            "danger": action.danger,
            "dialog": action.form is not None,
        }


def _response(page: Page, rows: list[dict[str, Any]]) -> dict[str, Any]:
    table = page.table
    keys = [_key(row) for row in table.objects]
    return {
        "title": table.title,
        "rows": rows,
        "count": table.count,
        "no_data_text": table.no_data_text,
        "navinfo": {
            "first": keys[0] if keys else None,
            "prev": None,
            "next": None,
            "last": keys[-1] if keys else None,
            "recno": 1 if keys else 0,
            "count": table.count,
        },
    }


def _key(row: Any) -> Any:
    return as_json(key_of(row)) if is_object(row) else None
