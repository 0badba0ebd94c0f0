"""Serving the stream to pages that are open."""

from __future__ import annotations

import time
from typing import Any, cast
from urllib.parse import urlsplit

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from ..config import Settings
from ..errors import ConfigurationError
from ..hints.connecting import connector
from ..hints.listener import Listener
from ..hints.wire import Hint
from ..stream import server
from ..stream.application import Stream
from ..stream.hub import Hub
from ..stream.tokens import Tokens
from .base import app_state

_LAST_WORDS = 1.0
"""Seconds that the threads of the listener have to end; they end with the process anyway."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", default=8001, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--uds", metavar="PATH", help="Listen at a Unix socket instead.")
@click.option("--fd", type=click.IntRange(0), help="Listen at a socket that was handed over, as by systemd.")
@with_appcontext
def stream(host: str, port: int, uds: str | None, fd: int | None) -> None:
    """Ring open pages when there are news, so that they poll at once.

    It needs the broker and no database. Several may run, also on several machines. SIGTERM and
    Ctrl-C end it: pages are told to go, and poll by themselves until they find another.
    """
    app = cast(Flask, cast(Any, current_app)._get_current_object())
    settings: Settings = app_state().settings
    if settings.stream_url is None:
        raise ConfigurationError(
            "NOTIFY_STREAM_URL must say where pages reach the stream, got None. Set it to a path like '/stream' "
            "that your proxy passes on to this process."
        )
    connect = connector(app)
    if connect is None:
        raise ConfigurationError(
            "The stream is told of news by a broker, got none. Set NOTIFY_BROKER_URL, as in 'redis://localhost'."
        )
    tokens = Tokens.of(app)
    listening = server.listen(host, port, uds, fd)
    hub = Hub(min(settings.stream_limit, server.room_for_pages()), settings.poll_interval)

    def heard(hint: Hint) -> None:
        hub.hear(None if hint.everyone else hint.cursors, many=hint.spread)

    listener = Listener(connect, heard, hub.change)
    path = urlsplit(settings.stream_url).path or "/"

    def started() -> None:
        listener.start()
        click.echo(f"Pages can listen at {server.address(listening)}{path}")

    server.serve(
        Stream(hub, tokens, path, _origins(settings), time.time),
        listening,
        started=started,
        stopped=lambda: listener.stop(_LAST_WORDS),
    )
    click.echo("Ended.")


def _origins(settings: Settings) -> frozenset[str]:
    """Return whose pages may listen, beside those of the stream's own host."""
    if settings.base_url is None:
        return settings.stream_origins
    base = urlsplit(settings.base_url.lower())
    return settings.stream_origins | {f"{base.scheme}://{base.netloc}"}
