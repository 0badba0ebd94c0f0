"""Doorbells: one that the tests ring, hush and break as they like, and a way to the real one."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/stream"
_PASSED_ON = ("content-type", "cache-control")


@dataclass(eq=False)
class Line:
    """A stream that a page holds."""

    token: str
    at: float
    events: queue.SimpleQueue[bytes | None] = field(default_factory=queue.SimpleQueue)


class Bell:
    """Streams at ``/stream``, in the same way as ``flask notify stream``, but each event at the word of a test.

    :param application: what answers everything else. The answers to its polls get tokens, which
        nobody checks: what a token is good for is tested elsewhere.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._changed = threading.Condition()
        self._tokens = 0
        self.greeting: tuple[str, ...] | None = ("hello",)
        """The events with which a stream begins; None refuses it."""
        self.lines: list[Line] = []
        """The streams that are open."""
        self.opened: list[Line] = []
        """All that were ever asked for, those that were refused, too."""

    def ring(self, spread: float = 0) -> None:
        """Tell every page that it has news."""
        self.tell("ring", {"spread": spread})

    def tell(self, event: str, data: Any = None) -> None:
        """Send an event into every stream."""
        for line in list(self.lines):
            line.events.put(_event(event, data))

    def hang_up(self) -> None:
        """Break every stream off, as a process does that is killed."""
        for line in list(self.lines):
            line.events.put(None)

    def wait(self, condition: Callable[[Bell], bool], timeout: float = 30) -> None:
        """Wait until something holds of the streams."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), timeout), (self.lines, self.opened)

    def wait_for_lines(self, count: int) -> None:
        """Wait until so many streams are open."""
        self.wait(lambda bell: len(bell.lines) == count)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ["PATH_INFO"] == PATH:
            return self._listen(environ, start_response)
        if "HTTP_X_NOTIFY_STREAM" not in environ or not environ["PATH_INFO"].endswith("/notifications"):
            return self._application(environ, start_response)
        return self._application(environ, self._with_token(start_response))

    def _with_token(self, start_response: StartResponse) -> StartResponse:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            with self._changed:
                self._tokens += 1
                others = [(name, value) for name, value in headers if name.lower() != "x-notify-stream"]
                return start_response(status, [*others, ("X-Notify-Stream", f"token {self._tokens}")], *rest)

        return start

    def _listen(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        line = Line(parse_qs(environ["QUERY_STRING"])["token"][0], monotonic())
        greeting = self.greeting
        with self._changed:
            self.opened.append(line)
            if greeting is not None:
                self.lines.append(line)
            self._changed.notify_all()
        if greeting is None:
            start_response("401 UNAUTHORIZED", [("Content-Type", "text/plain")])
            return [b"This token is good for nothing."]
        start_response("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")])
        return self._stream(line, greeting)

    def _stream(self, line: Line, greeting: tuple[str, ...]) -> Iterator[bytes]:
        try:
            yield b"retry: 3000\n\n"
            yield from (_event(event) for event in greeting)
            while True:
                try:
                    event = line.events.get(timeout=0.05)
                except queue.Empty:
                    # That the page has gone is noticed by writing to it.
                    yield b": \n\n"
                    continue
                if event is None:
                    return
                yield event
        finally:
            with self._changed:
                self.lines.remove(line)
                self._changed.notify_all()


def _event(event: str, data: Any = None) -> bytes:
    return f"event: {event}\ndata: {json.dumps(data or {})}\n\n".encode()


class Proxy:
    """What passes ``/stream`` on to processes of ``flask notify stream``, as nginx does, in turn.

    :param application: what answers everything else.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self.ports: list[int] = []
        """Where they listen; one that is gone is answered for by 502."""
        self._turn = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ["PATH_INFO"] != PATH:
            return self._application(environ, start_response)
        connection = HTTPConnection("127.0.0.1", self.ports[self._turn % len(self.ports)], timeout=60)
        self._turn += 1
        try:
            connection.request("GET", f"{PATH}?{environ['QUERY_STRING']}", headers={"Host": environ["HTTP_HOST"]})
            answer = connection.getresponse()
        except OSError:
            connection.close()
            start_response("502 BAD GATEWAY", [("Content-Type", "text/plain")])
            return [b"Nobody listens there."]
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() in _PASSED_ON]
        start_response(f"{answer.status} {answer.reason}", headers)
        return self._pass_on(connection, answer)

    def _pass_on(self, connection: HTTPConnection, answer: HTTPResponse) -> Iterator[bytes]:
        try:
            while content := answer.read1():
                yield content
        except (OSError, HTTPException):
            return  # a process that was killed ends no answer
        finally:
            connection.close()
