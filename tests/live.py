"""A Flask application served on a real port, in a thread of the tests."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Request(NamedTuple):
    """A request that the server has answered."""

    method: str
    path: str
    query: str
    ticket: str | None
    status: int
    at: float


class LiveServer:
    """Serve an application at ``url``; it can be stopped, and started again on the same port.

    The port is its own until :meth:`close`: nobody else gets it while the server is stopped.
    ``requests`` holds every answered request; ``answered`` is notified of each, and
    :meth:`wait_for` waits for a number of polls.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Bound, but never listening: that alone refuses clients, and lets the server bind the same port.
        self._place.bind(("127.0.0.1", 0))
        self.port: int = self._place.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.requests: list[Request] = []
        self.answered = threading.Condition()
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen and serve."""
        self._server = make_server(
            "127.0.0.1", self.port, self._recording, threaded=True, request_handler=_QuietHandler
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening: clients are refused until :meth:`start`."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server = self._thread = None

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._place.close()

    def restart(self) -> None:
        """Stop, and start on the same port."""
        self.stop()
        self.start()

    def polls(self) -> list[Request]:
        """Return the answered requests for notifications, in order."""
        return [request for request in self.requests if request.path.endswith("/notifications")]

    def wait_for(self, polls: int, timeout: float = 30) -> None:
        """Wait until so many polls in all have been answered."""
        with self.answered:
            assert self.answered.wait_for(lambda: len(self.polls()) >= polls, timeout), self.requests

    def _recording(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status = 0

        def recorded(line: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            nonlocal status
            status = int(line.split(maxsplit=1)[0])
            return start_response(line, headers, *rest)

        answer = self.app(environ, recorded)
        request = Request(
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"],
            environ["QUERY_STRING"],
            environ.get("HTTP_IF_NONE_MATCH"),
            status,
            time.monotonic(),
        )
        with self.answered:
            self.requests.append(request)
            self.answered.notify_all()
        return _closed_in_the_end(answer)


def _closed_in_the_end(answer: Iterable[bytes]) -> Iterator[bytes]:
    # Werkzeug's server does not close the answer to a browser that has hung up, as one does with a page that it leaves.
    try:
        yield from answer
    finally:
        if hasattr(answer, "close"):
            answer.close()


class _QuietHandler(WSGIRequestHandler):
    _headers_buffer: list[bytes]

    def log(
        self,
        type: str,  # noqa: A002 - the overridden method's name
        message: str,
        *args: Any,
    ) -> None:
        """Keep the access log out of the tests' output."""

    def send_header(self, keyword: str, value: str) -> None:
        """Let an application's own Date take the place of the server's."""
        if keyword == "Date":
            self._headers_buffer = [line for line in self._headers_buffer if not line.startswith(b"Date:")]
        super().send_header(keyword, value)
