"""Posts, the home feed, and the badge for what is new in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from tests.example.visitor import Visitor


def test_a_post_reaches_those_who_follow(alice: Visitor, bob: Visitor) -> None:
    bob.follow("alice")

    alice.post("The tide is out.")

    assert "The tide is out." in bob.open("/")


def test_a_post_is_not_in_the_feed_of_others_but_everybody_can_find_it(
    app: Flask, alice: Visitor, bob: Visitor
) -> None:
    alice.post("The tide is out.")

    assert "The tide is out." not in bob.open("/")
    assert "The tide is out." in bob.open("/explore")
    assert "The tide is out." in Visitor(app).open("/user/alice")


def test_the_badge_counts_posts_since_one_last_looked(alice: Visitor, bob: Visitor) -> None:
    bob.follow("alice")

    alice.post("One.")
    alice.post("Two.")

    assert bob.badge("new_posts") == "2"
    assert bob.live("new_posts") == 2


def test_a_poll_tells_of_a_new_post(alice: Visitor, bob: Visitor) -> None:
    bob.follow("alice")
    before = max(item["timestamp"] for item in bob.poll())

    alice.post("One.")

    assert [(item["name"], item["data"]) for item in bob.poll(before)] == [("new_posts", 1)]


def test_looking_at_the_feed_clears_the_badge(alice: Visitor, bob: Visitor) -> None:
    bob.follow("alice")
    alice.post("One.")

    assert bob.badge("new_posts", page="/") == "0"
    assert bob.live("new_posts") == 0


def test_looking_at_an_old_feed_writes_nothing(alice: Visitor, bob: Visitor) -> None:
    bob.follow("alice")
    alice.post("One.")
    bob.open("/")
    seen = max(item["timestamp"] for item in bob.poll())

    bob.open("/")

    assert bob.poll(seen) == []


def test_ones_own_posts_are_no_news(alice: Visitor) -> None:
    alice.post("One.")

    assert alice.badge("new_posts") == "0"


def test_unseen_posts_of_somebody_no_longer_followed_do_not_count(alice: Visitor, bob: Visitor) -> None:
    bob.follow("alice")
    alice.post("One.")

    bob.unfollow("alice")

    assert bob.live("new_posts") == 0


@pytest.mark.parametrize("body", ["x" * 280, "é" * 280, "line\r\n" * 56, "  x  "])
def test_a_post_of_the_right_length_is_taken(alice: Visitor, body: str) -> None:
    assert alice.post(body).status_code == 302


@pytest.mark.parametrize(
    "body, complaint", [("", "a few words"), (" \n ", "a few words"), ("x" * 281, "At most 280 characters")]
)
def test_a_post_of_the_wrong_length_is_handed_back(alice: Visitor, body: str, complaint: str) -> None:
    answer = alice.post(body)

    assert answer.status_code == 422
    assert complaint in answer.text
    assert body.strip() in answer.text


def test_a_post_is_text_and_never_html(alice: Visitor) -> None:
    alice.post("<img src=x onerror=alert(1)>")

    page = alice.open("/explore")
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_many_posts_are_shown_page_by_page(make_app: Callable[..., Flask]) -> None:
    alice = Visitor(make_app(POSTS_PER_PAGE=2), "alice").register()
    for word in ("first", "second", "third"):
        alice.post(f"The {word} post.")

    newest, oldest = alice.open("/user/alice"), alice.open("/user/alice?page=2")

    assert newest.index("The third post.") < newest.index("The second post.")
    assert "The first post." not in newest
    assert 'href="/user/alice?page=2"' in newest
    assert "The first post." in oldest
    assert "The third post." not in oldest


@pytest.mark.parametrize("page, status", [("3", 404), ("0", 200), ("-1", 200), ("x", 200)])
def test_pages_that_are_not_there(alice: Visitor, page: str, status: int) -> None:
    alice.post("One.")

    alice.open(f"/explore?page={page}", status)
