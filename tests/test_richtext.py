"""Rich text is what it may be, on the page and as plain text; an address leads where it says (row B13)."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flask_notify.errors import InvalidMessage
from flask_notify.messages.richtext import MAX_TAGS, check_url, sanitise, to_text, with_base

ALLOWED = {"a", "b", "br", "code", "em", "i", "li", "ol", "p", "strong", "ul"}

pieces = st.sampled_from(
    [
        *(f"<{tag}>" for tag in sorted(ALLOWED)),
        *(f"</{tag}>" for tag in sorted(ALLOWED)),
        '<a href="/post/1?a=1&amp;b=2">',
        '<a href="//example.org">',
        '<a href="javascript:alert(1)" onclick="alert(1)">',
        "<a href=' https://example.org/\"><b>'>",
        '<a href="mailto:ann@example.org">',
        "<script>alert(1)</script>",
        "<svg><style><img src=x onerror=alert(1)>",
        '<img src="https://example.org/pixel.gif">',
        '<p style="background: url(//example.org)" title="x" lang="de">',
        "<table><td>",
        "<!-- comment -->",
        "&lt;b&gt; &amp;amp; &nbsp; &#x202e;",
        " ",
        "\n",
        "words",
    ]
)
hostile = st.lists(pieces | st.text(max_size=8), max_size=25).map("".join)


class Reader(HTMLParser):
    """Collects the tags, the attributes and the text of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@given(hostile)
def test_whatever_comes_in_only_a_few_tags_with_harmless_addresses_come_out(html: str) -> None:
    reader = read(sanitise(html))

    assert reader.tags <= ALLOWED
    for name, value in reader.attributes:
        assert name in ("href", "rel")
        if name == "href":
            assert re.match(r"https?://|mailto:|/(?!/)", value or "")
        else:
            assert value == "noopener nofollow"


@given(hostile)
@example("<a><table><td><a>")
@example("<p><table><td><p>")
def test_what_was_sanitised_stays_as_it_is(html: str) -> None:
    once = sanitise(html)

    assert sanitise(once) == once


@given(hostile)
def test_the_plain_form_has_every_word_and_no_markup(html: str) -> None:
    text = to_text(html)

    squeezed = "".join(text.split())
    assert all("".join(word.split()) in squeezed for word in read(sanitise(html)).words)
    assert not re.search(r"\n{3}|[ \t]\n", text)
    assert text == text.strip()


@given(st.text())
def test_plain_words_keep_their_characters(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    # A parser has no NUL, and ends lines in its own way.
    wanted = text.replace("\0", "").replace("\r", "\n")
    assert "".join(to_text(escaped).split()) == "".join(wanted.split())


def test_links_emphasis_and_lists_have_a_plain_form() -> None:
    html = """
        <p>Hello <b>Ann</b>,&nbsp; see <a href="/post/1?a=1&amp;b=2">the <em>post</em></a> &amp;
        <a href="https://example.org">https://example.org</a>.</p><p>Two<br>lines</p>
        <ul><li>one <li>two <ol><li>a</li><li>b</li></ol></ul> Write to <a href="mailto:a@example.org">a@example.org</a>
    """

    assert to_text(html, "https://microblog.example/app").splitlines() == [
        "Hello Ann, see the post (https://microblog.example/app/post/1?a=1&b=2) & https://example.org.",
        "",
        "Two",
        "lines",
        "",
        "- one",
        "- two",
        "  1. a",
        "  2. b",
        "",
        "Write to a@example.org",
    ]


def test_a_link_without_words_is_its_address() -> None:
    assert to_text('see<a href="https://example.org"></a>now') == "see https://example.org now"


def test_links_say_that_they_lend_no_weight_and_open_no_door() -> None:
    assert sanitise('<a href="/a" rel="author" target="_blank">b</a>') == '<a href="/a" rel="noopener nofollow">b</a>'


def test_in_a_mail_the_paths_of_this_site_become_addresses_and_nothing_else_does() -> None:
    clean = sanitise('<a href="/a">href="/b"</a> <a href="https://example.org/c">c</a>')

    absolute = with_base(clean, "https://microblog.example/app")

    assert '<a href="https://microblog.example/app/a"' in absolute
    assert '<a href="https://example.org/c"' in absolute
    assert absolute.count("microblog") == 1


@pytest.mark.parametrize("html", ["<b>" * (MAX_TAGS + 1), "<a>" * (MAX_TAGS // 2) + "<li><p>" * (MAX_TAGS // 4)])
def test_a_text_that_would_take_a_parser_long_is_refused(html: str) -> None:
    with pytest.raises(InvalidMessage, match="at most 2000 tags"):
        sanitise(html)


@pytest.mark.parametrize(
    "url",
    [
        "/",
        "/post/1?a=1&b=%20#comment-3",
        "/straße",
        "https://example.org",
        "HTTPS://example.org:8443/a//b?next=//c@d",
        "http://[::1]/a",
        "https://münchen.example/",
        "/" + "a" * 1999,
    ],
)
def test_an_address_may_lead_to_the_web_or_to_a_path_of_this_site(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "post/1",
        "?a=1",
        "//example.org",
        "/\\example.org",
        "\\\\example.org",
        "/\t/example.org",
        "/a b",
        " /a",
        "/a\n",
        "/a\u202etxt",
        "/\ud800",
        "/\"onclick='",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "mailto:ann@example.org",
        "ftp://example.org",
        "http:example.org",
        "https:///example.org",
        "https://",
        "https://:443/",
        "https://microblog.example@example.org/",
        "https://example.org:port/",
        "https://[::1/",
        "https://example.org\\@microblog.example/",
        "https://example\u2100.org/",
        None,
        b"/a",
    ],
)
def test_an_address_that_leads_elsewhere_is_refused_at_the_call(url: str) -> None:
    with pytest.raises(InvalidMessage, match="must be http:// or https:// and a host, or a path of this site"):
        check_url(url)


def test_an_address_that_is_too_long_is_refused_with_both_lengths() -> None:
    with pytest.raises(InvalidMessage, match="at most 2000 characters, got 2001"):
        check_url("/" + "a" * 2000)
