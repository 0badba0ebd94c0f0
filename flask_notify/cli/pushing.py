"""The keys of Web Push."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from ..pushing.keys import generate
from .base import answer, as_json


@click.command()
@as_json
@with_appcontext
def vapid(machine: bool) -> None:
    """Make a pair of keys for Web Push, and print the line for your settings.

    Nothing is written or changed. Make one pair, once: with another, every browser has to subscribe again.
    """
    private, public = generate()
    text = (
        f'NOTIFY_VAPID_PRIVATE_KEY = "{private}"\n\n'
        "Keep it where your other secrets are. Pages are given the public key that belongs to it by themselves:\n"
        f"{public}"
    )
    answer(machine, {"private_key": private, "public_key": public}, text)
