"""``flask --app examples.microblog demo``: everything needed to try it, in one go."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade
from werkzeug.serving import make_server

from ..extensions import db
from ..times import utcnow
from . import community

HOST = "127.0.0.1"
DEFAULT_PORT = 5000
MAX_PORT = 65535
#: Seconds for each post: slow enough to watch.
EXPORT_PACE = 0.8

WELCOME = """
The microblog is at {address}

Log in as  {first}  in this window and as  {second}  in a private one
(both have the password "{password}"), and look at both side by side:
write a post as one, or follow the other, and watch the numbers beside
Home and Followers change. Under Exports a bar shows how far the work is.

Press Ctrl+C to stop.
"""


def init_app(app: Flask) -> None:
    """Add the command to those of *app*."""
    app.cli.add_command(demo)


@click.command()
@with_appcontext
def demo() -> None:
    """Serve the microblog with a small community in it.

    The database is made at the first run and kept. PORT chooses the port.
    """
    listener = _listen(_port())
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    _prepare_database(Path(app.instance_path))
    community.fill(utcnow())
    app.config["EXPORT_PACE"] = EXPORT_PACE
    address = f"http://{HOST}:{listener.getsockname()[1]}/"
    first, second = community.GUIDES
    click.echo(WELCOME.format(address=address, first=first, second=second, password=community.PASSWORD))
    _serve(app, listener)


def _port() -> int:
    text = os.environ.get("PORT") or str(DEFAULT_PORT)
    if not text.isdecimal() or int(text) > MAX_PORT:
        raise click.ClickException(f"PORT must be a number up to {MAX_PORT}, got {text!r}.")
    return int(text)


def _listen(port: int) -> socket.socket:
    # The port is taken before anything else is done, and kept: no one can slip in
    # between a check and the start.
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        trouble = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        other = port + 1 if port < MAX_PORT else DEFAULT_PORT
        raise click.ClickException(f"Port {port} {trouble}; choose another, as in PORT={other} make demo.") from None
    listener.listen(128)
    return listener


def _prepare_database(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if path := db.engine.url.database:
        # Readers and the writer do not wait for each other in WAL mode. It is kept
        # in the file, and must not be switched on by two processes at once.
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    upgrade()


def _serve(app: Flask, listener: socket.socket) -> None:
    # A line for every poll would bury what matters.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server(HOST, 0, app, threaded=True, fd=listener.fileno())
    try:
        server.serve_forever()
    finally:
        listener.close()
