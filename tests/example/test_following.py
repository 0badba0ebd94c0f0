"""Who follows whom, and the badge for new followers."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.example.visitor import Visitor


def test_the_badge_counts_followers_since_one_last_looked(alice: Visitor, bob: Visitor) -> None:
    assert alice.badge("new_followers") == "0"

    bob.follow("alice")

    assert alice.badge("new_followers") == "1"
    assert alice.live("new_followers") == 1


def test_looking_at_ones_followers_clears_the_badge_and_marks_the_new_ones(alice: Visitor, bob: Visitor) -> None:
    bob.follow("alice")

    first_look = alice.open("/user/alice/followers")
    second_look = alice.open("/user/alice/followers")

    assert '<span class="tag">new</span>' in first_look
    assert '<span class="tag">new</span>' not in second_look
    assert alice.badge("new_followers") == "0"
    assert alice.live("new_followers") == 0


def test_others_who_look_at_my_followers_leave_my_badge_alone(alice: Visitor, bob: Visitor) -> None:
    bob.follow("alice")

    bob.open("/user/alice/followers")

    assert alice.badge("new_followers") == "1"


def test_a_follower_who_leaves_unseen_is_not_counted(alice: Visitor, bob: Visitor) -> None:
    bob.follow("alice")

    bob.unfollow("alice")

    assert alice.live("new_followers") == 0


def test_a_follower_after_one_who_left_is_counted(app: Flask, alice: Visitor, bob: Visitor) -> None:
    bob.follow("alice")
    alice.open("/user/alice/followers")
    bob.unfollow("alice")

    Visitor(app, "carol").register().follow("alice")

    assert alice.badge("new_followers") == "1"


def test_following_twice_is_following_once(alice: Visitor, bob: Visitor) -> None:
    bob.follow("alice")
    bob.follow("alice")

    assert alice.live("new_followers") == 1


def test_nobody_follows_themselves(alice: Visitor) -> None:
    alice.send("/", "/user/alice/follow")

    assert alice.live("new_followers") is None


@pytest.mark.usefixtures("alice")
def test_nobody_sees_the_numbers_of_another(bob: Visitor) -> None:
    bob.follow("alice")

    assert bob.live("new_followers") is None


def test_an_unknown_person_cannot_be_followed(alice: Visitor) -> None:
    assert alice.send("/", "/user/nobody/follow").status_code == 404
