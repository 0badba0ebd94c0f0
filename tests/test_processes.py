"""The processes of the tests begin at once, with all that they need in place."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.apps import ModelSet
from tests.processes import PATIENCE, Worker, context, start


def tell_what_is_there(said: Any) -> None:
    said.put(("tests.preloaded" in sys.modules, sorted(map(str, ModelSet._free)), os.getppid()))


def test_a_process_is_forked_from_one_that_has_imported_and_mapped_what_it_needs() -> None:
    told = []
    for _ in range(2):
        said = context.SimpleQueue()
        process = start(tell_what_is_there, said)
        process.join(PATIENCE)
        assert process.exitcode == 0
        told.append(said.get())

    preloaded, mapped, parent = told[0]
    assert preloaded
    assert len(mapped) == 4, mapped
    assert parent != os.getpid()
    assert told[0] == told[1]


def begin_and_fail(_orders: object, begin: Callable[[], None], _stand_still: Callable[[], None]) -> dict[str, int]:
    begin()
    raise ZeroDivisionError("on purpose")


def test_what_fails_in_a_worker_fails_the_test() -> None:
    worker = Worker(begin_and_fail, None)
    worker.wait_until_ready()
    worker.go()

    with pytest.raises(AssertionError, match="on purpose"):
        worker.result()
    worker.kill()
