"""Who gets what, and how it reaches the mailbox: every rule of row B4, in its order."""

from __future__ import annotations

from typing import Any

import pytest

from flask_notify.errors import InvalidPreference
from flask_notify.rules import RULES, Case, Decision, MailMode, decide

SILENT, NEVER, OFTEN, DAILY, WEEKLY = MailMode

TABLE: list[tuple[dict[str, Any], MailMode, str]] = [
    # Nobody has an opinion.
    ({}, OFTEN, "default"),
    # Each opinion alone.
    ({"of_type": WEEKLY}, WEEKLY, "type"),
    ({"own": DAILY}, DAILY, "own"),
    ({"own_for_type": DAILY}, DAILY, "own for type"),
    ({"watch": DAILY}, DAILY, "own for watch"),
    ({"pair": DAILY}, DAILY, "pair"),
    # The order among those that refuse nothing.
    ({"own": DAILY, "of_type": WEEKLY}, DAILY, "own"),
    ({"own_for_type": WEEKLY, "own": DAILY, "of_type": OFTEN}, WEEKLY, "own for type"),
    ({"watch": OFTEN, "own_for_type": WEEKLY, "own": DAILY}, OFTEN, "own for watch"),
    ({"pair": WEEKLY, "watch": OFTEN, "own_for_type": DAILY, "own": DAILY}, WEEKLY, "pair"),
    # A recipient's refusal is final, whatever the emitter says.
    ({"own": NEVER, "pair": OFTEN}, NEVER, "own"),
    ({"own": SILENT, "pair": OFTEN}, SILENT, "own"),
    ({"own_for_type": NEVER, "pair": OFTEN}, NEVER, "own for type"),
    ({"own_for_type": SILENT, "pair": OFTEN, "watch": DAILY}, SILENT, "own for type"),
    ({"watch": NEVER, "pair": OFTEN}, NEVER, "own for watch"),
    ({"watch": SILENT, "own": DAILY, "pair": OFTEN}, SILENT, "own for watch"),
    # An object that is muted is silent, whatever the recipient wants of the type.
    ({"watch": SILENT, "own_for_type": DAILY, "pair": OFTEN}, SILENT, "own for watch"),
    ({"watch": SILENT, "own_for_type": NEVER}, SILENT, "own for watch"),
    ({"watch": SILENT, "critical": True}, OFTEN, "critical"),
    # The nearest opinion tells whether there is a refusal: for the type, else the watch, else in general.
    ({"own_for_type": DAILY, "watch": NEVER, "own": NEVER}, NEVER, "own for watch"),
    ({"own_for_type": DAILY, "own": NEVER}, DAILY, "own for type"),
    ({"own_for_type": DAILY, "own": SILENT, "pair": WEEKLY}, WEEKLY, "pair"),
    ({"watch": WEEKLY, "own": SILENT}, WEEKLY, "own for watch"),
    # What others refuse is one opinion among the rest.
    ({"pair": SILENT, "own": DAILY}, SILENT, "pair"),
    ({"pair": NEVER, "own_for_type": OFTEN}, NEVER, "pair"),
    ({"of_type": NEVER}, NEVER, "type"),
    ({"of_type": NEVER, "own": DAILY}, DAILY, "own"),
    # Critical types cannot be masked.
    ({"critical": True}, OFTEN, "critical"),
    ({"critical": True, "own": SILENT, "own_for_type": NEVER, "pair": SILENT}, OFTEN, "critical"),
    # The doer.
    ({"doing": True}, SILENT, "own doing"),
    ({"doing": True, "pair": OFTEN, "own": OFTEN}, SILENT, "own doing"),
    ({"doing": True, "critical": True}, SILENT, "own doing"),
    ({"doing": True, "notify_myself": True}, OFTEN, "default"),
    ({"doing": True, "notify_myself": True, "own": NEVER}, NEVER, "own"),
    ({"notify_myself": True}, OFTEN, "default"),
    # Not for them at all.
    ({"allowed": False}, SILENT, "not allowed"),
    ({"allowed": False, "critical": True, "pair": OFTEN}, SILENT, "not allowed"),
    ({"blocked": True}, SILENT, "blocked"),
    ({"blocked": True, "pair": OFTEN, "own_for_type": OFTEN}, SILENT, "blocked"),
]


@pytest.mark.parametrize("opinions,mode,rule", TABLE)
def test_the_mail_mode_is_decided_in_the_order_of_the_rules(
    opinions: dict[str, Any], mode: MailMode, rule: str
) -> None:
    assert decide(Case(**opinions)) == Decision(mode, rule)


def test_only_what_is_silent_is_not_stored() -> None:
    assert [mode for mode in MailMode if not Decision(mode, "default").stored] == [SILENT]


def test_every_rule_that_can_decide_says_what_it_means() -> None:
    assert {rule for _, _, rule in TABLE} == set(RULES)
    assert max(map(len, RULES)) <= 32  # as the column is


def test_a_mode_is_known_by_its_name_and_another_is_refused_with_the_list() -> None:
    assert MailMode.parse("daily") is DAILY
    assert MailMode.parse(None) is None
    with pytest.raises(InvalidPreference, match="one of silent, never, often, daily, weekly, or None, got 'hourly'"):
        MailMode.parse("hourly")
