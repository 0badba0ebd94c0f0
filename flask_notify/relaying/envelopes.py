"""What goes to a recipient's queue: the envelope of OIOIOI (row G4), written with the message."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from sqlalchemy import Connection, insert, select

from .. import statements
from ..config import Settings
from ..logs.log_messages import LogMessage
from ..messages.message_rows import Entry
from ..messages.message_types import Text
from ..messages.outgoing import Outgoing
from ..messages.richtext import to_text
from ..models import Models

_BATCH = 1_000
"""Rows per statement."""


class Envelopes:
    """Writes a row to be relayed for each message that is stored, in its transaction.

    It is called under the lock of the recipient's inbox, which is held until the commit. So whoever
    writes to one recipient later gets a higher key later, and where a row can be seen, all rows of
    that recipient with a lower key can be, or could be before they were relayed.
    """

    def __init__(self, settings: Settings) -> None:
        parts = urlsplit(settings.base_url or "")
        self._origin = f"{parts.scheme}://{parts.netloc}"

    def __call__(self, connection: Connection, models: Models, entries: Sequence[Entry], now: float) -> None:
        """Write the rows, those of one recipient in the order of their messages.

        :param entries: messages that are new, or have taken another's place.
        :param now: Unix seconds.
        """
        known: dict[Any, str] = {}
        rows = []
        for entry in sorted(entries, key=lambda entry: entry.copy.cursor):
            copy = entry.copy
            # Of many copies most say the same.
            said = (id(copy.outgoing), copy.text)
            if said not in known:
                known[said] = json.dumps(self._parts(copy.outgoing, copy.text, now))[1:]
            envelope = f'{{"id": "{uuid4()}", {known[said]}'
            rows.append({"recipient_id": copy.key, "envelope": envelope})
        for start in range(0, len(rows), _BATCH):
            _insert(connection, models, rows[start : start + _BATCH], now)

    def _parts(self, outgoing: Outgoing, text: Text, now: float) -> dict[str, Any]:
        """Return all of an envelope but its ``id``."""
        content = outgoing.content
        message, arguments = text.subject, {}
        if isinstance(content, LogMessage):
            # As it stands in the catalogue: whoever shows it translates it. The arguments are there to be put in.
            message, arguments = content.message, {name: str(value) for name, value in content.arguments.items()}
        return {
            "date": int(now * 1000),
            "message": message,
            "type": content.name,
            "details": to_text(text.body, self._origin) if text.body and text.rich else text.body,
            "address": self._origin + text.url if text.url and text.url.startswith("/") else text.url,
            "popup": bool(getattr(content, "popup", False)),
            "arguments": arguments,
        }


def _insert(connection: Connection, models: Models, rows: list[dict[str, Any]], now: float) -> None:
    """Insert rows by one statement; keys are given in the order of the rows."""
    if connection.dialect.name == "postgresql":
        names = ["recipient_id", "envelope"]
        source = statements.recordset(models.relay, names, [[row[name] for name in names] for row in rows])
        same = statements.constants(models.relay, {"created_at": now})
        # A function's rows come, and are numbered, in the order of its argument.
        connection.execute(insert(models.relay).from_select([*names, "created_at"], select(*source.c, *same)))
    else:
        connection.execute(insert(models.relay), [{**row, "created_at": now} for row in rows])
