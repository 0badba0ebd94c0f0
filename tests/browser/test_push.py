"""Web Push from end to end: the server encrypts and signs, a push service takes it, and the real worker shows it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from flask_notify.pushing.sender import Sender
from tests.pushing.post_office import PRIVATE, PUBLIC
from tests.servers.push import Browser as Subscriber
from tests.servers.push import PushService, push_services

from .conftest import PATIENCE, Stage, Visitor, wait_until
from .desktops import TAKE_TURNS, click, look_away, set_desk, shown, switch_on, visit, wait_for_titles
from .inboxes import badge, left, tell
from .test_accessibility import violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.databases("sqlite")

# A headless browser has no push service of its own. All else of it is real: the subscription's keys are, too.
STAND_IN = """told => {
    if (!window.PushManager) return;  // on the empty page of a new tab
    const made = () => ({
        endpoint: told.endpoint,
        toJSON: () => told,
        unsubscribe: async () => delete localStorage.subscribedFor,
    });
    PushManager.prototype.getSubscription = async () => (localStorage.subscribedFor ? made() : null);
    PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
        if (!userVisibleOnly) throw new TypeError("a browser refuses that");
        localStorage.subscribedFor = applicationServerKey;
        return made();
    };
}"""


TIMES = """async () => {
    const found = await navigator.serviceWorker.getRegistration("/notify-worker.js");
    return (await found.getNotifications()).map(note => note.timestamp);
}"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[PushService]:
    """A push service."""
    with push_services(tmp_path) as (service,):
        yield service


@pytest.fixture
def stage(service: PushService, set_stage: Callable[..., Stage]) -> Stage:
    return set_desk(
        set_stage,
        NOTIFY_VAPID_PRIVATE_KEY=PRIVATE,
        NOTIFY_VAPID_SUBJECT="mailto:admin@example.org",
        NOTIFY_PUSH_HOSTS=(service.place,),
    )


@pytest.fixture
def subscriber(service: PushService) -> Subscriber:
    """What the push service knows of the browser."""
    return service.subscribe(PUBLIC)


@pytest.fixture
def visitor(stage: Stage, subscriber: Subscriber) -> Visitor:
    """A user whose browser can subscribe."""
    visitor = visit(stage)
    visitor.context.add_init_script(f"({STAND_IN})({json.dumps(subscriber.subscription)})")
    return visitor


def subscribed(stage: Stage) -> list[tuple[Any, str]]:
    """Return whom the server pushes to, and where."""
    table = stage.site.notify.models.push_subscription
    with stage.site.app.app_context():
        rows = stage.site.db.session.execute(select(table.c.recipient_id, table.c.endpoint))
        return [(row.recipient_id, row.endpoint) for row in rows]


def subscribe(stage: Stage, visitor: Visitor) -> Page:
    """Switch notifications on, and wait until the server knows where to push."""
    page = switch_on(visitor)
    wait_until(page, "Object.keys(localStorage).some(key => key.startsWith('notify:pushed') && localStorage[key])")
    assert [key for key, _ in subscribed(stage)] == [visitor.key]
    return page


def push(stage: Stage) -> None:
    """Send what is to be pushed, as the scheduler's job does."""
    with stage.site.app.app_context():
        state, notify = stage.site.app.extensions["notify"], stage.site.notify
        Sender(notify.models, state.settings, notify.message_types, state.vapid).run_once()


def deliver(page: Page, content: bytes) -> None:
    """Let the browser hand the plain text of a push to its worker."""
    (worker,) = page.context.service_workers
    worker.evaluate(TAKE_TURNS)
    session = page.context.new_cdp_session(page)
    found: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: found.extend(one["registrationId"] for one in told["registrations"] if not one["isDeleted"]),
    )
    session.send("ServiceWorker.enable")
    while not found:
        page.wait_for_timeout(20)
    origin = page.evaluate("location.origin")
    told = {"origin": origin, "registrationId": found[-1], "data": content.decode()}
    session.send("ServiceWorker.deliverPushMessage", told)
    session.detach()


def test_a_push_and_what_the_page_shows_are_one(stage: Stage, visitor: Visitor, subscriber: Subscriber) -> None:
    page = subscribe(stage, visitor)
    look_away(page)
    (number,) = tell(stage, visitor, "Build 7 failed", body="Two tests.", url="/post")
    (before,) = wait_for_titles(page, "Build 7 failed")

    (shown_at,) = page.evaluate(TIMES)

    push(stage)
    (delivered,) = subscriber.received
    deliver(page, delivered.content)

    wait_until(page, f"({TIMES})().then(times => times.at(-1) > {shown_at})")
    (after,) = shown(page)
    assert after == before
    assert after["tag"] == f"notify-message-{number}"


def test_a_push_alone_is_shown_and_leads_to_the_message(stage: Stage, visitor: Visitor, subscriber: Subscriber) -> None:
    page = subscribe(stage, visitor)
    page.goto(visitor.url + "/other")  # a page of the site without our script
    (number,) = tell(stage, visitor, "Build 7 failed", body="Two tests.", url="/post")
    push(stage)
    (delivered,) = subscriber.received
    assert delivered.claims["sub"] == "mailto:admin@example.org"

    deliver(page, delivered.content)
    (note,) = wait_for_titles(page, "Build 7 failed")
    assert (note["body"], note["tag"]) == ("Two tests.", f"notify-message-{number}")

    # It would not know what to do, so a new one is opened; a browser lets only a real click do that.
    (worker,) = page.context.service_workers
    opened = """new Promise(resolve => {
        clients.openWindow = async url => resolve(new URL(url, location.href).pathname);
    })"""
    worker.evaluate(f"void (self.opening = {opened})")
    click(page, "Build 7 failed")
    assert worker.evaluate("self.opening") == f"/messages/{number}"


def test_who_looks_at_the_page_hears_no_sound(stage: Stage, visitor: Visitor, subscriber: Subscriber) -> None:
    page = subscribe(stage, visitor)
    tell(stage, visitor, "news")
    push(stage)

    deliver(page, subscriber.received[0].content)

    wait_for_titles(page, "news")
    found = "navigator.serviceWorker.getRegistration('/notify-worker.js')"
    assert page.evaluate(f"{found}.then(found => found.getNotifications()).then(([note]) => note.silent)")


def test_what_was_pushed_is_closed_when_it_is_seen(stage: Stage, visitor: Visitor, subscriber: Subscriber) -> None:
    page = subscribe(stage, visitor)
    tell(stage, visitor, "news")
    push(stage)
    deliver(page, subscriber.received[0].content)
    wait_for_titles(page, "news")

    elsewhere = visitor.open("/messages")

    expect(badge(elsewhere)).to_have_count(0)
    wait_for_titles(page)
    assert left(stage, visitor) == set()


def test_switching_off_unsubscribes(stage: Stage, visitor: Visitor) -> None:
    page = subscribe(stage, visitor)

    page.get_by_role("button", name="Switch off").click()

    wait_until(page, "!localStorage.subscribedFor")
    assert subscribed(stage) == []


def test_a_browser_whose_user_has_logged_out_takes_no_pushes(stage: Stage, visitor: Visitor) -> None:
    page = subscribe(stage, visitor)
    look_away(page)
    tell(stage, visitor, "private")
    wait_for_titles(page, "private")

    visitor.log_out()
    visitor.expect_complaint("401")
    page.goto(visitor.url + "/desk")

    wait_until(page, "!localStorage.subscribedFor")
    wait_for_titles(page)


def test_another_user_of_the_browser_does_not_take_the_pushes_of_the_first(stage: Stage, visitor: Visitor) -> None:
    page = subscribe(stage, visitor)
    other = stage.site.add_user()

    visitor.log_in(other)
    page.goto(visitor.url + "/desk")

    wait_until(page, "!localStorage.subscribedFor")
    page.get_by_role("button", name="Notify me on my desktop").click()
    wait_until(page, "localStorage.subscribedFor")
    wait_until(page, "Object.keys(localStorage).some(key => key.startsWith('notify:pushed') && localStorage[key])")
    # The address is theirs from now on.
    assert [key for key, _ in subscribed(stage)] == [other]


def test_a_subscription_for_another_key_is_renewed(stage: Stage, visitor: Visitor) -> None:
    page = subscribe(stage, visitor)
    page.evaluate("""() => {
        const [key] = Object.keys(localStorage).filter(key => key.startsWith("notify:pushed"));
        const [user, , endpoint] = JSON.parse(localStorage[key]);
        localStorage[key] = JSON.stringify([user, "an older key", endpoint]);
        localStorage.subscribedFor = "an older key";
    }""")

    page.reload()

    wait_until(page, f"localStorage.subscribedFor === '{PUBLIC}'")


def change_address(page: Page, fresh: Subscriber) -> None:
    """Let the browser tell its worker that it has another address now."""
    (worker,) = page.context.service_workers
    worker.evaluate(
        """told => self.dispatchEvent(Object.assign(new ExtendableEvent("pushsubscriptionchange"), {
            newSubscription: { toJSON: () => told },
        }))""",
        fresh.subscription,
    )


def wait_for_address(stage: Stage, page: Page, fresh: Subscriber) -> None:
    """Wait until the server knows where to push."""
    deadline = time.monotonic() + PATIENCE
    while fresh.endpoint not in [endpoint for _, endpoint in subscribed(stage)]:
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def test_the_worker_tells_the_server_of_a_new_address(stage: Stage, visitor: Visitor, service: PushService) -> None:
    page, fresh = subscribe(stage, visitor), service.subscribe(PUBLIC)

    change_address(page, fresh)

    wait_for_address(stage, page, fresh)
    assert {key for key, _ in subscribed(stage)} == {visitor.key}


def test_the_worker_tells_nothing_in_the_name_of_another_user(
    stage: Stage, visitor: Visitor, service: PushService
) -> None:
    page, others, fresh = subscribe(stage, visitor), service.subscribe(PUBLIC), service.subscribe(PUBLIC)

    visitor.log_in(stage.site.add_user())
    with page.context.expect_event("response", lambda response: response.url.endswith("/notifications/csrf")):
        change_address(page, others)
    visitor.log_in(visitor.key)
    change_address(page, fresh)

    wait_for_address(stage, page, fresh)
    assert others.endpoint not in [endpoint for _, endpoint in subscribed(stage)]


def test_what_is_pushed_can_be_chosen_on_a_small_screen(stage: Stage, module_file: Callable[[str], Path]) -> None:
    axe = module_file("axe-core/axe.min.js")
    visitor = visit(stage, viewport={"width": 320, "height": 640}, color_scheme="dark")
    page = visitor.open("/preferences")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert violations(page, axe) == []

    page.get_by_label("Push: System messages").select_option("Do not push")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text("Your preferences are saved.")).to_be_visible()
    expect(page.get_by_label("Push: System messages")).to_have_value("no")
