"""The short matrix leaves no pair of choices out, and applications of every kind work."""

from __future__ import annotations

from itertools import combinations

from tests.apps import Site
from tests.matrix import Variant, pairwise, whole


def pairs(variants: list[Variant]) -> set[tuple[str, str]]:
    return {pair for variant in variants for pair in combinations(variant, 2)}


def test_every_pair_of_choices_is_in_the_short_matrix() -> None:
    assert pairs(pairwise()) == pairs(whole())


def test_users_of_every_kind_of_application_log_in_and_out(any_site: Site) -> None:
    client = any_site.client(any_site.add_user("susan"))

    assert client.post("/logout").status_code == 204
