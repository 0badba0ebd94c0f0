"""The demo as a person runs it, in a process of its own, and somebody who tries it over the network."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

from examples.microblog.demo.community import PASSWORD

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "flask", "--app", "examples.microblog", "demo"]

#: Seconds within which something happens that another process does.
PATIENCE = 60

_T = TypeVar("_T")


class Demo:
    """A running demo."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            COMMAND, cwd=ROOT, env=environment(folder, port="0"), stdout=subprocess.PIPE, text=True
        )
        self.greeting = ""
        assert self.process.stdout
        for line in self.process.stdout:
            self.greeting += line
            if "Ctrl+C" in line:
                break
        found = re.search(r"http://\S+", self.greeting)
        assert found, self.greeting
        self.url = found[0]

    def close(self) -> None:
        """Stop it, where it still runs."""
        if self.process.poll() is None:
            self.stop()

    def stop(self) -> int:
        """Press Ctrl+C; return how the process ended."""
        return self.end(signal.SIGINT)

    def end(self, how: signal.Signals) -> int:
        """Send the process a signal; return how it ended."""
        self.process.send_signal(how)
        status = self.process.wait(PATIENCE)
        assert self.process.stdout
        self.process.stdout.close()
        return status


class Guest:
    """Somebody who tries the demo over the network."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def open(self, path: str, **fields: str) -> str:
        """Open a page, or send *fields* to it."""
        data = urlencode(fields).encode() if fields else None
        # As a browser says of a page to which somebody goes.
        headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        request = Request(self.url + path.lstrip("/"), data, headers)
        with self.opener.open(request, timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    def log_in(self, username: str) -> Guest:
        """Come in as one of the community, to a page that leaves what is new in the feed new."""
        self.send("/login?next=/explore", username=username, password=PASSWORD)
        return self

    def see_all(self) -> None:
        """Press the button that marks all messages as seen."""
        until = re.search(r'name="until" value="([^"]+)"', self.open("/messages"))
        assert until
        self.send("/messages", "/messages/seen", until=until[1])

    @contextmanager
    def listen(self) -> Iterator[Iterator[str]]:
        """Listen as an open page does; yields the names of the events that come.

        Whether news are heard may be told at any time (``away``, and ``hello`` again): see :func:`wait_for`.
        """
        found = re.search('data-notify-stream="([^"]+)"', self.open("/explore"))
        assert found
        poll = Request(self.url + "notifications", headers={"X-Notify-Stream": "1"})
        with self.opener.open(poll, timeout=PATIENCE) as answer:
            token = answer.headers["X-Notify-Stream"]
        page = Request(f"{found[1]}?{urlencode({'token': token})}", headers={"Origin": self.url.rstrip("/")})
        with self.opener.open(page, timeout=PATIENCE) as stream:
            yield (line.split()[1].decode() for line in stream if line.startswith(b"event:"))

    def unread(self) -> int:
        """Return the number beside the bell."""
        found = re.search(r'data-notify-badge="unread_message_count"[^>]*>\s*(\d+)', self.open("/explore"))
        assert found
        return int(found[1])

    def send(self, path: str, action: str | None = None, **fields: str) -> str:
        """Send a page's form with its token, to *action* (by default the page)."""
        found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', self.open(path))
        assert found
        return self.open(action or path, csrf_token=found[1], **fields)


def environment(folder: Path, port: str) -> dict[str, str]:
    """Return what the demo finds in its environment; its mails do not wait for long."""
    own = {"PORT": port, "MICROBLOG_INSTANCE_PATH": str(folder), "MICROBLOG_NOTIFY_OFTEN_DELAY": "1"}
    return {**os.environ, **own}


def wait_for(event: str, events: Iterator[str]) -> None:
    """Read on until that event; fail where the stream ends before it."""
    before = []
    for name in events:
        if name == event:
            return
        before.append(name)
    raise AssertionError(f"The stream ended without {event!r}, after {before}")


def processes_of(folder: Path) -> list[int]:
    """Return the processes that run on a folder, as Linux tells."""
    mine = f"MICROBLOG_INSTANCE_PATH={folder}\0".encode()
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if mine in _read(path)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has just ended, or is another's
        return b""


def eventually(find: Callable[[], _T]) -> _T:
    """Return what *find* returns, once that is true: another process is at work."""
    deadline = time.monotonic() + PATIENCE
    while not (found := find()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} seconds"
        time.sleep(0.05)
    return found
