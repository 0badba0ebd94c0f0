"""Expiry that is killed has done what it has done; the next one does the rest."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.apps import Site
from tests.scheduling.process import Held, Process, flask
from tests.test_expiry import assert_counts_are_exact, put, stored

pytestmark = pytest.mark.slow

ROUNDS, EACH = 4, 1_000


def test_what_was_killed_in_a_batch_is_resumed_and_the_counts_stay_exact(
    site: Site, start: Callable[..., Process], held: Held
) -> None:
    keys = [site.add_user(name) for name in ("ann", "bob")]
    for _ in range(ROUNDS):
        for key in keys:
            put(site, key, EACH, seen_at=5.0)
            put(site, key, EACH)
    messages = site.notify.models.message
    expire = flask("notify", "expire", "--json")
    killed = start(*expire, HELD_DELETE=str(held.directory), NOTIFY_KEEP_UNSEEN=False)

    assert held.wait() == killed.pid
    killed.kill()

    left = len(stored(site, messages))
    assert 0 < left < 4 * ROUNDS * EACH
    assert_counts_are_exact(site)

    resumed = start(*expire, NOTIFY_KEEP_UNSEEN=False)
    assert resumed.wait() == 0
    assert resumed.lines == [f'{{"removed": {{"messages": {left}}}}}']
    assert stored(site, messages) == []
    assert_counts_are_exact(site)
