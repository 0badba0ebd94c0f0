"""Messages for the tests of what a recipient sees: written with their counts, about objects of three models."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import Integer, String, Uuid, insert, select, update

from tests.apps import Site

TARGETS: dict[str, Callable[[], dict[str, Any]]] = {
    "Post": lambda: {"type_": Integer()},
    "Room": lambda: {"type_": Uuid()},
    "Page": lambda: {"type_": String(64)},
}


def add_models(site: Site) -> dict[str, Any]:
    """Give an application three models that messages can be about, with their tables."""
    made = {}
    for name, key in TARGETS.items():
        columns = {
            "__tablename__": name.lower(),
            "id": site.db.Column(primary_key=True, **key()),
            "title": site.db.Column(String(64)),
            "owner": site.db.Column(String(64)),
        }
        made[name] = type(name, (site.db.Model,), columns)
    site.create_tables()
    return made


def add_message(site: Site, recipient: Any, **values: Any) -> int:
    """Store a message as the extension does, and return its key."""
    models = site.notify.models
    defaults = {"type": "system", "subject": "News", "mail_mode": "often", "rule": "default", "created_at": 1e9}
    if "data" in values:
        values["data"] = json.dumps(values["data"])
    with site.app.app_context(), site.db.session.begin():
        connection = site.db.session.connection(bind_arguments={"clause": models.inbox})
        inbox = models.inbox.c
        mine = inbox.recipient_id == recipient
        connection.execute(
            update(models.inbox).where(mine).values(cursor=inbox.cursor + 1, unseen_count=inbox.unseen_count + 1)
        )
        cursor = connection.scalar(select(inbox.cursor).where(mine))
        row = {**defaults, "recipient_id": recipient, "cursor": cursor, **values}
        result = connection.execute(insert(models.message).values(row))
        return int(cast(Any, result.inserted_primary_key)[0])


def messages_of(site: Site, recipient: Any) -> list[Any]:
    """Return a user's messages, oldest first, in the current application context."""
    Message: Any = site.notify.models.Message
    wanted = select(Message).where(Message.recipient_id == recipient).order_by(Message.cursor)
    return list(site.db.session.scalars(wanted))
