"""An application with one page that shows live values, and what may stand between it and the browser."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from flask import Blueprint, Response, render_template, request, send_file

from tests.apps import Site

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MODULES = Path(__file__).parents[2] / "node_modules"
CSP = "default-src 'self'"


def add_pages(site: Site) -> None:
    """Give the application its pages, all of them under a strict Content-Security-Policy."""
    stage = Blueprint("stage", __name__, template_folder="pages", static_folder="pages", static_url_path="/pages")
    stage.add_url_rule("/", "page", _page)
    stage.add_url_rule("/other", "other", lambda: "<!doctype html><title>Other</title><p>Another page.")
    stage.add_url_rule("/tutorial", "tutorial", lambda: render_template("tutorial.html"))
    stage.add_url_rule("/jquery.js", "jquery", lambda: send_file(MODULES / "jquery" / "dist" / "jquery.js"))
    stage.add_url_rule("/favicon.ico", "icon", lambda: Response(status=204))
    site.app.register_blueprint(stage)
    site.app.after_request(_strict)


def _page() -> str:
    return render_template("page.html", since=request.args.get("since", type=float))


def _strict(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CSP
    return response


class Poll(NamedTuple):
    """A poll as it reached the server."""

    tab: str
    since: float
    ticket: str | None
    status: int
    at: float
    stream: str | None
    """Why a page with a doorbell asked: because it was ``rung``, or for another reason."""


class Front:
    """What stands in front of an application: it counts the polls, and can answer them itself, as a proxy does.

    A page opened as ``/?tab=a`` polls as the tab ``a``.
    """

    def __init__(self, application: WSGIApplication, clock: Any) -> None:
        self.application = application
        self.clock = clock
        self.polls: list[Poll] = []
        self.instead: tuple[int, dict[str, str], str] | None = None
        self.open = threading.Event()
        self.open.set()
        self._underway = 0
        self.changed = threading.Condition()

    def answer(self, status: int, headers: dict[str, str] | None = None, body: str = "") -> None:
        """Answer every poll so from now on."""
        self.instead = (status, headers or {}, body)

    def pass_on(self) -> None:
        """Let the application answer again."""
        self.instead = None

    def forget(self) -> None:
        """Begin to count anew."""
        with self.changed:
            self.polls.clear()

    def wait_for(self, count: int, timeout: float = 30) -> list[Poll]:
        """Wait until so many polls were answered since the last :meth:`forget`, and return them."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.polls) >= count, timeout), self.polls
            return list(self.polls)

    def wait_for_tab(self, tab: str, count: int, timeout: float = 30) -> None:
        """Wait until so many polls of a tab were answered since the last :meth:`forget`."""
        with self.changed:
            enough = self.changed.wait_for(lambda: [poll.tab for poll in self.polls].count(tab) >= count, timeout)
            assert enough, self.polls

    def wait_for_reason(self, reason: str) -> None:
        """Wait until a poll for that reason was answered since the last :meth:`forget`."""
        with self.changed:
            assert self.changed.wait_for(lambda: reason in [poll.stream for poll in self.polls], 60), self.polls

    def wait_until_asked(self) -> None:
        """Wait until a poll has come that has no answer yet."""
        with self.changed:
            assert self.changed.wait_for(lambda: self._underway > 0, 30), self.polls

    def wait_until_answered(self) -> None:
        """Wait until all polls that have come have their answers."""
        with self.changed:
            assert self.changed.wait_for(lambda: self._underway == 0, 30), self.polls

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if not environ["PATH_INFO"].endswith("/notifications"):
            return self.application(environ, start_response)
        with self.changed:
            self._underway += 1
            self.changed.notify_all()
        self.open.wait(30)
        seen: list[int] = []

        def watched(line: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            seen.append(int(line.split(maxsplit=1)[0]))
            return start_response(line, headers, *rest)

        try:
            body = list((self._replace if self.instead else self.application)(environ, watched))
        finally:
            with self.changed:
                self._underway -= 1
                self.polls += [self._poll(environ, status) for status in seen[-1:]]
                self.changed.notify_all()
        return body

    def _replace(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        assert self.instead is not None
        status, headers, body = self.instead
        return Response(body, status, headers)(environ, start_response)

    def _poll(self, environ: WSGIEnvironment, status: int) -> Poll:
        page = parse_qs(urlsplit(environ.get("HTTP_REFERER", "")).query)
        since = float(parse_qs(environ["QUERY_STRING"])["since"][0])
        return Poll(
            page.get("tab", [""])[0],
            since,
            environ.get("HTTP_IF_NONE_MATCH"),
            status,
            self.clock(),
            environ.get("HTTP_X_NOTIFY_STREAM"),
        )
