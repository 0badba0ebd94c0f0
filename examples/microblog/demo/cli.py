"""``flask --app examples.microblog demo``: everything needed to try it, in one go."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import socket
import sqlite3
from contextlib import ExitStack, closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from flask_migrate import upgrade
from werkzeug.serving import make_server

from ..config import kept
from ..extensions import db
from ..times import utcnow
from . import beside, community
from .catcher import catch_mail
from .doorbell import doorbell, is_possible
from .doorbell import settings as doorbell_settings

HOST = "127.0.0.1"
DEFAULT_PORT = 5000
MAX_PORT = 65535

#: What is to be seen happening, happens soon.
SETTINGS = {
    # Seconds for each post of an export: slow enough to watch.
    "EXPORT_PACE": 0.8,
    # What one leaves unread for so many seconds is mailed.
    "NOTIFY_OFTEN_DELAY": 20,
    # An announcement to everybody takes the way that it takes in a large community.
    "NOTIFY_INLINE_RECIPIENTS": 5,
}

#: Whatever happened before is told at once: there is no scheduler yet to bring it to many.
WHILE_FILLING = {"NOTIFY_INLINE_RECIPIENTS": 1_000}

WELCOME = """
The microblog is at {address}

Log in as  {first}  in this window and as  {second}  in a private one
(both have the password "{password}"), and look at both side by side:
write to each other from the profiles, mention one another with an @ in a
post, comment on a thread that the other watches, edit it or close it, and
watch the bell and the numbers change.

What is left unread for {delay} seconds comes as mail. No mail leaves this
computer: it lies at {address}mail/
{admin} is an administrator: announce something to everybody at
{address}announce

Press Ctrl+C to stop. What follows is what the scheduler and the doorbell do.
"""


def init_app(app: Flask) -> None:
    """Add the command to those of *app*."""
    app.cli.add_command(demo)


@click.command()
@with_appcontext
def demo() -> None:
    """Serve the microblog with a small community in it, a scheduler and a doorbell beside it.

    The database is made at the first run and kept. PORT chooses the port.
    """
    from .. import create_app

    for how in (signal.SIGINT, signal.SIGTERM):
        signal.signal(how, _end)
    folder = Path(current_app.instance_path)
    with closing(_listen(_port())) as listener, ExitStack() as stack:
        address = f"http://{HOST}:{listener.getsockname()[1]}/"
        mail_port = stack.enter_context(catch_mail(HOST, folder / "mail"))
        bell = stack.enter_context(socket.create_server((HOST, 0))) if is_possible() else None
        _configure(
            NOTIFY_BASE_URL=address.rstrip("/"),
            MAIL_SERVER=HOST,
            MAIL_PORT=mail_port,
            LETTERBOX_FOLDER=str(folder / "mail"),
            **_push_settings(folder),
            **(doorbell_settings(bell, listener.getsockname()[1]) if bell else {}),
        )
        with create_app(WHILE_FILLING).test_request_context(base_url=address):
            _prepare_database(folder)
            community.fill(utcnow())
        app = create_app()
        _greet(app, address)
        tells = stack.enter_context(doorbell(bell)) if bell else None
        stack.enter_context(beside.run("notify", "run", tells=tells))
        _serve(app, listener)


def _end(_signal: int, _frame: Any) -> NoReturn:
    # Whatever is at work, it ends, and with it what was started beside it.
    raise SystemExit(0)


def _configure(**settings: Any) -> None:
    """Put settings into the environment, which the processes beside the demo inherit."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(f"MICROBLOG_{name}", json.dumps(value))
    for name, value in settings.items():
        os.environ[f"MICROBLOG_{name}"] = json.dumps(value)


def _push_settings(folder: Path) -> dict[str, Any]:
    """Let the demo push, where what pushes is installed. Its key is kept: browsers subscribe for it."""
    if find_spec("pywebpush") is None:
        return {}
    from flask_notify.pushing.keys import generate

    return {"NOTIFY_VAPID_PRIVATE_KEY": kept(folder / "vapid_private_key", lambda: generate()[0])}


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
        listener.close()
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


def _greet(app: Flask, address: str) -> None:
    first, second = community.GUIDES
    click.echo(
        WELCOME.format(
            address=address,
            first=first,
            second=second,
            password=community.PASSWORD,
            admin=community.ADMINISTRATOR.capitalize(),
            delay=app.config["NOTIFY_OFTEN_DELAY"],
        )
    )


def _serve(app: Flask, listener: socket.socket) -> None:
    # A line for every poll would bury what matters.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    make_server(HOST, 0, app, threaded=True, fd=listener.fileno()).serve_forever()
