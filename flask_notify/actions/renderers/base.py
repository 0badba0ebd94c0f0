"""What every renderer can do, and what it does the same in all of them (row F7)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol, cast

from flask import current_app
from markupsafe import Markup
from sqlalchemy import Select

from ...errors import InvalidMessage, InvalidTable
from ...language import in_language, ngettext
from ...mailing.letter import Links
from ...messages.richtext import check_url
from ...site import visited
from .. import records
from ..clock import ReadersClock
from ..tables import Table, Wanted, table_of
from ..values import is_object, plain, text_of
from .buttons import Button, button_of, own_button_of


class Renderer(Protocol):
    """A form in which a request shows things; ``ar`` is the :class:`.ActionRequest`."""

    def show(self, ar: Any, spec: Any, column_names: Any = None, master_instance: Any = None, **options: Any) -> Any:
        """Return rows as a table, a list or a summary."""

    def obj2html(self, ar: Any, obj: Any, text: str | None = None, **attributes: Any) -> Markup:
        """Return a link to an object, or its text where it has no page."""

    def obj2str(self, ar: Any, obj: Any) -> str:
        """Return an object's text."""

    def data_record(self, ar: Any, obj: Any, *, navinfo: bool | Select[Any] = False) -> dict[str, Any]:
        """Return one record with ``id``, ``title``, ``data``, ``navinfo`` and ``disable_delete``."""

    def create_instance(self, ar: Any, model: type[Any], **values: Any) -> Any:
        """Return a new object with the request's known values and master; it is not added to the session."""

    def action_button(self, ar: Any, action: Any, row: Any = None, *, label: str | None = None) -> Any:
        """Return a button that runs an action on a row."""

    def ar2button(self, ar: Any, *, label: str | None = None) -> Any:
        """Return a button that runs the request itself."""

    def row_action_button(self, ar: Any, row: Any, *, label: str | None = None) -> Any:
        """Return a button that runs the request's action on a row."""

    def is_obvious_field(self, ar: Any, name: str, model: Any = None) -> bool:
        """Whether a field is the same in all rows of a request."""


@dataclass(frozen=True)
class Display:
    """How rows are shown.

    :param display_mode: ``table``, ``list`` (an entry for each row) or ``summary`` (all rows in one line).
    :param nosummary: shows a table where a summary was asked for.
    :param limit: how many rows are shown; None is 15, and 0 all of them.
    :param title: what is shown; the default is the model's.
    :param header_level: shows the title as a heading of that level, 1 to 6.
    :param no_data_text: what stands there instead of no rows.
    :param show_links: makes a link of what has a page: in text as its address, in HTML of each row, too.
    :param language: of labels and values, as in "de"; the default is the current one.
    :param known_values: only rows with these values, of a model or a ``select()``.
    """

    display_mode: Literal["table", "list", "summary"] = "table"
    nosummary: bool = False
    limit: int | None = None
    title: str | None = None
    header_level: int | None = None
    no_data_text: str | None = None
    show_links: bool = False
    language: str | None = None
    known_values: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Display:
        """Check the options of ``show()``.

        :raises InvalidTable: if one is not known, or not what it should be.
        """
        known = [each.name for each in fields(cls)]
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise InvalidTable(f"show() takes the options {', '.join(known)}, got {', '.join(unknown)}.")
        display = cls(**options)
        if display.display_mode not in ("table", "list", "summary"):
            raise InvalidTable(f"A display_mode must be 'table', 'list' or 'summary', got {display.display_mode!r}.")
        if display.header_level not in (None, 1, 2, 3, 4, 5, 6):
            raise InvalidTable(f"A header_level must be from 1 to 6, or None, got {display.header_level!r}.")
        return display

    def wanted(self, column_names: Any, master_instance: Any) -> Wanted:
        """Return what of the rows is wanted."""
        narrowed = self.known_values, self.limit
        return Wanted(column_names, master_instance, *narrowed, self.title, self.no_data_text)


@dataclass(frozen=True)
class Page:
    """A table that is being shown.

    :param ar: the request that shows it.
    """

    ar: Any
    table: Table
    display: Display
    clock: ReadersClock

    @property
    def and_more(self) -> str:
        """What tells of the rows that are not shown: "and 3 more"; empty if all are."""
        more = self.table.more
        return ngettext("and %(num)d more", "and %(num)d more", more) if more else ""


class BaseRenderer(ABC):
    """What is the same in all renderers."""

    def show(self, ar: Any, spec: Any, column_names: Any = None, master_instance: Any = None, **options: Any) -> Any:
        """Return rows as a table, a list or a summary.

        The same rules hold in every renderer: dates, numbers, choices and other objects read alike, what the columns
        lead through is loaded for all rows at once, and a row that ``visible_to(user, ids)`` of its model
        hides from the request's user is not shown.

        :param spec: a model, a ``select()`` of one, objects, or the collection of a relationship.
        :param column_names: names with spaces between them, or a list of names, functions of the row, and pairs of a
            label and a function. A name may lead through others, as in ``author.name``. The default is all
            fields of the model but the secret ones.
        :param master_instance: only rows that point at this object; it has no column then.
        :param options: as of :class:`Display`.
        :raises InvalidTable: for what cannot be shown.
        """
        display = Display.of(options)
        with _visiting(), nullcontext() if display.language is None else in_language(display.language):
            table = table_of(ar.user, spec, display.wanted(column_names, master_instance))
            page = Page(ar, table, display, ReadersClock(ar.user))
            if display.display_mode == "list":
                return self.show_list(page)
            if display.display_mode == "summary" and not display.nosummary:
                return self.show_summary(page)
            return self.show_table(page)

    @abstractmethod
    def show_table(self, page: Page) -> Any:
        """Return rows with their columns."""

    @abstractmethod
    def show_list(self, page: Page) -> Any:
        """Return an entry for each row, as its ``as_summary_row(ar)`` says, else by its text."""

    @abstractmethod
    def show_summary(self, page: Page) -> Any:
        """Return all rows in one line, likewise."""

    def obj2html(self, ar: Any, obj: Any, text: str | None = None, **attributes: Any) -> Markup:
        """Return a link to an object, or its text where it has no page.

        An object has a page where its model has ``get_absolute_url()`` or ``notify_url``, as an attribute or a
        method, and that is an address by http or https, or a path of this site.

        :param text: what is read; the default is the object's text.
        :param attributes: of the link, as in ``title="…"``; an underscore at the end is left out, as in ``class_``.
        """
        words = text_of(obj) if text is None else text
        address = address_of(ar, obj)
        if address is None:
            return Markup("{}").format(words)
        pieces = [Markup(' {}="{}"').format(_attribute(name), value) for name, value in attributes.items()]
        return Markup('<a href="{}"{}>{}</a>').format(address, Markup("").join(pieces), words)

    def obj2str(self, ar: Any, obj: Any) -> str:  # noqa: ARG002  # of the protocol
        """Return what an object is called: its text where its class says so, else its name, title, or key."""
        return text_of(obj)

    def data_record(self, ar: Any, obj: Any, *, navinfo: bool | Select[Any] = False) -> dict[str, Any]:
        """Return one record; see :func:`flask_notify.actions.records.data_record`."""
        with _visiting():
            return records.data_record(ar, obj, navinfo=navinfo)

    def create_instance(self, ar: Any, model: type[Any], **values: Any) -> Any:
        """Return a new object; see :func:`flask_notify.actions.records.create_instance`."""
        return records.create_instance(ar, model, **values)

    def is_obvious_field(self, ar: Any, name: str, model: Any = None) -> bool:
        """Whether a field is the same in all rows of a request: it is known, or it points at the master.

        :param model: of the rows; the default is the target of the request's action.
        """
        rows = model if model is not None or ar.action is None else ar.action.target
        return records.is_obvious_field(ar, rows, name)

    def action_button(self, ar: Any, action: Any, row: Any = None, *, label: str | None = None) -> Any:
        """Return a button that runs an action; disabled where the request's user may not.

        :param action: its class or name.
        :param row: the object on which.
        :param label: what stands on it; the default is the action's.
        :raises UnknownAction: if it was not declared.
        """
        with _visiting():
            return self.draw_button(button_of(ar, action, row, label))

    def row_action_button(self, ar: Any, row: Any, *, label: str | None = None) -> Any:
        """Return a button that runs the request's own action on a row, likewise."""
        return self.action_button(ar, type(ar.action), row, label=label)

    def ar2button(self, ar: Any, *, label: str | None = None) -> Any:
        """Return a button that runs the request itself, on its own row, likewise."""
        with _visiting():
            return self.draw_button(own_button_of(ar, label))

    @abstractmethod
    def draw_button(self, button: Button) -> Any:
        """Return a button."""


def address_of(ar: Any, obj: Any) -> str | None:
    """Return where an object's page is; None if it has none.

    It is absolute, by ``NOTIFY_BASE_URL``, where the request has ``permalink_uris``.
    """
    with _visiting():
        url = url_of(obj)
    if url is None:
        return None
    try:
        check_url(url)
    except InvalidMessage:
        return None  # such as javascript:, where the address is somebody's data
    return permalink(url) if ar.permalink_uris and url.startswith("/") else url


def permalink(path: str) -> str:
    """Return the absolute address of a path of this site.

    :raises ConfigurationError: without ``NOTIFY_BASE_URL``.
    """
    state = current_app.extensions["notify"]
    links = Links(current_app._get_current_object(), state.settings)  # type: ignore[attr-defined]  # a proxy
    return links.origin + path


def url_of(obj: Any) -> str | None:
    """Return the path of an object's page: of its ``get_absolute_url()``, else of its ``notify_url``."""
    for name in ("get_absolute_url", "notify_url"):
        found = getattr(obj, name, None)
        if found is not None:
            url = found() if callable(found) else found
            return None if url is None else str(url)
    return None


def summary_of(ar: Any, row: Any) -> Any:
    """Return how a row sums itself up by ``as_summary_row(ar)``: a text or ``Markup``; None if it does not."""
    sum_up = getattr(row, "as_summary_row", None)
    return sum_up(ar) if callable(sum_up) else None


def plain_summary_of(ar: Any, row: Any) -> str:
    """Return in one line of text how a row sums itself up, else what it reads as."""
    found = summary_of(ar, row)
    return " ".join((text_of(row) if found is None else plain(found)).split())


def has_page(value: Any) -> bool:
    """Whether a value may have a page of its own."""
    return is_object(value) or hasattr(value, "get_absolute_url") or hasattr(value, "notify_url")


def _attribute(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


@contextmanager
def _visiting() -> Iterator[None]:
    """Let url_for() work in a shell or a job, too."""
    with visited(cast("str | None", current_app.extensions["notify"].settings.base_url)):
        yield
