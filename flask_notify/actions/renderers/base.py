"""What every renderer can do, and the plain one that code gets by default."""

from __future__ import annotations

from typing import Any, Protocol

from markupsafe import Markup, escape


class Renderer(Protocol):
    """A form in which a request shows things; ``ar`` is the :class:`.ActionRequest`."""

    def show(self, ar: Any, spec: Any, **options: Any) -> Any:
        """Return rows as a table, a list or a summary."""

    def obj2html(self, ar: Any, obj: Any, text: str | None = None, **attributes: Any) -> Markup:
        """Return a link to an object, or its text where it has no page."""

    def obj2str(self, ar: Any, obj: Any) -> str:
        """Return an object's text."""

    def data_record(self, ar: Any, obj: Any, **options: Any) -> dict[str, Any]:
        """Return one record with ``id``, ``title``, ``data``, ``navinfo`` and ``disable_delete``."""

    def create_instance(self, ar: Any, model: type[Any], **values: Any) -> Any:
        """Return a new object with the request's known values and master; it is not added to the session."""

    def action_button(self, ar: Any, action: Any, row: Any = None, **options: Any) -> Any:
        """Return a button that runs an action on a row."""

    def ar2button(self, ar: Any, **options: Any) -> Any:
        """Return a button that runs the request itself."""

    def row_action_button(self, ar: Any, row: Any, **options: Any) -> Any:
        """Return a button that runs the request's action on a row."""


class PlainRenderer:
    """Text, and no more than the least of it."""

    def show(self, ar: Any, spec: Any, **options: Any) -> Any:  # noqa: ARG002  # of the protocol
        """Return the texts of objects in a list, by lines."""
        return "\n".join(map(str, spec))

    def obj2html(self, ar: Any, obj: Any, text: str | None = None, **attributes: Any) -> Markup:  # noqa: ARG002
        """Return an object's text, escaped."""
        return escape(text or str(obj))

    def obj2str(self, ar: Any, obj: Any) -> str:  # noqa: ARG002
        """Return an object's text."""
        return str(obj)

    def data_record(self, ar: Any, obj: Any, **options: Any) -> dict[str, Any]:  # noqa: ARG002
        """Return its title alone."""
        return {"title": str(obj)}

    def create_instance(self, ar: Any, model: type[Any], **values: Any) -> Any:
        """Return a new object."""
        return model(**{**ar.known_values, **values})

    def action_button(self, ar: Any, action: Any, row: Any = None, **options: Any) -> Any:  # noqa: ARG002
        """Return the label in brackets."""
        return f"[{ar.runner.notify.actions.find(action).label}]"

    def ar2button(self, ar: Any, **options: Any) -> Any:  # noqa: ARG002
        """Likewise."""
        return f"[{ar.action.label}]"

    def row_action_button(self, ar: Any, row: Any, **options: Any) -> Any:  # noqa: ARG002
        """Likewise."""
        return f"[{ar.action.label}]"


def url_of(obj: Any) -> str | None:
    """Return the path of an object's page: what its ``get_absolute_url()`` returns, or its ``notify_url``, or None."""
    for name in ("get_absolute_url", "notify_url"):
        found = getattr(obj, name, None)
        if found is not None:
            url = found() if callable(found) else found
            return None if url is None else str(url)
    return None
