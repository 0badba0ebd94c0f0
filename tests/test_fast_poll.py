"""An idle poll with a ticket is answered before Flask; the ticket is good for nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from flask import Flask, request

from flask_notify.web.ticket import Signer
from tests.apps import Site
from tests.polls import Clock, items, newest, poll, set_clock, ticket_for

Build = Callable[..., Site]


@pytest.fixture
def site(build: Build) -> Site:
    """An application that counts the requests that reach Flask."""
    site = build()
    site.app.config["REACHED"] = []

    @site.app.before_request
    def count() -> None:
        site.app.config["REACHED"].append(request.endpoint)

    return site


def reached(app: Flask) -> int:
    """Return how many polls have reached Flask since the last call."""
    found: list[str] = app.config["REACHED"]
    count = found.count("notify.poll")
    found.clear()
    return count


def test_an_idle_poll_with_a_ticket_is_confirmed_on_every_kind_of_application(any_site: Site) -> None:
    key = any_site.add_user("susan")
    any_site.emit(key, "a", 1)
    client = any_site.client(key)
    since = newest(client)
    ticket = ticket_for(client, since)

    response = poll(client, since, ticket)

    assert response.status_code == 304
    assert response.data == b""
    assert response.headers["ETag"] == ticket
    assert response.headers["X-Poll-Interval"] == "10"
    assert response.headers["Vary"] == "Cookie"
    assert set(response.headers["Cache-Control"].split(", ")) == {"private", "no-cache"}
    assert "Set-Cookie" not in response.headers


def test_news_is_told_at_once_and_without_a_ticket(site: Site) -> None:
    key = site.add_user("susan")
    client = site.client(key)
    since, ticket = 0.0, ticket_for(client, 0.0)
    for value in range(3):
        timestamp = site.emit(key, "a", value)
        news = poll(client, since, ticket)

        assert news.json == [{"name": "a", "data": value, "timestamp": timestamp}]
        assert "ETag" not in news.headers
        since, ticket = timestamp, ticket_for(client, timestamp)
        assert poll(client, since, ticket).status_code == 304


@pytest.mark.databases("sqlite")
def test_before_request_of_the_application_is_not_run_for_a_304(site: Site) -> None:
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client)
    reached(site.app)

    for _ in range(5):
        assert poll(client, 0.0, ticket).status_code == 304

    assert reached(site.app) == 0


@pytest.mark.databases("sqlite")
def test_a_user_without_an_inbox_gets_a_ticket_too(site: Site) -> None:
    key = site.add_user("susan")
    with site.app.app_context():
        site.db.session.execute(site.notify.models.inbox.delete())
        site.db.session.commit()
    client = site.client(key)
    ticket = ticket_for(client, 0.0)

    assert poll(client, 0.0, ticket).status_code == 304
    site.emit(key, "a", 1)
    assert poll(client, 0.0, ticket).status_code == 200


@pytest.mark.databases("sqlite")
def test_a_removal_is_news(site: Site) -> None:
    key = site.add_user("susan")
    since = site.emit(key, "a", 1)
    client = site.client(key)
    ticket = ticket_for(client, since)

    site.remove(key, "a")

    assert poll(client, since, ticket).json[0]["removed"] is True


@pytest.mark.databases("sqlite")
def test_a_restored_database_is_news(site: Site) -> None:
    key = site.add_user("susan")
    since = site.emit(key, "a", 1)
    client = site.client(key)
    ticket = ticket_for(client, since)
    with site.app.app_context():
        site.db.session.execute(site.notify.models.inbox.update().values(cursor=since - 60))
        site.db.session.commit()

    response = poll(client, since, ticket)

    assert response.status_code == 200
    assert response.headers["X-Notify-Reset"] == "1"


@pytest.mark.databases("sqlite")
def test_a_ticket_of_one_since_is_worth_nothing_for_another(site: Site) -> None:
    key = site.add_user("susan")
    since = site.emit(key, "a", 1)
    client = site.client(key)
    ticket = ticket_for(client, since)

    for other in (since - 1, 0.0, None, since + 1, f"{since!r}0"):
        assert poll(client, other, ticket).status_code == 200
    assert client.get("/notifications?since=abc", headers={"If-None-Match": ticket}).status_code == 400


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS"])
def test_only_a_get_is_confirmed(site: Site, method: str) -> None:
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)

    response = client.open("/notifications?since=0.0", method=method, headers={"If-None-Match": ticket})

    assert response.status_code == (405 if method == "POST" else 200)


# Time


@pytest.fixture
def clock(site: Site) -> Clock:
    return set_clock(site)


@pytest.mark.databases("sqlite")
def test_a_ticket_is_good_for_the_recheck_interval_and_then_replaced(site: Site, clock: Clock) -> None:
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)

    clock.advance(299)
    assert poll(client, 0.0, ticket).status_code == 304
    clock.advance(2)
    late = poll(client, 0.0, ticket)
    assert late.status_code == 200
    assert poll(client, 0.0, late.headers["ETag"]).status_code == 304


@pytest.mark.databases("sqlite")
def test_a_clock_that_is_set_back_makes_no_ticket_good_for_longer(site: Site, clock: Clock) -> None:
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)
    clock.advance(-3600)

    assert poll(client, 0.0, ticket).status_code == 200


@pytest.mark.databases("sqlite")
def test_a_deactivated_user_is_refused_within_the_interval(build: Build) -> None:
    site = build(attributes={"is_active": property(lambda user: user.last_seen is None)}, NOTIFY_RECHECK_INTERVAL=60)
    clock, key = set_clock(site), site.add_user("susan")
    client = site.client(key)
    ticket = ticket_for(client, 0.0)
    with site.app.app_context():
        site.user(key).last_seen = 0.0
        site.db.session.commit()

    clock.advance(59)
    assert poll(client, 0.0, ticket).status_code == 304
    clock.advance(2)
    assert poll(client, 0.0, ticket).status_code == 401


@pytest.mark.databases("sqlite")
def test_a_deactivated_user_is_refused_at_the_next_news(build: Build) -> None:
    site = build(attributes={"is_active": property(lambda user: user.last_seen is None)})
    key = site.add_user("susan")
    client = site.client(key)
    ticket = ticket_for(client, 0.0)
    with site.app.app_context():
        site.user(key).last_seen = 0.0
        site.user(key).add_notification("secret", 1)
        site.db.session.commit()

    assert poll(client, 0.0, ticket).status_code == 401


# How a ticket comes back


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "header",
    [
        "W/{0}",
        '"other", {0}',
        '{0}, W/"other"',
        'W/"a",{0} ,"b"',
        '"fn1.00", {0}',
        '{1}-gzip"',
        '{1};gzip"',
        'W/{1}-br"',
    ],
)
def test_a_ticket_is_known_among_others_weak_and_compressed(site: Site, header: str) -> None:
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)

    assert poll(client, 0.0, header.format(ticket, ticket[:-1])).status_code == 304


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "header", ["*", '""', '"fn1."', '"fn1.zz"', '"fn1.0"', '"fn1.' + "00" * 16 + '"', "fn1.", '"\xff"', '"other"']
)
def test_what_is_no_ticket_goes_the_full_way(site: Site, header: str) -> None:
    client = site.client(site.add_user("susan"))

    assert poll(client, 0.0, header).json == []


@pytest.mark.databases("sqlite")
def test_a_ticket_of_which_one_character_was_changed_is_none(site: Site) -> None:
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)

    for place in (5, 20, len(ticket) // 2, len(ticket) - 2):
        other = "1" if ticket[place] != "1" else "2"
        assert poll(client, 0.0, ticket[:place] + other + ticket[place + 1 :]).status_code == 200


def test_a_changed_bit_a_missing_or_a_further_byte_makes_a_ticket_worthless() -> None:
    signer = Signer("one", 300)
    etag = signer.mint(b"request", "12", 5.0, now=100.0)
    raw = bytes.fromhex(etag.removeprefix("fn1."))

    def is_good(raw: bytes, bound_to: bytes = b"request", key: str = "one") -> bool:
        return Signer(key, 300).verify(f'"fn1.{raw.hex()}"', bound_to, 100.0) is not None

    assert is_good(raw)
    assert not any(
        is_good(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]) for at in range(len(raw)) for bit in range(8)
    )
    assert not any(is_good(raw[:at]) for at in range(len(raw)))
    assert not is_good(raw + b"\0")
    assert not is_good(raw, b"reques")
    assert not is_good(raw, b"2request")
    assert not is_good(raw, key="another")
    assert not is_good(raw[:-1], b"2request")


@pytest.mark.parametrize("part", ['"fn1.', '"fn1.a', '"fn1.ab-', "a", '"fn1.' + "ab" * 40])
def test_a_hostile_header_takes_no_more_than_linear_time(part: str) -> None:
    signer = Signer("secret", 300)

    def seconds(length: int) -> float:
        header = '"fn1.' + part * (length // len(part))
        start = time.thread_time()  # whatever else the machine does
        assert signer.verify(header, b"request", 100.0) is None
        return time.thread_time() - start

    assert min(seconds(64_000) for _ in range(3)) < 0.5


@pytest.mark.databases("sqlite")
def test_items_are_the_same_with_the_fast_poll_switched_off(build: Build) -> None:
    site = build(fast_poll=False)
    key = site.add_user("susan")
    site.emit(key, "a", 1)
    client = site.client(key)
    since = newest(client)

    idle = poll(client, since)

    assert idle.json == []
    assert "ETag" not in idle.headers
    assert idle.headers["Cache-Control"] == "no-store"
    assert [item["name"] for item in items(client)] == ["a"]


@pytest.mark.databases("sqlite")
def test_a_ticket_from_before_it_was_switched_off_is_worth_nothing(build: Build) -> None:
    site, off = build(), build(fast_poll=False)
    client = site.client(site.add_user("susan"))
    ticket = ticket_for(client, 0.0)
    cookie = f"session={client.get_cookie('session').value}"  # type: ignore[union-attr]  # logged in

    response = poll(off.app.test_client(use_cookies=False), 0.0, ticket, headers={"Cookie": cookie})

    assert response.status_code == 200
