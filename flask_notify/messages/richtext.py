"""Text that may hold links, emphasis and lists, its plain form, and which addresses it may lead to (row B13)."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import SplitResult, urlsplit

import nh3
from markupsafe import escape

from ..errors import InvalidMessage
from ..models.columns import MAX_URL

MAX_TAGS = 2_000
"""Tags that one text may have: badly nested ones take a parser more than linear time."""

_MAX_PASSES = 10
_TAGS = {"a", "b", "br", "code", "em", "i", "li", "ol", "p", "strong", "ul"}
_ATTRIBUTES = {"a": {"href"}, "*": set[str]()}
_DROPPED_WHOLE = {"script", "style", "template", "title"}
_SCHEMES = {"http", "https", "mailto"}
_IS_A_LINK = "http:// or https:// and a host, or a path of this site that begins with one slash"

# Of HTML that was sanitised, where a tag is never left open and a quote never unescaped.
_TOKEN = re.compile(r'<(?P<end>/?)(?P<tag>[a-z]+)(?: href="(?P<href>[^"]*)")?[^>]*>|(?P<text>[^<]+)')
_SPACE = re.compile(r"[ \t\n\r\f\xa0]+")
_OWN_PATH = re.compile(r'(<a href=")(?=/)')


def sanitise(html: str) -> str:
    """Return HTML of which only links, emphasis, code, paragraphs, line breaks and lists are left.

    A link leads by http, https or mailto, or to a path of this site; any other loses its address.

    :raises InvalidMessage: if there are more than :data:`MAX_TAGS` tags, or they are nested beyond repair.
    """
    text = html
    for _ in range(_MAX_PASSES):
        if text.count("<") > MAX_TAGS:
            break
        clean = _clean(text)
        # What a browser reads of it must be what was judged: a link in a table in a link is two
        # links one after the other, once the table is gone.
        if clean == text:
            return clean
        text = clean
    raise InvalidMessage(
        f"A rich text must have at most {MAX_TAGS} tags, sensibly nested, got others in {html[:40]!r}…. "
        "Shorten it, or give it as plain text."
    )


def _clean(html: str) -> str:
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        clean_content_tags=_DROPPED_WHOLE,
        attribute_filter=_keep_address,
        url_schemes=_SCHEMES,
        link_rel="noopener nofollow",
    )


def with_base(clean: str, base_url: str) -> str:
    """Return sanitised HTML in which the paths of this site have become absolute addresses."""
    return _OWN_PATH.sub(lambda start: start[0] + str(escape(base_url)), clean)


def to_text(html: str, base_url: str = "") -> str:
    """Return the plain form of a rich text, for a mail or the desktop: links as "text (address)", lists with dashes.

    :param base_url: what the paths of this site begin with.
    :raises InvalidMessage: as :func:`sanitise`.
    """
    writer = _PlainWriter(base_url)
    for token in _TOKEN.finditer(sanitise(html)):
        if token["text"] is not None:
            writer.write(unescape(token["text"]))
        elif token["end"]:
            writer.end(token["tag"])
        else:
            writer.begin(token["tag"], unescape(token["href"] or ""))
    return writer.text()


def check_url(url: str) -> str:
    """Return an address that a message may lead to.

    :raises InvalidMessage: if it is neither http(s) nor a path of this site, hides where it
        leads, or is longer than 2,000 characters.
    """
    if not isinstance(url, str) or not _leads_somewhere(url):
        raise InvalidMessage(
            f"A message's url must be {_IS_A_LINK}, without spaces, backslashes or a user name, got {url!r:.200}. "
            "Build it with url_for()."
        )
    if len(url) > MAX_URL:
        raise InvalidMessage(
            f"A message's url must have at most {MAX_URL} characters, got {len(url)}: {url!r:.200}. Shorten its query."
        )
    return url


def _leads_somewhere(url: str) -> bool:
    # Browsers drop control characters, and read a backslash as a slash: /\example.org is another host.
    if not url.isprintable() or set(url) & set(' \\"<>'):
        return False
    if url.startswith("/"):
        return not url.startswith("//")
    parts = _split(url)
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises, too
    except ValueError:
        return None
    return parts


def _keep_address(_tag: str, attribute: str, value: str) -> str | None:
    if attribute != "href":
        return value  # the rel that was set
    address = value.strip(" \t\n\r\f")
    if address.lower().startswith("mailto:"):
        return address if address.isprintable() and not set(address) & set(' \\"<>') else None
    return address if _leads_somewhere(address) else None


class _PlainWriter:
    """Writes lines of plain text. White space is as HTML has it: a run of it is one space."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._pieces: list[str] = []
        self._breaks = 0  # line breaks that the next piece is to begin with
        self._space = False
        self._indent = ""
        self._lists: list[int | None] = []  # of each open list: the number of its last entry, or None for dashes
        self._link: tuple[str, int] | None = None

    def write(self, text: str) -> None:
        words = _SPACE.sub(" ", text)
        if words.startswith(" "):
            self._space = True
        if words.strip(" "):
            self._put(words.strip(" "))
            self._space = words.endswith(" ")

    def begin(self, tag: str, href: str) -> None:
        if tag == "br":
            self._breaks = max(self._breaks, 0) + 1
        elif tag == "p":
            self._break(2)
        elif tag in ("ul", "ol"):
            self._break(1 if self._lists else 2)
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._begin_entry()
        elif tag == "a":
            self._link = (href, len(self._pieces))

    def end(self, tag: str) -> None:
        if tag == "p":
            self._break(2)
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
            self._indent = "  " * len(self._lists)
            self._break(1 if self._lists else 2)
        elif tag == "li":
            self._break(1)
        elif tag == "a":
            self._end_link()

    def text(self) -> str:
        return "".join(self._pieces).strip()

    def _begin_entry(self) -> None:
        self._break(1)
        depth = max(0, len(self._lists) - 1)
        number = self._lists[-1] if self._lists else None
        if number is not None:
            self._lists[-1] = number + 1
        self._indent = "  " * depth
        self._put("-" if number is None else f"{number + 1}.")
        self._indent += "  "
        self._breaks = -1  # what comes first in an entry stands on its line
        self._space = True

    def _end_link(self) -> None:
        if self._link is None:
            return
        href, start = self._link
        self._link = None
        text = "".join(self._pieces[start:]).strip(" \n")
        if href and href not in (text, f"mailto:{text}"):
            address = self._base_url + href if href.startswith("/") else href
            self._space = True
            self._put(f"({address})" if text else address)
            self._space = not text

    def _break(self, count: int) -> None:
        if self._breaks >= 0:
            self._breaks = max(self._breaks, count)

    def _put(self, words: str) -> None:
        if self._breaks > 0:
            self._pieces.append("\n" * min(self._breaks, 2) + self._indent)
        elif self._space:
            self._pieces.append(" ")
        self._pieces.append(words)
        self._breaks, self._space = 0, False
