"""What an action answers: keys that are known, whose order never matters (row F2)."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from markupsafe import Markup, escape

from ..errors import InvalidMessage, InvalidResponse, UnknownResponseKey
from ..language import gettext
from ..messages.richtext import check_url, sanitise, to_text


@dataclass(frozen=True)
class ResponseKey:
    """One key of a response: what a right value is, and what it means.

    :param check: returns the value as it is kept; raises ValueError for a wrong one.
    """

    name: str
    expected: str
    check: Callable[[Any], Any]
    meaning: str


@dataclass(frozen=True)
class Question:
    """What an action asks before it goes on.

    :param uid: by which the answer is found again.
    """

    uid: str
    title: str
    text: str

    def to_json(self) -> dict[str, Any]:
        """Return it as the page gets it: the key ``xcallback``."""
        buttons = {"yes": gettext("Yes"), "no": gettext("No")}
        return {"id": self.uid, "title": self.title, "text": self.text, "buttons": buttons}


def text_of(value: Any) -> str:
    """Return a text as it is kept: a str, or limited rich text if it is ``Markup``.

    :raises ValueError: for what is no text; lazy texts are.
    """
    if isinstance(value, Markup):
        return Markup(sanitise(value))  # noqa: S704  # it was sanitised just now
    if value is None or isinstance(value, (bool, int, float, bytes, Mapping, list, tuple, set, type)):
        raise ValueError(value)
    return str(value)


def plain(text: str) -> str:
    """Return the plain form of a text."""
    return to_text(text) if isinstance(text, Markup) else text


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)  # noqa: TRY004  # the caller tells what was expected
    return value


def _flag_or_text(value: Any) -> bool | str:
    return value if isinstance(value, bool) else text_of(value)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(value)
    return value


def _key(value: Any) -> int | str:
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise ValueError(value)  # noqa: TRY004  # likewise
    return value


def _json(value: Any) -> Any:
    json.dumps(value, allow_nan=False)
    return value


def _json_object(value: Any) -> dict[str, Any]:
    return dict(_json(dict(value)))


def _json_list(value: Any) -> list[Any]:
    if isinstance(value, (str, bytes, Mapping)):
        raise ValueError(value)  # noqa: TRY004  # likewise
    return list(_json(list(value)))


def _errors(value: Any) -> dict[str, list[str]]:
    return {str(name): [plain(text_of(text)) for text in _iterated(texts)] for name, texts in dict(value).items()}


def _iterated(texts: Any) -> Iterable[Any]:
    return [texts] if isinstance(texts, str) else texts


def _fragments(value: Any) -> dict[str, Markup]:
    fragments = dict(value)
    for element, html in fragments.items():
        if not isinstance(element, str) or not element or any(char.isspace() for char in element):
            raise ValueError(element)
        if not isinstance(html, Markup):
            raise ValueError(html)  # noqa: TRY004  # likewise
    return fragments


def _path(value: Any) -> str:
    url = check_url(value)
    if not url.startswith("/"):
        raise ValueError(url)
    return url


def _made_by_confirm(value: Any) -> Any:
    if not isinstance(value, Question):
        raise ValueError(value)  # noqa: TRY004  # likewise
    return value


_TEXT = "a text"
_FLAG = "True or False"

RESPONSE_KEYS: dict[str, ResponseKey] = {
    key.name: key
    for key in (
        ResponseKey("success", _FLAG, _flag, "Whether it was done. Once it is False it stays so, and nothing is kept."),
        ResponseKey("message", _TEXT, text_of, "What to tell the user: a toast, or a dialog with ``alert``."),
        ResponseKey(
            "alert",
            "True, False or a text, which is the dialog's title",
            _flag_or_text,
            "Whether the message is so important that the user is to close it in a dialog.",
        ),
        ResponseKey(
            "errors",
            "texts or lists of texts by the names of fields",
            _errors,
            "What is wrong with the parameters, shown beside the fields.",
        ),
        ResponseKey(
            "info_message", _TEXT, text_of, "A further toast. Several calls of ``ar.info()`` add up, by lines."
        ),
        ResponseKey("warning_message", _TEXT, text_of, "Likewise, as a warning: ``ar.warning()``."),
        ResponseKey("debug_message", _TEXT, text_of, "Likewise for developers: ``ar.debug()``, only while debugging."),
        ResponseKey("title", _TEXT, text_of, "The title of the window or part of the page that shows the response."),
        ResponseKey("rows", "a list of JSON values", _json_list, "Rows of a table, made by ``ar.show()``."),
        ResponseKey("no_data_text", _TEXT, text_of, "What to say where there are no rows."),
        ResponseKey("count", "a whole number, at least 0", _count, "How many rows there are in all."),
        ResponseKey("navinfo", "a dict of JSON values", _json_object, "Where a record stands among the others."),
        ResponseKey("data_record", "a dict of JSON values", _json_object, "One record, made by ``ar.data_record()``."),
        ResponseKey("record_id", "a key: int, str or UUID", _key, "The record to go to."),
        ResponseKey("record_deleted", _FLAG, _flag, "Whether the record on which it ran is gone from the page, too."),
        ResponseKey(
            "refresh",
            _FLAG,
            _flag,
            "Whether what the page shows is to be fetched anew: its parts that are marked so, else all of it.",
        ),
        ResponseKey("refresh_all", _FLAG, _flag, "Whether the whole page is to be loaded anew."),
        ResponseKey(
            "goto_url",
            "a path of this site that begins with one slash",
            _path,
            "Where to go, in place of the current page.",
        ),
        ResponseKey(
            "open_url",
            "an address of this site, or http(s) with a host in NOTIFY_ACTION_HOSTS",
            check_url,
            "What to open beside the current page.",
        ),
        ResponseKey("close_window", _FLAG, _flag, "Whether the open dialog is to be closed."),
        ResponseKey("xcallback", "made by ar.confirm() only", _made_by_confirm, "A question to the user."),
        ResponseKey("active_tab", "a key: int, str or UUID", _key, "Which tab of the page is to be in front."),
        ResponseKey(
            "html",
            "Markup by the ids of elements",
            _fragments,
            "What is to take the place of elements of the page: rendered by templates.",
        ),
    )
}
"""The keys that a response can have, in the order in which it tells them."""


class ActionResponse:
    """What an action answers. What is given for a key is kept until the action has ended; the last of one key counts.

    What came with ``success=False`` stays, whatever is said before or after: an action of which one part
    has failed has failed. The keys are attributes; one that was not given is None.

    :param hosts: the hosts that ``open_url`` may lead to, beside paths of this site.
    """

    def __init__(self, hosts: Collection[str] = ()) -> None:
        self._hosts = hosts
        self._values: dict[str, Any] = {}
        self._failure: dict[str, Any] = {}

    def update(self, **keys: Any) -> None:
        """Set keys; None leaves a key as it is.

        :raises UnknownResponseKey: if there is no such key; nothing is set then.
        :raises InvalidResponse: if a value is not what its key expects; likewise.
        """
        checked = {name: self._checked(name, value) for name, value in keys.items()}
        given = {name: value for name, value in checked.items() if value is not None}
        layer = self._failure if given.get("success") is False else self._values
        layer.update(given)

    def _checked(self, name: str, value: Any) -> Any:
        key = RESPONSE_KEYS.get(name)
        if key is None:
            raise UnknownResponseKey(f"A response has the keys {', '.join(RESPONSE_KEYS)}; got {name!r}.")
        if value is None:
            return None
        try:
            checked = key.check(value)
            if name == "open_url":
                self._check_host(checked)
        except (ValueError, TypeError, RecursionError, InvalidMessage):
            raise InvalidResponse(
                f"The key {name!r} of a response must be {key.expected}, got {value!r:.200}"
            ) from None
        return checked

    def _check_host(self, url: str) -> None:
        if url.startswith("/"):
            return
        parts = urlsplit(url)
        own_port = ":443" if parts.scheme == "https" else ":80"
        if parts.netloc.lower().removesuffix(own_port) not in self._hosts:
            raise ValueError(url)

    @property
    def failed(self) -> bool:
        """Whether ``success`` is False."""
        return bool(self._failure)

    def __getattr__(self, name: str) -> Any:
        if name not in RESPONSE_KEYS:
            raise AttributeError(f"A response has the keys {', '.join(RESPONSE_KEYS)}; got {name!r}.")
        return self._failure.get(name, self._values.get(name))

    def __contains__(self, name: object) -> bool:
        return name in self._failure or name in self._values

    def __repr__(self) -> str:
        return f"<ActionResponse {self.to_dict()!r}>"

    def __html__(self) -> str:
        return str(self.html_of("message"))

    def html_of(self, name: str) -> Markup:
        """Return one of the texts as HTML: escaped, unless it was given as ``Markup``, which was sanitised."""
        return escape(getattr(self, name) or "")

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that were set, in the order of :data:`RESPONSE_KEYS`."""
        return {name: getattr(self, name) for name in RESPONSE_KEYS if name in self}

    def to_json(self) -> dict[str, Any]:
        """Return the keys that were set as JSON values. Texts are text: only what is in ``html`` is HTML."""
        return {name: _to_json(value) if name != "html" else dict(value) for name, value in self.to_dict().items()}


def _to_json(value: Any) -> Any:
    if isinstance(value, Question):
        return value.to_json()
    return plain(value) if isinstance(value, str) else value
