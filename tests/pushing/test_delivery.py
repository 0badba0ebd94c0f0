"""What becomes of a push: taken, repeated, given up, or never sent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from sqlalchemy import event

from flask_notify.pushing import lanes, outbox
from flask_notify.pushing.sender import MOST_ATTEMPTS
from tests.pushing.post_office import PostOffice, states
from tests.pushing.types import Renewed, declare, renewing
from tests.recording import recorded
from tests.servers import Database
from tests.servers.push import Browser

HOUR = 3600

# What is between the sender and the push service is the same with every database.
sqlite = pytest.mark.databases("sqlite")


def answer(status: int, **headers: str) -> Callable[[Browser], tuple[int, dict[str, str]]]:
    """Return a service's behaviour: it says this to all."""
    return lambda _browser: (status, {name.replace("_", "-"): value for name, value in headers.items()})


def test_a_message_is_pushed_to_each_browser_of_its_recipient(office: PostOffice) -> None:
    susan, browsers = office.add("susan", browsers=2)
    bob, (other,) = office.add("bob")

    office.send("Backup finished", susan, body="All of it.", url="/backups")

    assert office.run() == {"sent": 2}
    (message,) = office.messages(susan)
    for browser in browsers:
        (push,) = browser.received
        assert push.payload == {
            "title": "Backup finished",
            "body": "All of it.",
            "url": f"/messages/{message.id}",
            "tag": f"notify-message-{message.id}",
            "id": message.id,
            "badge": 1,
        }
        assert push.claims["sub"] == "mailto:admin@example.org"
        assert push.headers["urgency"] == "normal"
        assert 86_390 <= int(push.headers["ttl"]) <= 86_400
    assert not other.received
    assert not office.pushes(bob)
    assert states(office.pushes(susan)) == ["sent", "sent"]
    assert not office.run()
    assert not office.services[0].complaints


@sqlite
def test_a_run_uses_its_connections_again_and_leaves_none_open(office: PostOffice) -> None:
    service = office.services[0]
    susan, browsers = office.add("susan", browsers=20)
    office.send("Backup finished", susan)

    assert office.run() == {"sent": len(browsers)}

    assert 1 <= service.connections <= lanes.LANES
    service.wait_for_connections(0)
    office.send("And again", susan)
    assert office.run() == {"sent": len(browsers)}
    service.wait_for_connections(0)


def test_a_rollback_pushes_nothing(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    with office.site.app.app_context():
        office.site.notify.send("Nearly", to=office.site.user(susan))
        office.site.db.session.flush()
        office.site.db.session.rollback()
        office.site.db.session.commit()

    assert not office.run()
    assert not office.pushes()
    assert not browser.received


def test_a_message_that_was_seen_meanwhile_is_not_pushed(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    office.send("Read at once", susan)
    office.change(susan, lambda user: user.mark_all_seen())

    assert office.run() == {"dropped": 1}
    assert office.pushes()[0].reason == "the recipient has seen it"
    assert not browser.received


def test_what_a_recipient_changes_holds_for_what_is_not_sent_yet(office: PostOffice) -> None:
    (muted, _), (unwilling, _), (picky, _) = (office.add(name) for name in ("muted", "unwilling", "picky"))
    office.send("Too late", muted, unwilling, picky)
    office.change(muted, lambda user: user.set_notify_preferences(muted=True))
    office.change(unwilling, lambda user: user.set_push(False))
    office.change(picky, lambda user: user.set_push(False, type="system"))

    assert office.run() == {"dropped": 3}
    assert {row.reason for row in office.pushes()} == {
        "not wanted any more (muted)",
        "not wanted any more (own)",
        "not wanted any more (own for type)",
    }


def test_a_browser_that_has_unsubscribed_is_not_pushed_to(office: PostOffice) -> None:
    susan, (browser, other) = office.add("susan", browsers=2)
    office.send("Hello", susan)
    client = office.site.client(susan)
    office.site.app.config["WTF_CSRF_ENABLED"] = False

    removed = client.post("/push-subscriptions/remove", json={"endpoint": browser.endpoint})

    assert removed.status_code == 204
    assert office.run() == {"sent": 1, "dropped": 1}
    assert (browser.titles, other.titles) == ([], ["Hello"])


def test_what_was_for_one_account_is_not_pushed_to_the_next_one_of_that_browser(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    bob = office.site.add_user("bob")
    office.send("For Susan alone", susan)
    office.tell(bob, browser)
    office.send("For Bob", bob)

    assert office.run() == {"sent": 1, "dropped": 1}
    assert browser.titles == ["For Bob"]
    assert [row.recipient_id for row in office.subscribed()] == [bob]


@pytest.mark.parametrize("status", [404, 410])
def test_a_subscription_that_is_gone_is_removed(office: PostOffice, status: int) -> None:
    susan, (gone, stays) = office.add("susan", browsers=2)
    office.services[0].at_push[gone.endpoint] = answer(status)
    office.send("Hello", susan)

    assert office.run() == {"sent": 1, "dropped": 1}
    assert [row.endpoint for row in office.subscribed(susan)] == [stays.endpoint]
    office.send("Again", susan)
    assert office.run() == {"sent": 1}
    assert stays.titles == ["Hello", "Again"]


@sqlite
def test_one_that_is_too_large_for_the_service_is_cut_and_tried_once_more(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    service = office.services[0]
    service.at_push["*"] = lambda _browser: 413 if service.requests == 1 else None
    office.send("Long", susan, body="word " * 1_000)

    assert office.run() == {"sent": 1}
    assert office.services[0].requests == 2
    (push,) = browser.received
    assert len(push.content) <= 1_024
    assert push.payload["body"].endswith("…")


@sqlite
def test_one_that_is_too_large_even_then_is_dropped(office: PostOffice) -> None:
    susan, _ = office.add("susan")
    office.services[0].at_push["*"] = answer(413)
    office.send("Long", susan, body="word " * 1_000)

    assert office.run() == {"dropped": 1}
    assert office.services[0].requests == 2
    assert "too large" in office.pushes()[0].reason


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_service_that_has_enough_is_asked_again_later(office: PostOffice, status: int) -> None:
    susan, (browser,) = office.add("susan")
    office.services[0].at_push["*"] = answer(status)
    office.send("Hello", susan)

    assert office.run() == {"later": 1}
    assert not office.run()  # not at once
    (push,) = office.pushes()
    assert (push.state, push.attempts, push.lease_owner) == ("pending", 1, None)
    assert str(status) in push.reason
    office.services[0].at_push.clear()
    office.ahead += 20
    assert office.run() == {"sent": 1}
    assert browser.titles == ["Hello"]


@sqlite
def test_what_a_service_asks_for_is_waited_for(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    office.services[0].at_push["*"] = answer(429, Retry_After="600")
    office.send("Hello", susan)
    office.run()
    office.services[0].at_push.clear()

    office.ahead += 590
    assert not office.run()
    office.ahead += 20
    assert office.run() == {"sent": 1}
    assert browser.titles == ["Hello"]


@sqlite
def test_the_pauses_grow_and_come_to_an_end(office: PostOffice) -> None:
    susan, _ = office.add("susan")
    office.services[0].at_push["*"] = answer(429)
    office.send("Hello", susan)
    pauses = []
    for _ in range(MOST_ATTEMPTS - 1):
        assert office.run() == {"later": 1}
        pauses.append(office.pushes()[0].next_attempt_at - office.site.notify.clock())
        office.ahead += pauses[-1]

    assert office.run() == {"dropped": 1}
    assert 8 <= pauses[0] <= 15
    assert pauses == sorted(pauses)
    assert pauses[-1] <= HOUR
    assert office.pushes()[0].reason.startswith(f"given up after {MOST_ATTEMPTS} attempts: the push service said 429")


def test_a_push_that_is_older_than_its_time_to_live_is_dropped(open_office: Callable[..., PostOffice]) -> None:
    office = open_office(NOTIFY_PUSH_TTL=HOUR)
    susan, (browser,) = office.add("susan")
    office.send("Stale", susan)
    office.ahead += HOUR - 60
    office.send("Fresh", susan)
    office.ahead += 120

    assert office.run() == {"sent": 1, "dropped": 1}
    assert browser.titles == ["Fresh"]
    assert HOUR - 130 <= int(browser.received[0].headers["ttl"]) <= HOUR - 120


@sqlite
@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_service_that_does_not_accept_who_we_are_is_for_the_doctor(
    office: PostOffice, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    susan, _ = office.add("susan")
    office.services[0].at_push["*"] = answer(status)

    with caplog.at_level(logging.WARNING, "flask_notify"):
        for _ in range(3):
            office.send("Hello", susan)
            assert office.run() == {"parked": 1}

    assert set(states(office.pushes())) == {"parked"}
    (warning,) = caplog.messages  # once, and without the address
    assert office.services[0].origin in warning
    assert "/push/" not in warning
    assert len(office.subscribed(susan)) == 1


@sqlite
def test_a_redirect_is_not_followed(office: PostOffice) -> None:
    susan, _ = office.add("susan")
    office.services[0].at_push["*"] = answer(307, Location=f"{office.services[1].origin}/push/1")
    office.send("Hello", susan)

    assert office.run() == {"dropped": 1}
    assert "redirects are not followed" in office.pushes()[0].reason
    assert (office.services[0].requests, office.services[1].requests) == (1, 0)


@sqlite
def test_a_host_that_is_on_the_list_no_more_is_not_asked(open_office: Callable[..., PostOffice]) -> None:
    office = open_office()
    susan, _ = office.add("susan")
    second = office.subscribe(susan, service=1)
    office.send("Hello", susan)
    settings = office.site.app.extensions["notify"].settings
    settings.push_hosts = frozenset({office.services[1].place})

    assert office.run() == {"sent": 1, "dropped": 1}
    assert second.titles == ["Hello"]
    assert office.services[0].requests == 0


def test_a_renewed_message_takes_the_place_of_its_push(office: PostOffice) -> None:
    declare(office)
    susan, (browser,) = office.add("susan")
    target = office.site.add_user("the target")
    for text in ("first", "second"):
        with office.site.app.app_context():
            about = office.site.user(target)
            office.site.notify.send(Renewed(text=text, target=about), to=office.site.user(susan))
            office.site.db.session.commit()

    assert office.run() == {"sent": 1}  # it was owed anew before it was sent
    assert browser.titles == ["second"]
    assert browser.received[0].payload["body"] == "and 1 more"
    with office.site.app.app_context():
        office.site.notify.send(Renewed(text="third", target=office.site.user(target)), to=office.site.user(susan))
        office.site.db.session.commit()
    assert office.run() == {"sent": 1}
    assert browser.titles == ["second", "third"]
    before, after = browser.received
    assert before.payload["tag"] == after.payload["tag"]
    assert before.headers["topic"] == after.headers["topic"]
    assert len(office.pushes()) == 1


def test_a_message_that_is_renewed_while_it_is_pushed_is_pushed_again(office: PostOffice) -> None:
    declare(office)
    susan, (browser,) = office.add("susan")
    tell = renewing(office, susan)

    tell("old")
    office.services[0].at_push["*"] = lambda _browser: tell("new") if not browser.received else None

    assert office.run() == {"sent": 1}
    assert states(office.pushes()) == ["pending"]
    office.services[0].at_push.clear()
    assert office.run() == {"sent": 1}
    assert browser.titles == ["old", "new"]
    assert states(office.pushes()) == ["sent"]


def test_a_message_that_is_renewed_just_before_its_push_is_written_is_pushed_once(office: PostOffice) -> None:
    declare(office)
    susan, (browser,) = office.add("susan")
    tell = renewing(office, susan)

    tell("old")
    texts = ["new"]
    with office.site.app.app_context():
        engine = office.site.db.engine

    @event.listens_for(engine, "before_cursor_execute")
    def renew(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if texts and statement.startswith("SELECT") and "FROM notify_message " in statement.replace("\n", " "):
            with ThreadPoolExecutor(1) as pool:
                pool.submit(tell, texts.pop()).result(60)

    assert office.run() == {"sent": 1}

    assert texts == []
    assert browser.titles == ["new"]
    assert states(office.pushes()) == ["sent"]


@sqlite
def test_two_messages_do_not_take_each_others_place(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    office.send("one", susan)
    office.send("two", susan)

    assert office.run() == {"sent": 2}
    one, two = browser.received
    assert one.headers["topic"] != two.headers["topic"]
    assert one.payload["tag"] != two.payload["tag"]
    assert [push.payload["badge"] for push in browser.received] == [2, 2]


@sqlite
def test_a_service_that_is_slow_holds_up_nobody_elses(open_office: Callable[..., PostOffice]) -> None:
    office = open_office(NOTIFY_PUSH_TIMEOUT=30)
    slow, quick = office.services
    keys = [office.add(f"user {number}")[0] for number in range(20)]
    browsers = [office.subscribe(key, service=1) for key in keys]
    all_have_come, in_time = Event(), []

    def note(_browser: Browser) -> None:
        if quick.requests == len(browsers):
            all_have_come.set()

    slow.at_push["*"] = lambda _browser: in_time.append(all_have_come.wait(25))
    quick.at_push["*"] = note
    office.send("Hello", *keys)

    assert office.run() == {"sent": 40}
    assert in_time == [True] * 20
    assert all(browser.titles == ["Hello"] for browser in browsers)


@sqlite
def test_a_service_that_says_nothing_is_given_up_and_left_alone(open_office: Callable[..., PostOffice]) -> None:
    office = open_office(NOTIFY_PUSH_TIMEOUT=0.5)
    susan, _ = office.add("susan", browsers=12)
    office.services[0].at_push["*"] = office.services[0].hang
    office.send("Hello", susan)

    assert office.run() == {"later": 12}
    assert office.services[0].requests < 12
    reasons = {row.reason for row in office.pushes()}
    assert reasons >= {"it did not answer in time", "it was not tried: its push service is unwell"}


@sqlite
def test_a_service_that_fails_is_left_alone_and_asked_again(open_office: Callable[..., PostOffice]) -> None:
    office = open_office()
    susan, browsers = office.add("susan", browsers=12)
    office.services[0].at_push["*"] = answer(503)
    office.send("Hello", susan)
    assert office.run() == {"later": 12}
    asked = office.services[0].requests
    assert asked < 12
    office.ahead += 20

    assert office.run() == {"later": 12}
    assert office.services[0].requests == asked

    office.services[0].at_push.clear()
    now = time.monotonic()
    office.sender._services.clock = lambda: now + 60
    office.ahead += 120
    assert office.run() == {"sent": 12}
    assert all(browser.titles == ["Hello"] for browser in browsers)


@sqlite
def test_a_service_that_cannot_be_reached_is_asked_again(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    office.services[0].stop()
    office.send("Hello", susan)

    assert office.run() == {"later": 1}
    assert "could not be reached (ConnectionError)" in office.pushes()[0].reason
    office.services[0].start()
    office.ahead += 20
    assert office.run() == {"sent": 1}
    assert browser.titles == ["Hello"]


def test_a_run_that_is_told_to_end_gives_back_what_it_has_not_begun(office: PostOffice) -> None:
    susan, _ = office.add("susan", browsers=10)
    office.send("Hello", susan)
    stop = Event()

    def end(_browser: Browser) -> None:
        stop.set()

    office.services[0].at_push["*"] = end

    outcomes = office.run(stop.is_set)

    assert outcomes["sent"] + outcomes["later"] == 10
    assert 1 <= outcomes["sent"] <= 4
    office.ahead += 5
    assert office.run() == {"sent": outcomes["later"]}
    assert all(row.attempts == 1 for row in office.pushes())


@sqlite
def test_a_deactivated_user_is_not_pushed_to(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    office.send("Hello", susan)
    office.change(susan, lambda user: setattr(user, "is_active", False))

    assert office.run() == {"dropped": 1}
    assert not browser.received


def test_a_user_who_is_deleted_leaves_nothing(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    office.send("Hello", susan)
    with office.site.app.app_context():
        office.site.db.session.delete(office.site.user(susan))
        office.site.db.session.commit()

    assert not office.run()
    assert (office.pushes(), office.subscribed(), browser.received) == ([], [], [])


@sqlite
def test_nothing_secret_is_logged(office: PostOffice, caplog: pytest.LogCaptureFixture) -> None:
    susan, browsers = office.add("susan", browsers=3)
    office.services[0].at_push[browsers[0].endpoint] = answer(500)
    office.services[0].at_push[browsers[1].endpoint] = answer(410)

    with caplog.at_level(logging.DEBUG):
        office.send("A secret subject", susan, body="a secret body")
        office.run()

    logged = "\n".join(record.getMessage() for record in caplog.records if record.name == "flask_notify")
    assert "recipient 1" in logged
    assert not any(secret in logged for secret in ("secret", "/push/", browsers[2].subscription["keys"]["auth"]))


def test_the_lease_of_a_worker_that_died_runs_out(office: PostOffice) -> None:
    susan, (browser,) = office.add("susan")
    office.send("Hello", susan)
    models = office.site.notify.models
    with office.site.app.app_context(), models.db.engine.begin() as connection:
        leased: list[Any] = outbox.lease(connection, models, "dead", now=office.site.notify.clock(), seconds=600)
    assert len(leased) == 1
    assert not office.run()

    office.end_leases(of_seconds=600)

    assert office.run() == {"sent": 1}
    assert browser.titles == ["Hello"]
    assert office.pushes()[0].attempts == 2


@sqlite
def test_where_nothing_is_due_nothing_is_written(database: Database, office: PostOffice) -> None:
    susan, _ = office.add("susan")
    office.send("Hello", susan)
    office.run()

    with recorded(database, office.site) as statements:
        assert not office.run()

    asked = [statement for statement in statements if "notify_push" in statement]
    assert len(asked) == 1
    assert asked[0].startswith("SELECT")
