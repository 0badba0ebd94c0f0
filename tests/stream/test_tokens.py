"""A token lets one recipient's pages listen for a minute, and nothing else is one."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_notify.stream.tokens import LIFETIME, Listening, Tokens
from flask_notify.web.ticket import Signer, origin
from tests.apps import KEYS, Site
from tests.polls import Clock, newest, poll, set_clock, ticket_for

Build = Callable[..., Site]

NOW = 1_790_000_000.0
HEADER = "X-Notify-Stream"
ASKS = {HEADER: "1"}
STREAM = {"NOTIFY_STREAM_URL": "/stream"}
tokens = Tokens("for the tests only")


@given(st.text(max_size=64).filter(lambda text: text.isprintable()))
def test_a_token_says_whose_it_is_and_for_how_long_it_is_good(key: str) -> None:
    assert tokens.verify(tokens.mint(key, NOW), NOW + 20) == Listening(key, 40.0)


def test_a_token_is_good_for_a_minute() -> None:
    token = tokens.mint("7", NOW)

    assert LIFETIME <= 60
    assert tokens.verify(token, NOW + 59.9) is not None
    assert tokens.verify(token, NOW + 60) is None


def test_a_clock_that_is_behind_does_not_make_a_token_good_for_longer() -> None:
    token = tokens.mint("7", NOW)

    assert tokens.verify(token, NOW - 10) == Listening("7", 60.0)
    assert tokens.verify(token, NOW - 100) is None


def test_no_character_of_a_token_can_be_changed() -> None:
    token = tokens.mint("7", NOW)

    for place, letter in enumerate(token):
        for other in "Aaz09-_":
            if other != letter:
                assert tokens.verify(token[:place] + other + token[place + 1 :], NOW) is None


@pytest.mark.parametrize(
    "text", ["", "A", "AAAA", "ä", "a b", "%00", "A" * 32, "A" * 100_000, "=", "null", "AAAA\n", "1.2.3"]
)
def test_what_is_no_token_is_refused(text: str) -> None:
    assert tokens.verify(text, NOW) is None


def test_a_token_is_only_good_where_it_was_signed() -> None:
    assert Tokens("another secret").verify(tokens.mint("7", NOW), NOW) is None
    assert Tokens(b"for the tests only").verify(tokens.mint("7", NOW), NOW) is not None


def test_a_token_that_was_signed_with_an_older_key_is_good() -> None:
    rotated = Tokens("new", ["for the tests only"])

    assert rotated.verify(tokens.mint("7", NOW), NOW) is not None
    assert tokens.verify(rotated.mint("7", NOW), NOW) is None


def test_a_ticket_is_no_token_and_a_token_no_ticket() -> None:
    signer = Signer("for the tests only", 300)
    bound_to = origin({})
    ticket = signer.mint(bound_to, "7", NOW, NOW)
    raw = bytes.fromhex(ticket.removeprefix("fn1."))
    token = tokens.mint("7", NOW)

    assert tokens.verify(base64.urlsafe_b64encode(raw).decode().rstrip("="), NOW) is None
    assert tokens.verify(ticket, NOW) is None
    hexadecimal = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).hex()
    assert signer.verify(f'"fn1.{hexadecimal}"', bound_to, NOW) is None


@pytest.fixture(params=KEYS)
def key_kind(request: pytest.FixtureRequest) -> str:
    """Each kind of key in turn."""
    return str(request.param)


@pytest.mark.databases("sqlite")
def test_each_answer_of_a_poll_bears_a_token_where_the_page_asks_for_it(build: Build, key_kind: str) -> None:
    site = build(key=key_kind, **STREAM)
    clock = set_clock(site)
    key = site.add_user("susan")
    site.emit(key, "a", 1)
    client = site.client(key)
    ticket = ticket_for(client, since := newest(client))
    clock.advance(10)

    news = poll(client, 0, headers=ASKS)
    nothing = poll(client, since, headers=ASKS)
    fast = poll(client, since, ticket, headers={HEADER: "rung"})

    assert [news.status_code, nothing.status_code, fast.status_code] == [200, 200, 304]
    for answer in (news, nothing, fast):
        assert tokens.verify(answer.headers[HEADER], clock()) == Listening(str(key), LIFETIME)


@pytest.mark.databases("sqlite")
def test_who_does_not_ask_pays_for_no_token(build: Build) -> None:
    site = build(**STREAM)
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)

    assert HEADER not in poll(client, 0).headers
    assert HEADER not in poll(client, 0.0, ticket).headers


@pytest.mark.databases("sqlite")
def test_without_a_stream_there_is_no_token(site: Site) -> None:
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)

    assert HEADER not in poll(client, 0, headers=ASKS).headers
    assert HEADER not in poll(client, 0.0, ticket, headers=ASKS).headers
    answer = client.get("/notifications/stream-token")
    assert (answer.status_code, list(answer.get_json())) == (404, ["error"])


@pytest.mark.databases("sqlite")
def test_a_client_can_ask_for_a_token(build: Build) -> None:
    site = build(**STREAM)
    clock: Clock = set_clock(site)
    key = site.add_user("susan")

    answer = site.client(key).get("/notifications/stream-token")

    assert answer.status_code == 200
    assert tokens.verify(answer.get_json()["token"], clock()) == Listening(str(key), 60.0)
    assert answer.get_json()["expires_in"] == 60
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Vary"] == "Cookie"


@pytest.mark.databases("sqlite")
def test_who_is_not_logged_in_gets_no_token(build: Build) -> None:
    site = build(**STREAM)
    key = site.add_user("susan")
    client = site.client(key)
    ticket = ticket_for(client, 0.0)
    client.post("/logout")

    asked = client.get("/notifications/stream-token")
    polled = poll(client, 0.0, ticket, headers=ASKS)

    assert (asked.status_code, list(asked.get_json())) == (401, ["error"])
    assert asked.headers["Cache-Control"] == "no-store"
    assert polled.status_code == 401
    assert HEADER not in polled.headers
    assert client.post("/notifications/stream-token").status_code == 405


@pytest.mark.databases("sqlite")
def test_to_ask_for_a_token_keeps_nobody_logged_in(build: Build) -> None:
    site = build(**STREAM, SESSION_PERMANENT=True)
    client = site.client(site.add_user("susan"), remember=True)

    assert "Set-Cookie" not in client.get("/notifications/stream-token").headers
