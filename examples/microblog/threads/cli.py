"""``flask threads``: the same actions as on the pages, from a shell."""

from __future__ import annotations

import click
from flask import Flask
from flask.cli import AppGroup

from flask_notify import NotifyError
from flask_notify.errors import ActionRefused, AnswerNeeded, RowNotFound

from ..extensions import db, notify
from ..models import User
from . import talk
from .actions import CloseThread

threads = AppGroup("threads", help="Look after the discussions.")


def init_app(app: Flask) -> None:
    """Add the commands to those of *app*."""
    app.cli.add_command(threads)


@threads.command("list")
@click.option("--as", "username", help="As whom to look; nobody in particular sees what everybody may.")
@click.option("--limit", default=15, show_default=True, help="How many.")
def list_threads(username: str | None, limit: int) -> None:
    """List the threads, those in which somebody has just said something first."""
    reader = None if username is None else _named(username)
    ar = notify.action_request(user=reader)
    click.echo(ar.show(talk.newest_first(reader), "id title author topic closed", limit=limit), nl=False)


@threads.command()
@click.argument("number", type=int)
@click.option("--as", "username", required=True, help="Who closes it; their permission counts.")
@click.option("--say", help="What those who took part are told; otherwise the usual words.")
@click.option("--silent", is_flag=True, help="Tell nobody.")
@click.option("--yes", is_flag=True, help="Answer yes to what is asked.")
def close(number: int, username: str, say: str | None, silent: bool, yes: bool) -> None:
    """Close the thread NUMBER."""
    user = _named(username)
    params = {"silent": silent, **({} if say is None else {"subject": say})}
    answers = {"close": True} if yes else {}
    try:
        try:
            response = CloseThread.run_for(number, user=user, params=params, answers=answers)
        except AnswerNeeded as question:
            answers[question.uid] = click.confirm(question.text)
            response = CloseThread.run_for(number, user=user, params=params, answers=answers)
    except RowNotFound:
        raise click.ClickException(f"There is no thread {number} that {username} can see.") from None
    except ActionRefused:
        raise click.ClickException(f"{username} may not close thread {number}, or it is closed already.") from None
    except NotifyError as error:
        raise click.ClickException(str(error)) from None
    db.session.commit()
    click.echo(response.message or response.info_message)


def _named(username: str) -> User:
    found = User.named(username)
    if found is None:
        raise click.ClickException(f"Nobody is called {username!r}.")
    return found
