"""Looking into a user's inbox, and asking why something was sent or not."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
from flask.cli import with_appcontext

from ..running import reasons
from .base import answer, app_models, app_state, as_json, find_user, table


@click.command()
@click.argument("user")
@click.option("--unseen", is_flag=True, help="Only what the user has not seen.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="The newest so many.")
@as_json
@with_appcontext
def inbox(user: str, unseen: bool, limit: int, machine: bool) -> None:
    """List the messages of USER (a key or name), newest first. They stay unseen."""
    recipient = find_user(user)
    Message: Any = app_models().Message
    query = recipient.messages_received.select().order_by(Message.cursor.desc()).limit(limit)
    if unseen:
        query = query.where(Message.seen_at.is_(None))
    rows = [
        {
            "id": message.id,
            "seen": message.seen,
            "created": message.created_at.isoformat(timespec="seconds"),
            "type": message.type,
            "count": message.count,
            "subject": message.subject,
        }
        for message in app_models().db.session.scalars(query)
    ]
    if machine:
        answer(machine, {"unseen": recipient.unread_message_count, "messages": rows}, "")
        return
    table(rows, "There are no messages.")
    click.echo(f"{recipient.unread_message_count} unseen")


@click.command()
@click.argument("user")
@click.argument("message", required=False, type=int)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="The newest so many messages.")
@as_json
@with_appcontext
def why(user: str, message: int | None, limit: int, machine: bool) -> None:
    """Say why USER was sent each message, and what became of its mail; or of one MESSAGE (its id).

    Without MESSAGE, say also what would become of each declared type now, and for which objects
    the user has a mode of their own or has muted them. It is the sender's own rules that are asked.
    """
    models, recipient = app_models(), find_user(user)
    told = reasons.of_messages(models, recipient, message_id=message, limit=limit)
    if message is not None and not told:
        raise click.BadParameter(f"{user!r} has no message {message}. It may have expired.")
    types = [] if message is not None else reasons.of_types(models, app_state().notify.message_types, recipient)
    objects = [] if message is not None else reasons.of_objects(models, recipient, limit=limit)
    unreachable = reasons.no_mail(recipient)
    if machine:
        facts = {"no_mail": unreachable, "messages": list(map(asdict, told)), "types": list(map(asdict, types))}
        facts["objects"] = list(map(asdict, objects))
        answer(machine, facts, "")
        return
    if unreachable:
        click.echo(f"No mail reaches this user: {unreachable}.\n")
    for one in told:
        click.echo(f"Message {one.id} ({one.type}) of {one.created_at}: {one.subject}")
        click.echo(f"  {one.mail_mode}, by the rule {one.rule!r}: {one.meaning}")
        click.echo(f"  {one.mail}")
        if one.push is not None:
            click.echo(f"  {one.push}")
    if types:
        click.echo("\nOf each type, as things are now:" if told else "Of each type, as things are now:")
        table([_row(verdict) for verdict in types], "")
    if objects:
        click.echo("\nOf these objects, as the user has chosen:")
        table([{"object": o.object, "mode": o.mail_mode, "because": o.meaning} for o in objects], "")


def _row(verdict: reasons.Verdict) -> dict[str, Any]:
    row = {"type": verdict.type, "mode": verdict.mail_mode, "rule": verdict.rule, "because": verdict.meaning}
    if app_state().vapid is not None:
        row["pushed"] = f"{'yes' if verdict.push else 'no'}, {verdict.push_rule}"
    return row
