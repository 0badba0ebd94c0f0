"""What travels through a broker is JSON that anybody may read; what is none of ours harms nobody."""

from __future__ import annotations

import json

import pytest

from flask_notify.hints import wire
from flask_notify.hints.wire import Beat, Hint


def test_a_hint_names_recipients_with_their_cursors() -> None:
    hint = Hint({"12": 1790000000.123456, "susan": 0.0}, spread=True)

    body = wire.encode(hint)

    assert json.loads(body) == {"cursors": {"12": 1790000000.123456, "susan": 0.0}, "spread": True}
    assert wire.decode(body) == hint


@pytest.mark.parametrize("what", [Beat("a1b2", 12), Hint(spread=True, everyone=True), Hint({"ü\"'\\": 1.0})])
def test_what_is_encoded_is_decoded_to_the_same(what: wire.Heard) -> None:
    assert wire.decode(wire.encode(what)) == what


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert wire.decode(b'{"cursors": {"1": 2}, "colour": "red"}') == Hint({"1": 2.0})
    assert wire.decode(b'{"beat": "a", "n": 1, "colour": "red"}') == Beat("a", 1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"\xff\xfe",
        b"[]",
        b"12",
        b"{}",
        b'{"spread": true}',
        b'{"cursors": []}',
        b'{"cursors": {"1": "2"}}',
        b'{"cursors": {"1": true}}',
        b'{"cursors": {"1": NaN}}',
        b'{"cursors": {"1": 1e999}}',
        b'{"cursors": {"1": 1' + b"0" * 400 + b"}}",
        b'{"beat": 1, "n": 1}',
        b'{"beat": "a", "n": "1"}',
        b'{"beat": "a"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_hint_is_none(body: bytes) -> None:
    assert wire.decode(body) is None


@pytest.mark.parametrize("length", [1, 60, 255])
@pytest.mark.parametrize("letter", ["a", "ü", "\N{SNOWMAN}"])
def test_many_recipients_are_told_in_as_many_hints_as_it_takes(letter: str, length: int) -> None:
    cursors = {f"{letter * length}{number}": 1790000000.0 + number for number in range(2_500)}

    bodies = list(wire.encode_all(cursors, spread=True))

    hints = [wire.decode(body) for body in bodies]
    assert all(isinstance(hint, Hint) and hint.spread and len(hint.cursors) <= 1_000 for hint in hints)
    assert {key: cursor for hint in hints for key, cursor in hint.cursors.items()} == cursors  # type: ignore[union-attr]
    assert max(map(len, bodies)) <= 64_000


def test_nobody_is_told_in_no_hint() -> None:
    assert list(wire.encode_all({})) == []
