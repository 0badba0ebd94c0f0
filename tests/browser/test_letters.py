"""A mail, the page to unsubscribe and the preferences: on a small screen, in the dark, and from nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from flask import Response
from playwright.sync_api import expect

from flask_notify import MessageType
from flask_notify.mailing.letter import render
from flask_notify.mailing.unsubscribing import Subscription, make_token
from tests.apps import Site
from tests.notes import add_message, messages_of
from tests.web.test_unsubscribe import modes

from .conftest import Stage
from .test_accessibility import violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.live import LiveServer

pytestmark = pytest.mark.databases("sqlite")

DARK = 0.2  # of full brightness
TOUCHED = "main button, main a.notify-button, main select, main label.notify-tick"
TOO_SMALL = """selector => [...document.querySelectorAll(selector)]
  .filter(element => element.checkVisibility() && element.getBoundingClientRect().height < 44)
  .map(element => element.outerHTML)"""
BRIGHTNESS = """selector => {
  const [red, green, blue] = getComputedStyle(document.querySelector(selector)).backgroundColor.match(/[0-9.]+/g);
  return (red * 0.3 + green * 0.59 + blue * 0.11) / 255;
}"""


class Replied(MessageType):
    """One that recipients can mask."""

    label = "Replies"


class Alarm(MessageType):
    """One that they cannot."""

    label = "Alarms"
    critical = True


def mail_of(site: Site, key: Any, more: int) -> str:
    """Return the HTML of a mail with all messages of a user."""
    with site.app.app_context():
        settings = site.app.extensions["notify"].settings
        return render(site.notify.models, settings, site.user(key), messages_of(site, key), more).html


def tell(site: Site, key: Any) -> None:
    """Store messages that are not easily laid out."""
    rich = '<p>See <a href="/post/1">the post</a> and <code>x = 1</code>:</p><ul><li>one</li><li><b>two</b></li></ul>'
    add_message(site, key, type="replied", subject="Bob & co replied to you", body=rich, rich=True, count=4)
    add_message(site, key, type="replied", subject="unbroken" * 20, body="https://example.org/" + "long" * 60)
    add_message(site, key, type="replied", subject="With a picture", body='<img src="/pixel.gif">So.', rich=True)


@pytest.fixture
def mailed(build: Callable[..., Site], serve: Callable[..., LiveServer]) -> Callable[..., str]:
    """Serve a mail as a mail program shows it, and return its address."""

    def mail(*, more: int = 0, single: bool = False) -> str:
        site = build(NOTIFY_BASE_URL="https://example.org")
        site.notify.message_type(Replied)
        site.app.add_url_rule("/favicon.ico", "icon", lambda: Response(status=204))
        ann = site.add_user("ann")
        if single:
            add_message(site, ann, subject="Backup finished", body="All 42 files are safe.\nIt took a minute.")
        else:
            tell(site, ann)
        site.app.add_url_rule("/mail", "mail", lambda: mail_of(site, ann, more))
        return f"{serve(site.app).url}/mail"

    return mail


def open_page(context: BrowserContext, url: str) -> tuple[Page, list[str]]:
    """Open a page, and collect all that it asks for."""
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url, wait_until="networkidle")
    return page, asked


def fits(page: Page) -> bool:
    """Return whether nothing sticks out to the side, once the page has its style."""
    page.wait_for_load_state()
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("scheme, single", [("light", False), ("dark", False), ("dark", True)])
def test_a_mail_can_be_read_on_a_small_screen_and_in_the_dark_and_loads_nothing(
    mailed: Callable[..., str],
    browser: Browser,
    scheme: Literal["light", "dark"],
    single: bool,
    module_file: Callable[[str], Path],
) -> None:
    url = mailed(more=0 if single else 480, single=single)
    with browser.new_context(color_scheme=scheme, viewport={"width": 320, "height": 640}) as context:
        page, asked = open_page(context, url)

        assert [address for address in asked if address != url and not address.endswith("/favicon.ico")] == []
        assert fits(page)
        assert (page.evaluate(BRIGHTNESS, ".mail") < DARK) is (scheme == "dark")
        assert violations(page, module_file("axe-core/axe.min.js")) == []


@pytest.mark.parametrize("scheme, script", [("light", True), ("dark", True), ("light", False)])
def test_one_unsubscribes_on_a_small_screen_and_in_the_dark(
    stage: Stage, browser: Browser, scheme: Literal["light", "dark"], script: bool, module_file: Callable[[str], Path]
) -> None:
    site, ann = stage.site, stage.site.add_user("ann")
    site.notify.message_type(Replied)
    with site.app.app_context():
        token = make_token(site.app.extensions["notify"].settings, Subscription(ann, "replied"))
    with browser.new_context(
        color_scheme=scheme, viewport={"width": 320, "height": 640}, java_script_enabled=script
    ) as context:
        page, asked = open_page(context, f"{stage.server.url}/unsubscribe/{token}")
        if script:
            assert looks_right(page, scheme, module_file("axe-core/axe.min.js"))
        page.get_by_role("button", name="Unsubscribe").click()

        expect(page.get_by_role("heading", name="You are unsubscribed")).to_be_visible()
        if script:
            assert looks_right(page, scheme, module_file("axe-core/axe.min.js"))
    assert [address for address in asked if not address.startswith(stage.server.url)] == []
    assert modes(site, ann) == (None, {"replied": "never"})


def test_a_link_that_was_cut_short_says_so_on_a_page(
    stage: Stage, browser: Browser, module_file: Callable[[str], Path]
) -> None:
    with browser.new_context(color_scheme="dark", viewport={"width": 320, "height": 640}) as context:
        page, _ = open_page(context, f"{stage.server.url}/unsubscribe/short")

        expect(page.get_by_role("heading", name="This link does not work")).to_be_visible()
        assert looks_right(page, "dark", module_file("axe-core/axe.min.js"))


def looks_right(page: Page, scheme: str, axe: Path) -> bool:
    """Check a page of ours: it fits, all can be touched and told apart, and it is as dark as it should be."""
    assert fits(page)
    assert page.evaluate(TOO_SMALL, TOUCHED) == []
    assert (page.evaluate(BRIGHTNESS, "body") < DARK) is (scheme == "dark")
    assert violations(page, axe) == []
    return True


@pytest.mark.parametrize("scheme, width", [("light", 1024), ("dark", 320)])
def test_preferences_are_chosen_on_any_screen_and_by_keyboard(
    stage: Stage, scheme: Literal["light", "dark"], width: int, module_file: Callable[[str], Path]
) -> None:
    site, bob = stage.site, stage.site.add_user("bob")
    for kind in (Replied, Alarm):
        site.notify.message_type(kind)
    visitor = stage.visit(color_scheme=scheme, viewport={"width": width, "height": 700})
    with site.app.app_context():
        site.user(visitor.key).block_sender(site.user(bob))
        site.db.session.commit()
    page = visitor.open("/preferences")
    assert looks_right(page, scheme, module_file("axe-core/axe.min.js"))

    page.get_by_label("Replies").focus()
    page.keyboard.type("Mail once a day")
    page.get_by_label("Tell me of what I do myself, too").focus()
    page.keyboard.press("Space")
    page.get_by_label("bob").check()
    page.get_by_role("button", name="Save").press("Enter")

    expect(page.get_by_text("Your preferences are saved.")).to_be_visible()
    expect(page.get_by_label("Replies")).to_have_value("daily")
    expect(page.get_by_label("Tell me of what I do myself, too")).to_be_checked()
    expect(page.get_by_label("bob")).to_have_count(0)
    assert looks_right(page, scheme, module_file("axe-core/axe.min.js"))
    assert modes(site, visitor.key) == (None, {"replied": "daily"})
