"""The whole of it: browsers, a site, a broker, and processes of ``flask notify stream``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.scheduling.process import Process
from tests.servers import Redis, free_port
from tests.stream.application import COMMAND
from tests.stream.listening import port_of

from .bell import PATH, Proxy
from .conftest import Stage, Visitor, wait_for_answers, wait_until
from .stage import CSP
from .test_doorbell import OVERHEAR, stand_still

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

pytestmark = pytest.mark.databases("sqlite")

#: What comes within the time of a test did not come by a plain poll.
SETTINGS: dict[str, Any] = {"NOTIFY_POLL_INTERVAL": 3600}


@pytest.fixture
def start(redis: Redis) -> Iterator[Callable[..., Process]]:
    """Start processes that ring: further words of the command, and settings. They know of no database."""
    with ExitStack() as stack:

        def start_one(*words: str, **settings: Any) -> Process:
            settings = {"NOTIFY_BROKER_URL": redis.url, **SETTINGS, **settings}
            process = Process([*COMMAND, *words], "sqlite:////nowhere/to.be.found", settings)
            stack.callback(process.end)
            port_of(process)
            return process

        yield start_one


@pytest.fixture
def set_site(set_stage: Callable[..., Stage], redis: Redis) -> Iterator[Callable[..., tuple[Stage, Proxy]]]:
    """Build sites behind a proxy that knows of no process yet."""
    with ExitStack() as stack:

        def set_one(**config: Any) -> tuple[Stage, Proxy]:
            stage = set_stage(**{"NOTIFY_BROKER_URL": redis.url, "NOTIFY_STREAM_URL": PATH, **SETTINGS, **config})
            stack.callback(stage.site.app.extensions["notify"].carrier.stop, 5.0)
            proxy = Proxy(stage.site.app.wsgi_app)
            stage.site.app.wsgi_app = proxy  # type: ignore[method-assign]
            return stage, proxy

        yield set_one


def assert_rings(stage: Stage, visitor: Visitor, page: Any, count: int) -> None:
    """Check that a page shows at once what its user is given."""
    stage.emit(visitor, "follows", count)
    expect(page.locator("#message_count")).to_have_text(str(count))


def test_news_show_at_once_and_reach_nobody_else(
    set_site: Callable[..., tuple[Stage, Proxy]], start: Callable[..., Process]
) -> None:
    stage, proxy = set_site()
    proxy.ports = [port_of(start())]
    susan, ben = stage.visit(), stage.visit()
    pages = [susan.open("/?tab=susan"), ben.open("/?tab=ben")]
    stage.front.wait_for_tab("susan", 2)
    stage.front.wait_for_tab("ben", 2)
    stage.front.forget()

    for count in (1, 2, 3):
        assert_rings(stage, susan, pages[0], count)

    assert {poll.tab for poll in stage.front.polls} == {"susan"}
    assert_rings(stage, ben, pages[1], 7)
    assert {poll.stream for poll in stage.front.polls} == {"rung"}


def test_two_processes_behind_one_address_ring_the_same_user_on_both(
    set_site: Callable[..., tuple[Stage, Proxy]], start: Callable[..., Process]
) -> None:
    stage, proxy = set_site()
    proxy.ports = [port_of(start()), port_of(start())]
    here = stage.visit()
    there = stage.visit(key=here.key)
    pages = []
    for tab, visitor in (("a", here), ("b", there)):
        pages.append(visitor.open(f"/?tab={tab}"))
        stage.front.wait_for_tab(tab, 2)

    stage.emit(here, "follows", 7)

    for page in pages:
        expect(page.locator("#message_count")).to_have_text("7")


def test_a_process_that_is_killed_is_done_without_and_found_again(
    set_site: Callable[..., tuple[Stage, Proxy]], start: Callable[..., Process]
) -> None:
    stage, proxy = set_site(NOTIFY_POLL_INTERVAL=1)
    process = start()
    proxy.ports = [port_of(process)]
    visitor = stage.visit()
    visitor.context.add_init_script("Math.random = () => 0")  # it waits no longer than it must
    visitor.expect_complaint("Failed to load resource|ERR_INCOMPLETE_CHUNKED")
    page = visitor.open()
    stage.front.wait_for(2)
    assert_rings(stage, visitor, page, 1)

    process.kill()
    stage.front.forget()
    assert_rings(stage, visitor, page, 2)
    stage.front.wait_for(3)
    proxy.ports = [port_of(start())]
    stage.front.forget()
    stage.front.wait_for_reason("rung")

    assert_rings(stage, visitor, page, 3)


def test_without_its_broker_the_stream_sends_pages_back_to_polling(
    set_site: Callable[..., tuple[Stage, Proxy]], start: Callable[..., Process], redis: Redis
) -> None:
    stage, proxy = set_site(NOTIFY_POLL_INTERVAL=0.5)
    proxy.ports = [port_of(start())]
    visitor = stage.visit()
    page = visitor.open()
    stage.front.wait_for(2)

    redis.stop()
    stage.front.forget()
    stage.front.wait_for(3)
    assert_rings(stage, visitor, page, 7)
    redis.start()

    assert_rings(stage, visitor, page, 8)


def test_pages_spread_their_polls_after_a_broadcast(
    set_site: Callable[..., tuple[Stage, Proxy]], start: Callable[..., Process]
) -> None:
    stage, proxy = set_site(NOTIFY_INLINE_RECIPIENTS=1)
    proxy.ports = [port_of(start(NOTIFY_POLL_INTERVAL=10))]
    pages = []
    for chance in ("0.02", "0.1", "0.3"):
        visitor = stage.visit()
        visitor.context.add_init_script(f"Math.random = () => {chance}")
        visitor.context.add_init_script(OVERHEAR)
        stand_still(visitor)
        pages.append(visitor.open(f"/?tab={chance}"))
        stage.front.wait_for_tab(chance, 2)
        wait_for_answers(pages[-1])
    for page in pages:
        page.context.clock.run_for(1_000)
    stage.front.forget()

    with stage.site.app.app_context():
        stage.site.notify.broadcast("status", "Back at ten.")
        stage.site.db.session.commit()
        stage.site.notify.drain()
    for page in pages:
        wait_until(page, "heard.includes('ring')")

    # After 0.2, 1 and 3 seconds.
    for milliseconds, count in [(150, 0), (100, 1), (700, 1), (100, 2), (1_900, 2), (100, 3)]:
        for page in pages:
            page.context.clock.run_for(milliseconds)
            wait_for_answers(page)
        assert [poll.tab for poll in stage.front.polls] == ["0.02", "0.1", "0.3"][:count]
    assert {poll.stream for poll in stage.front.polls} == {"rung"}
    for page in pages:
        expect(page.get_by_text("Back at ten.")).to_be_visible()


def test_who_logs_out_loses_the_stream(
    set_site: Callable[..., tuple[Stage, Proxy]], start: Callable[..., Process]
) -> None:
    stage, proxy = set_site()
    proxy.ports = [port_of(start())]
    visitor = stage.visit()
    visitor.expect_complaint("401")
    page = visitor.open()
    stage.front.wait_for(2)

    visitor.log_out()
    stage.front.forget()
    stage.emit(visitor, "follows", 7)
    assert [poll.status for poll in stage.front.wait_for(1)] == [401]
    stage.emit(visitor, "follows", 8)
    page.evaluate("fetch('/other').then((answer) => answer.text())")

    assert len(stage.front.polls) == 1


def test_a_stream_of_another_origin_needs_to_be_allowed_by_the_page(
    set_site: Callable[..., tuple[Stage, Proxy]], start: Callable[..., Process]
) -> None:
    port = str(free_port())
    stage, _ = set_site(NOTIFY_STREAM_URL=f"http://127.0.0.1:{port}{PATH}")
    site = stage.site.app.wsgi_app
    stage.site.app.wsgi_app = _Allowing(site, f"http://127.0.0.1:{port}")  # type: ignore[method-assign]
    start("--port", port, NOTIFY_STREAM_ORIGINS=[stage.server.url])
    visitor = stage.visit()

    page = visitor.open()
    stage.front.wait_for(2)

    assert_rings(stage, visitor, page, 7)


class _Allowing:
    """Lets pages connect to another origin as well."""

    def __init__(self, application: WSGIApplication, origin: str) -> None:
        self._application = application
        self._policy = f"{CSP}; connect-src 'self' {origin}"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def allowing(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            others = [(name, value) for name, value in headers if name != "Content-Security-Policy"]
            return start_response(status, [*others, ("Content-Security-Policy", self._policy)], *rest)

        return self._application(environ, allowing)
