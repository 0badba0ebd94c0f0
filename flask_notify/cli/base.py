"""What the commands have in common: the group, their errors, whom they name, and how they answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any, TypeVar

import click
from flask import current_app
from flask.cli import AppGroup
from sqlalchemy import select
from sqlalchemy.exc import OperationalError, ProgrammingError

from ..errors import NotifyError
from ..models import Models

_Command = TypeVar("_Command", bound="Callable[..., Any]")

NAMES = ("username", "name", "email")
"""Attributes of the user model by which a command finds a user, besides the key."""


class _Group(AppGroup):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except NotifyError as error:
            raise click.ClickException(str(error)) from error
        except (OperationalError, ProgrammingError) as error:
            raise click.ClickException(
                f"The database says: {error.orig}. `flask notify doctor` tells what is amiss with the tables."
            ) from error


notify_cli = _Group("notify", help="Live values, messages and mail.")


def as_json(command: _Command) -> _Command:
    """Give a command the option ``--json``, as its parameter ``machine``."""
    return click.option("--json", "machine", is_flag=True, help="Answer in JSON, for programs.")(command)


def answer(machine: bool, told: Mapping[str, Any], text: str) -> None:
    """Print one fact, for a program or for people."""
    click.echo(json.dumps(told, default=str) if machine else text)


def progress(length: int, label: str, machine: bool) -> Any:
    """Return a progress bar, which a program does not get to see."""
    return click.progressbar(length=length, label=label, file=StringIO() if machine else None)


def table(rows: Sequence[Mapping[str, Any]], empty: str) -> None:
    """Print rows under their names, each column as wide as it needs."""
    if not rows:
        click.echo(empty)
        return
    names = list(rows[0])
    lines = [
        [name.upper() for name in names],
        *[["" if row[n] is None else str(row[n]) for n in names] for row in rows],
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def app_state() -> Any:
    """Return what the application has of the extension."""
    return current_app.extensions["notify"]


def app_models() -> Models:
    """Return the application's tables."""
    models: Models = app_state().notify.models
    return models


def find_user(text: str) -> Any:
    """Return the user whom a command names, by key or else by :data:`NAMES`.

    :raises click.BadParameter: if there is none.
    """
    models = app_models()
    User: Any = models.user_mapper.class_
    try:
        key = models.key_column.type.python_type(text)
    except (TypeError, ValueError):
        key = None
    user = None if key is None else models.db.session.get(User, key)
    present = [name for name in NAMES if name in models.user_mapper.columns]
    for name in present:
        if user is None:
            user = models.db.session.scalars(select(User).where(getattr(User, name) == text).limit(1)).first()
    if user is None:
        raise click.BadParameter(f"There is no user with the {' or '.join(['key', *present])} {text!r}.")
    return user
