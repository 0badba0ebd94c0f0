"""Whether all is well, and mending the counts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from .. import inbox
from ..messages import recounting
from ..running.doctor import examine
from ..running.finding import Finding
from .base import answer, app_models, app_state, as_json, progress

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@click.command()
@as_json
@with_appcontext
@click.pass_context
def doctor(ctx: click.Context, machine: bool) -> None:
    """Look at the settings, the tables, the jobs, the broker and the mail server, and say what to do.

    The exit code is 1 if there is an error. Nothing is changed.
    """
    app = cast(Flask, cast(Any, current_app)._get_current_object())
    found = list(examine(app, app_models(), app_state().settings))
    errors = sum(finding.level == "error" for finding in found)
    if machine:
        answer(machine, {"errors": errors, "findings": list(map(asdict, found))}, "")
    else:
        for finding in found:
            _print(finding)
        click.echo(f"\n{errors} error{'' if errors == 1 else 's'}" if errors else "\nAll is well enough.")
    ctx.exit(1 if errors else 0)


def _print(finding: Finding) -> None:
    mark = click.style(f"{finding.level:>7}", fg=_COLOURS[finding.level])
    click.echo(f"{mark}  {finding.about}: {finding.what}")
    if finding.remedy:
        click.echo(f"         {finding.remedy}")


@click.command()
@as_json
@with_appcontext
def recount(machine: bool) -> None:
    """Count every inbox again, and set right those that are wrong.

    The counts are exact by themselves. They are not once messages were written or deleted by hand.
    """
    models = app_models()
    looked_at = mended = 0
    length = inbox.count(models)
    models.db.session.rollback()
    with progress(length, "Inboxes", machine) as bar:
        for batch in recounting.recount(models):
            looked_at, mended = looked_at + batch.looked_at, mended + batch.mended
            bar.update(batch.looked_at)
    text = (
        f"{mended} of {looked_at} inboxes were wrong, and are set right." if mended else f"All {looked_at} are right."
    )
    answer(machine, {"inboxes": looked_at, "mended": mended}, text)
