"""A mail is bytes that every server takes and every parser reads back."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from email.header import Header
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_notify.mailing.mail import (
    InvalidAddress,
    Masthead,
    UnsafeHeader,
    _encoded,
    bare_address,
    compose,
    mailbox,
    new_message_id,
    thread_id,
)
from flask_notify.mailing.smtp import _dotted

URL_OF_300 = "https://example.org/unsubscribe/" + "x" * 268


@dataclass(frozen=True)
class Written:
    """A letter."""

    subject: str = "Susan replied to you"
    text: str = "Susan replied: see https://example.org/messages/1\n"
    html: str = "<p>Susan replied.</p>\n"
    unsubscribe_url: str | None = URL_OF_300


MASTHEAD = Masthead("Microblog <news@example.org>", "notifications.example.org", "[Microblog] ")


def composed(
    letter: Written | None = None,
    masthead: Masthead = MASTHEAD,
    address: str = "susan@example.org",
    references: tuple[str, ...] = (),
) -> bytes:
    return compose(
        letter or Written(),
        masthead,
        address=address,
        message_id="<1@example.org>",
        date=1_790_000_000.5,
        references=references,
    )


def parsed(content: bytes) -> EmailMessage:
    return message_from_bytes(content, EmailMessage, policy=policy.default)


def said(part: Any) -> str:
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_parser_reads_back_what_was_written() -> None:
    message = parsed(composed())

    assert message["Subject"] == "[Microblog] Susan replied to you"
    assert message["From"].addresses[0].display_name == "Microblog"
    assert message["From"].addresses[0].addr_spec == "news@example.org"
    assert message["To"] == "susan@example.org"
    assert message["Message-ID"] == "<1@example.org>"
    assert message["Date"].datetime.isoformat() == "2026-09-21T14:13:20+00:00"
    assert message["List-Id"] == "<notifications.example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert [said(part) for part in message.iter_parts()] == [Written().text, Written().html]
    assert not message.defects


def test_the_link_to_unsubscribe_stands_on_one_line_also_with_300_characters() -> None:
    content = composed()

    assert len(URL_OF_300) == 300
    assert f"\r\nList-Unsubscribe: <{URL_OF_300}>\r\n".encode() in content
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in content
    assert parsed(content)["List-Unsubscribe"] == f"<{URL_OF_300}>"


def test_a_letter_without_a_way_to_unsubscribe_has_neither_header() -> None:
    message = parsed(composed(Written(unsubscribe_url=None)))

    assert message["List-Unsubscribe"] is None
    assert message["List-Unsubscribe-Post"] is None


def test_mails_of_a_thread_refer_to_it() -> None:
    message = parsed(composed(references=("<first@example.org>", "<second@example.org>")))

    assert message["References"] == "<first@example.org> <second@example.org>"
    assert message["In-Reply-To"] == "<second@example.org>"


@given(
    subject=st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=250),
    text=st.text(max_size=3000),
    html=st.text(max_size=3000),
)
def test_whatever_a_letter_says_its_lines_are_short_and_of_seven_bits(subject: str, text: str, html: str) -> None:
    content = composed(Written(subject, text, html))
    message = parsed(content)

    lines = content.split(b"\r\n")
    assert all(len(line) <= (998 if line.startswith(b"List-Unsubscribe:") else 78) for line in lines)
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert content.isascii()
    assert lines[-1] == b""
    parts = [said(part) for part in message.iter_parts()]
    assert parts == [without_line_ends(text), without_line_ends(html)]
    assert words(str(message["Subject"])) == words(f"[Microblog] {subject}")


def without_line_ends(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return lines.rstrip("\n") + "\n"


def words(subject: str) -> list[str]:
    return subject.split()  # where a subject is folded, spaces may be one more or fewer


def test_a_line_of_ten_thousand_characters_is_broken_and_read_back_whole() -> None:
    html = f"<p>{'long ' * 2000}</p>\n"

    content = composed(Written(html=html))

    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert said(list(parsed(content).iter_parts())[1]) == html


@pytest.mark.parametrize(
    "evil", ["Hello\r\nBcc: all@example.org", "Hello\nworld", "Hello\rworld", "a\x00b", "a\u2028b"]
)
def test_a_subject_with_a_line_break_is_refused(evil: str) -> None:
    with pytest.raises(UnsafeHeader, match="one line"):
        composed(Written(subject=evil))


@pytest.mark.parametrize("url", ["https://example.org/\r\nX: y", "https://example.org/\r\n y", "https://example.org/ü"])
def test_a_link_to_unsubscribe_that_would_not_be_one_header_is_refused(url: str) -> None:
    with pytest.raises(UnsafeHeader):
        composed(Written(unsubscribe_url=url))


def test_a_link_to_unsubscribe_that_does_not_fit_on_a_line_is_refused() -> None:
    with pytest.raises(UnsafeHeader, match="at most 998 characters"):
        composed(Written(unsubscribe_url="https://example.org/" + "x" * 1000))


@pytest.mark.parametrize("field", ["sender", "list_id", "subject_prefix"])
def test_a_masthead_with_a_line_break_is_refused(field: str) -> None:
    values = {"sender": "a <a@example.org>", "list_id": "a.example.org", "subject_prefix": ""}
    values[field] += "\r\nBcc: all@example.org"

    with pytest.raises(UnsafeHeader):
        composed(masthead=Masthead(**values))


def test_what_looks_like_an_encoded_word_is_not_shown_as_what_it_encodes() -> None:
    subject = "=?utf-8?q?Free_money?="

    assert parsed(composed(Written(subject=subject)))["Subject"] == f"[Microblog] {subject}"


def test_an_encoded_word_is_at_most_75_characters_long() -> None:
    content = composed(
        Written(subject="Übergrößenträger " * 14), replace(MASTHEAD, sender="Ü" * 60 + " <a@example.org>")
    )

    encoded = [word for word in content.split() if word.startswith(b"=?")]
    assert len(encoded) > 5
    assert max(map(len, encoded)) <= 75


@pytest.mark.parametrize(
    "text,header",
    [
        ("news@example.org", "news@example.org"),
        ("Microblog <news@example.org>", '"Microblog" <news@example.org>'),
        ('"Blog, Micro" <news@example.org>', '"Blog, Micro" <news@example.org>'),
        ("news@bücher.example", "news@xn--bcher-kva.example"),
    ],
)
def test_a_sender_is_an_address_perhaps_with_a_name(text: str, header: str) -> None:
    assert mailbox(text) == header


@pytest.mark.parametrize(
    "address", ["susan@example.org", "a.b+c@sub.example.org", "root@localhost", "o'hara@example.ie"]
)
def test_an_address_is_taken_as_it_is(address: str) -> None:
    assert bare_address(f" {address} ") == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "susan",
        "@example.org",
        "susan@",
        "susan@example..org",
        "susan@-example.org",
        "su san@example.org",
        "susan@exam ple.org",
        "susan@example.org, all@example.org",
        "susan@example.org>\r\nRCPT TO:<all@example.org",
        "<susan@example.org>",
        "süsan@example.org",
        "x" * 65 + "@example.org",
        "x@" + "y" * 64 + ".org",
        "x@" + "y.z" * 100 + ".org",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(InvalidAddress) as refused:
        bare_address(address)

    assert not address.strip() or address not in str(refused.value)


def test_message_ids_differ_and_thread_ids_of_one_thing_are_equal() -> None:
    assert new_message_id("example.org") != new_message_id("example.org")
    assert thread_id("example.org", "Post", 1) == thread_id("example.org", "Post", 1)
    assert thread_id("example.org", "Post", 1) != thread_id("example.org", "Post", 11)
    assert parsed(composed(references=(thread_id("example.org", "Post", 1),)))["References"].startswith("<thread.")


@given(st.text(st.sampled_from("ab =?.\u00e9"), max_size=90), st.sampled_from(["Subject", "From"]))
def test_a_header_that_needs_no_folding_is_what_pythons_own_folding_makes_of_it(value: str, name: str) -> None:
    charset = "us-ascii" if value.isascii() and "=?" not in value else "utf-8"

    assert _encoded(name, value) == Header(value, charset, maxlinelen=76, header_name=name).encode(linesep="\r\n")


@given(st.lists(st.sampled_from([b".", b"..", b"a", b".a", b"", b"a.b", b"=2E"])), st.sampled_from([b"", b"\r\n"]))
def test_a_mail_goes_over_the_wire_as_smtplib_would_send_it(lines: list[bytes], end: bytes) -> None:
    content = b"\r\n".join(lines) + end
    quoted = re.sub(rb"(?m)^\.", b"..", content)  # as smtplib does it

    assert _dotted(content) == quoted + (b"" if quoted.endswith(b"\r\n") else b"\r\n") + b".\r\n"
