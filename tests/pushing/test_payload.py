"""What a push says, and how much of it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from flask_notify.pushing.payload import MOST_BYTES, Payload, topic_of
from tests.pushing.post_office import PostOffice

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


def decoded(data: bytes) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(data)
    return told


@given(
    title=TEXT,
    body=st.builds(lambda text, times: text * times, TEXT, st.integers(1, 60)),
    most=st.integers(200, MOST_BYTES),
)
def test_it_is_never_too_large_and_never_refused(title: str, body: str, most: int) -> None:
    payload = Payload(7, title, body, "/messages/7", 3)

    data = payload.encode(most)

    assert len(data) <= most
    told = decoded(data)
    assert (told["id"], told["tag"], told["url"], told["badge"]) == (7, "notify-message-7", "/messages/7", 3)
    for cut, whole in ((told["title"], title), (told["body"], body)):
        assert cut in (whole, "") or (cut.endswith("…") and whole.startswith(cut[:-1]))
    # The title is cut only where nothing of the body is left.
    assert told["title"] == title or told["body"] == ""


def test_as_much_as_fits_is_told() -> None:
    for body in ("a" * 5_000, "ü" * 5_000, "€" * 5_000, "🙂" * 5_000, '"' * 5_000, "\\" * 5_000):
        data = Payload(1, "Subject", body, "/messages/1", 1).encode()

        widest = len(json.dumps(body[0], ensure_ascii=False).encode()) - 2
        assert MOST_BYTES - widest < len(data) <= MOST_BYTES
        assert decoded(data)["title"] == "Subject"


@pytest.mark.parametrize("cluster", ["e\u0301", "👩\u200d🚀", "👍🏽", "❤\ufe0f"])
def test_what_belongs_together_is_not_cut_in_two(cluster: str) -> None:
    for offset in range(8):
        body = "x" * offset + cluster * 2_000
        told = decoded(Payload(1, "Subject", body, "/messages/1", 1).encode(600))["body"]

        kept = told.removesuffix("…")[offset:]
        assert kept == cluster * (len(kept) // len(cluster))
        assert not unicodedata.combining(told[-1])


def test_a_topic_is_the_same_for_one_message_only_and_fits() -> None:
    topics = {topic_of(endpoint, number) for endpoint in ("a" * 64, "b" * 64) for number in range(1_000)}

    assert len(topics) == 2_000
    assert topic_of("a" * 64, 1) == topic_of("a" * 64, 1)
    assert all(len(topic) == 32 and set(topic) <= set(ALPHABET) for topic in topics)


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.databases("sqlite")
def test_a_rich_text_is_pushed_in_its_plain_form(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    office.send("Rich", susan, body=Markup('<p>See <a href="/posts/1">the <em>post</em></a>.</p><ul><li>one</li></ul>'))

    office.run()

    body = browser.received[0].payload["body"]
    assert "<" not in body
    assert "the post (/posts/1)" in body


@pytest.mark.databases("sqlite")
def test_a_plain_text_is_pushed_as_it_is(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    office.send("1 < 2 & 3", susan, body="<script>alert(1)</script>\n\n  and a line")

    office.run()

    told = browser.received[0].payload
    assert (told["title"], told["body"]) == ("1 < 2 & 3", "<script>alert(1)</script> and a line")


@pytest.mark.databases("sqlite")
def test_a_long_message_arrives_cut(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    office.send("S" * 250, susan, body="Ünïcödé " * 100_000)

    assert office.run() == {"sent": 1}

    (push,) = browser.received
    assert MOST_BYTES - 16 < len(push.content) <= MOST_BYTES
    assert push.payload["title"] == "S" * 250
    assert push.payload["body"].endswith("…")


@pytest.mark.databases("sqlite")
def test_the_address_has_the_prefix_of_the_application_and_of_the_blueprint(
    open_office: Callable[..., PostOffice],
) -> None:
    office = open_office(NOTIFY_BASE_URL="https://example.org/app", NOTIFY_URL_PREFIX="/live")
    susan, (browser,) = office.add("susan")
    office.send("Hello", susan, url="https://elsewhere.example/")

    office.run()

    (message,) = office.messages(susan)
    assert browser.received[0].payload["url"] == f"/app/live/messages/{message.id}"


@pytest.mark.databases("sqlite")
def test_the_badge_is_how_many_are_unseen(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    for subject in ("one", "two"):
        office.send(subject, susan)
        office.run()

    assert [push.payload["badge"] for push in browser.received] == [1, 2]
