"""Sending messages and live values from a terminal."""

from __future__ import annotations

import json
from typing import Any

import click
from flask.cli import with_appcontext
from sqlalchemy import select

from ..messages import fanout
from .base import answer, app_models, app_state, as_json, find_user, progress


@click.command()
@click.argument("subject", required=False)
@click.option("--to", "names", multiple=True, metavar="USER", help="A user's key or name; may be repeated.")
@click.option("--all", "everybody", is_flag=True, help="To every user.")
@click.option(
    "--where", "conditions", multiple=True, metavar="NAME=VALUE", help="To users with that attribute; may be repeated."
)
@click.option("--body", "--details", help="All there is to say.")
@click.option("--url", "--address", help="Where it leads to: http(s), or a path of this site.")
@click.option("--popup", is_flag=True, help="Let open pages show it by themselves.")
@click.option("--type", "kind", default="system", show_default=True, help="A declared type; its data by --data.")
@click.option("--data", default="{}", metavar="JSON", help="Data to keep with it: an object.")
@as_json
@with_appcontext
def send(
    subject: str | None,
    names: tuple[str, ...],
    everybody: bool,
    conditions: tuple[str, ...],
    machine: bool,
    **options: Any,
) -> None:
    """Send a message.

    \b
    flask notify send "Backup finished" --to maren --url /backups
    flask notify send "Closed on Friday" --all
    flask notify send --type welcome --data '{"door": 3}' --where active=1
    """
    to = _recipients(names, everybody, conditions)
    recorded = _send(subject, to, **options)
    session = app_models().db.session
    session.commit()
    answer(machine, {"recipients": recorded}, f"Sent to {recorded} recipient{'' if recorded == 1 else 's'}.")


def _recipients(names: tuple[str, ...], everybody: bool, conditions: tuple[str, ...]) -> Any:
    if sum(map(bool, (names, everybody, conditions))) != 1:
        raise click.UsageError("Name the recipients by one of --to, --all and --where.")
    if names:
        return [find_user(name) for name in names]
    models = app_models()
    query = select(models.key_column)
    for condition in conditions:
        name, _, text = condition.partition("=")
        column = models.user_mapper.columns.get(name)
        if column is None:
            known = ", ".join(models.user_mapper.columns.keys())
            raise click.BadParameter(f"--where must be one of {known}, with = and a value; got {condition!r}.")
        query = query.where(column == _value(column.type, text, condition))
    return query


def _value(kind: Any, text: str, condition: str) -> Any:
    if kind.python_type is bool:
        if text.lower() in ("1", "true", "yes", "0", "false", "no"):
            return text.lower() in ("1", "true", "yes")
        raise click.BadParameter(f"--where needs true or false there, got {condition!r}.")
    try:
        return kind.python_type(text)
    except (TypeError, ValueError) as error:
        raise click.BadParameter(f"--where needs a {kind.python_type.__name__} there, got {condition!r}.") from error


def _send(subject: str | None, to: Any, *, body: str | None, url: str | None, popup: bool, kind: str, data: str) -> int:
    notify = app_state().notify
    content = _json(data, "--data")
    if not isinstance(content, dict):
        raise click.BadParameter(f"--data must be a JSON object, got {data!r}.")
    if popup:
        content["popup"] = True
    declared = notify.message_types.find(kind)
    if kind != "system":
        if subject or body or url:
            raise click.UsageError(f"The type {kind!r} makes its own text; give it --data alone.")
        return int(notify.send(declared(**content), to=to))
    if not subject:
        raise click.UsageError("Give the message's SUBJECT, or a --type that makes it.")
    return int(notify.send(subject, to=to, body=body, url=url, data=content))


@click.command()
@click.argument("name")
@click.argument("value", metavar="JSON")
@click.option("--expires-in", type=float, metavar="SECONDS", help="After how long it is gone.")
@as_json
@with_appcontext
def broadcast(name: str, value: str, expires_in: float | None, machine: bool) -> None:
    """Give every user a live value.

    \b
    flask notify broadcast maintenance '{"at": "22:00"}' --expires-in 3600
    """
    recorded = app_state().notify.broadcast(name, _json(value, "JSON"), expires_in=expires_in)
    app_models().db.session.commit()
    answer(machine, {"recipients": recorded}, f"Told {recorded} user{'' if recorded == 1 else 's'}.")


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{where} must be JSON, as in '\"text\"' or '{{\"at\": 3}}', got {text!r}: {error}."
        ) from error


@click.command()
@as_json
@with_appcontext
def drain(machine: bool) -> None:
    """Move what was sent to many, and waits, into the inboxes.

    `flask notify run` does so by itself. Several may do so at once; one that was stopped goes on
    where it was.
    """
    state, models = app_state(), app_models()
    waiting, moved = fanout.backlog(models), 0
    models.db.session.rollback()  # it was only read, and its connection may be wanted
    with progress(waiting, "Recipients", machine) as bar:
        for size in fanout.drain(models, state.settings, state.notify.message_types):
            moved += size
            bar.update(size)
    answer(machine, {"moved": moved}, f"Moved {moved} recipient{'' if moved == 1 else 's'}.")
