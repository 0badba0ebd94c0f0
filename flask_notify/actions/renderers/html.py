"""HTML: for pages, fragments of a response, and mails (row F7)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time
from functools import partial
from typing import Any

from flask import url_for
from markupsafe import Markup, escape

from ..columns import Column
from ..values import is_many, machine_time, say
from .base import BaseRenderer, Page, has_page, permalink, summary_of
from .buttons import Button

_makers: list[Callable[[Button], Markup]] = []


def use_button(maker: Callable[[Button], Markup]) -> None:
    """Let buttons on a page be made by a function: the one that knows of forms and tokens."""
    _makers[:] = [maker]


class HtmlRenderer(BaseRenderer):
    """Renders a request as HTML. All that is not ``Markup`` is escaped, and only code makes ``Markup``."""

    def show_table(self, page: Page) -> Markup:
        """Return a ``<table>`` with a caption."""
        if not page.table.objects:
            return _no_data(page)
        columns, rows = page.table.columns, page.table.rows()
        classes = [Markup(' class="notify-number"') if numeric else "" for numeric in page.table.numeric(rows)]
        head = Markup("").join(
            Markup('<th scope="col"{}>{}</th>').format(*each)
            for each in zip(classes, [column.label for column in columns], strict=True)
        )
        body = Markup("\n").join(map(partial(self._row, page, classes), page.table.objects, rows))
        foot = Markup('\n<tfoot>\n<tr><td colspan="{}">{}</td></tr>\n</tfoot>').format(len(columns), page.and_more)
        return Markup(
            '<table class="notify-table">\n<caption>{}</caption>\n<thead>\n<tr>{}</tr>\n</thead>\n'
            "<tbody>\n{}\n</tbody>{}\n</table>\n"
        ).format(_title(page), head, body, foot if page.and_more else "")

    def show_list(self, page: Page) -> Markup:
        """Return a ``<ul>``."""
        if not page.table.objects:
            return _no_data(page)
        entries = [Markup("<li>{}</li>\n").format(self._entry(page, row)) for row in page.table.objects]
        if page.and_more:
            entries.append(Markup('<li class="notify-more">{}</li>\n').format(page.and_more))
        return _heading(page) + Markup('<ul class="notify-rows">\n{}</ul>\n').format(Markup("").join(entries))

    def show_summary(self, page: Page) -> Markup:
        """Return a ``<p>``."""
        if not page.table.objects:
            return _no_data(page)
        line = Markup(", ").join(self._entry(page, row) for row in page.table.objects)
        more = f" {page.and_more}" if page.and_more else ""
        return _heading(page) + Markup('<p class="notify-summary">{}{}</p>\n').format(line, more)

    def _row(self, page: Page, classes: list[Markup | str], row: Any, values: list[Any]) -> Markup:
        cells = list(map(partial(self._cell, page), page.table.columns, values))
        if page.display.show_links and "<a " not in cells[0]:
            cells[0] = self.obj2html(page.ar, row, text=cells[0])
        parts = [Markup("<td{}>{}</td>").format(*each) for each in zip(classes, cells, strict=True)]
        return Markup("<tr>{}</tr>").format(Markup("").join(parts))

    def _cell(self, page: Page, column: Column, value: Any) -> Markup:
        if isinstance(value, Markup):
            return value
        if is_many(value):
            return Markup(", ").join(self._cell(page, column, each) for each in value)
        if has_page(value):
            return self.obj2html(page.ar, value)
        text = say(column.finish(value), page.clock)
        if isinstance(value, (date, time)):
            return Markup('<time datetime="{}">{}</time>').format(machine_time(value), text)
        return Markup("<br>\n").join(escape(line) for line in text.strip().splitlines())

    def _entry(self, page: Page, row: Any) -> Markup:
        found = summary_of(page.ar, row)
        return self.obj2html(page.ar, row) if found is None else escape(found)

    def draw_button(self, button: Button) -> Markup:
        """Return a form with a button; in a mail (``permalink_uris``) a link to the page of its dialog."""
        if _makers and not button.ar.permalink_uris:
            return _makers[0](button)
        title = Markup("") if button.title is None else Markup(' title="{}"').format(button.title)
        if not button.permitted:
            return Markup('<span class="notify-button" role="link" aria-disabled="true"{}>{}</span>').format(
                title, button.label
            )
        # The key is a value of the query, whatever it is.
        path = url_for("notify.action", name=button.action.name, row=button.key)
        address = permalink(path) if button.ar.permalink_uris else path
        return Markup('<a class="notify-button" href="{}"{}>{}</a>').format(address, title, button.label)


def _title(page: Page) -> Markup:
    level = page.display.header_level
    title = escape(page.table.title)
    return title if level is None else Markup("<h{0}>{1}</h{0}>").format(level, title)


def _heading(page: Page) -> Markup:
    return Markup("") if page.display.header_level is None else _title(page) + Markup("\n")


def _no_data(page: Page) -> Markup:
    return _heading(page) + Markup('<p class="notify-no-data">{}</p>\n').format(page.table.no_data_text)
