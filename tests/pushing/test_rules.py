"""Whether a message is pushed: every rule, in its order."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from flask_notify.rules import PUSH_RULES, PushCase, decide_push

TABLE: list[tuple[dict[str, Any], bool, str]] = [
    # Nobody has an opinion.
    ({}, True, "type"),
    # Each opinion alone.
    ({"of_type": False}, False, "type"),
    ({"own": False}, False, "own"),
    ({"own": True}, True, "own"),
    ({"own_for_type": False}, False, "own for type"),
    ({"own_for_type": True}, True, "own for type"),
    # The nearest opinion alone.
    ({"own": True, "of_type": False}, True, "own"),
    ({"own": False, "of_type": True}, False, "own"),
    ({"own_for_type": True, "own": False, "of_type": False}, True, "own for type"),
    ({"own_for_type": False, "own": True}, False, "own for type"),
    # Do not disturb is above all opinions.
    ({"muted": True}, False, "muted"),
    ({"muted": True, "own_for_type": True, "own": True}, False, "muted"),
    # What is critical cannot be masked.
    ({"critical": True, "muted": True}, True, "critical"),
    ({"critical": True, "own_for_type": False, "own": False, "of_type": False}, True, "critical"),
    # Whoever does not get the message is not pushed it.
    ({"stored": False}, False, "not stored"),
    ({"stored": False, "critical": True, "own": True}, False, "not stored"),
]


@pytest.mark.parametrize("case, wanted, rule", TABLE)
def test_whether_a_message_is_pushed(case: dict[str, Any], wanted: bool, rule: str) -> None:
    assert decide_push(PushCase(**case)) == (wanted, rule)


def test_every_rule_has_a_meaning_and_a_case() -> None:
    flags, opinions = (True, False), (True, False, None)
    cases = (PushCase(*values) for values in product(flags, flags, flags, opinions, opinions, flags))

    given = {decide_push(case).rule for case in cases}

    assert given == set(PUSH_RULES) == {rule for _, _, rule in TABLE}
