"""Doing what has to be done beside the requests: for good, or once."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import asdict
from io import StringIO
from typing import Any, cast

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from ..mailing import digest as digests
from ..mailing.transport import FlaskMailTransport
from ..relaying import waiting
from ..relaying.relayer import Relayer
from ..running import expiry, scheduler
from ..running.jobs import told
from .base import answer, app_models, app_state, as_json, progress, table


@click.command()
@with_appcontext
def run() -> None:
    """Run the jobs: move what was sent to many, send mail, remove what has expired.

    Several may run, also on several machines. SIGTERM and Ctrl-C end it after what is in hand.
    """
    app = _app()
    app_models()  # which tells what is missing, if something is
    scheduler.run(app, _line)


def _line(text: str) -> None:
    click.echo(text)


@click.command()
@as_json
@with_appcontext
def expire(machine: bool) -> None:
    """Remove old messages, mails and values, as the settings say.

    `flask notify run` does so every hour. It works in batches; one that was stopped goes on where
    it was.
    """
    models, removed = app_models(), Counter[str]()
    batches = expiry.expire(models, app_state().settings, now=models.clock())
    with click.progressbar(batches, label="Batches", show_pos=True, file=StringIO() if machine else None) as bar:
        for batch in bar:
            removed[batch.what] += batch.removed
    answer(machine, {"removed": removed}, f"Removed {told(removed)}." if removed else "Nothing was old enough.")


@click.command()
@as_json
@with_appcontext
def relay(machine: bool) -> None:
    """Take the messages that wait to the queues of the broker.

    `flask notify run` does so by itself, each second. Beside it, messages may be repeated: whoever
    reads the queues knows them by their id. The exit code is 1 if the broker cannot be reached.
    """
    models, settings = app_models(), app_state().settings
    if not settings.relay_queues:
        raise click.UsageError("Nothing is relayed while NOTIFY_RELAY_QUEUES is off.")
    engine, relayer, relayed = models.db.engines[models.bind_key], Relayer.of(models, settings), 0
    with engine.connect() as connection:
        before = waiting.backlog(connection, models).messages
    with closing(relayer), progress(before, "Messages", machine) as bar:
        for size in relayer.relay():
            relayed += size
            bar.update(size)
    with engine.connect() as connection:
        left = waiting.backlog(connection, models).messages
    text = f"Relayed {relayed} message{'' if relayed == 1 else 's'}{f'; {left} wait still' if left else ''}."
    answer(machine, {"relayed": relayed, "left": left}, text)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be sent now, and write nothing.")
@as_json
@with_appcontext
@click.pass_context
def digest(ctx: click.Context, dry_run: bool, machine: bool) -> None:
    """Send all mail that is due.

    `flask notify run` does so by itself. The exit code is 1 if no mail can go out.
    """
    models, settings = app_models(), app_state().settings
    transport = FlaskMailTransport(_app(), settings.mail_timeout)
    if dry_run:
        _tell_previews(list(digests.preview(models, settings, transport, now=models.clock())), machine)
        return
    summary = digests.run_once(models, settings, transport)
    text = f"{str(summary)[:1].upper()}{str(summary)[1:]}"
    answer(machine, {"outcomes": summary.outcomes, "problem": summary.problem}, text)
    ctx.exit(1 if summary.problem else 0)


def _tell_previews(previews: list[digests.Preview], machine: bool) -> None:
    if machine:
        answer(machine, {"mails": list(map(asdict, previews))}, "")
        return
    rows = [
        {"recipient": preview.recipient_id, "messages": preview.messages, "mail": preview.subject or preview.reason}
        for preview in previews
    ]
    table(rows, "No mail is due.")


def _app() -> Flask:
    return cast(Flask, cast(Any, current_app)._get_current_object())
