"""The rows: ten notifications for each user, written in bulk in the way each schema wants it.

The rows of a user lie scattered over the table, as they do when many users are told something
in turn. The statements are the same for SQLite and PostgreSQL.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from harness.contenders import create_schema
from harness.databases import Database

from .polls import ITEMS, Poll

SESSIONS = 1000
"""Clients that poll in turn; a user each."""

_STEP = 60
"""Seconds between two notifications of a user."""

_USERS = """
    INSERT INTO "user" (id, username, email, about_me)
    WITH RECURSIVE one(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM one WHERE i < {users})
    SELECT i, 'user' || i, 'user' || i || '@example.com', 'I am number ' || i FROM one
"""
_EACH_ITEM = """
    WITH RECURSIVE one(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM one WHERE i < {users}),
        item(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM item WHERE j < {items} - 1)
"""
_IN_TURN = "FROM item CROSS JOIN one ORDER BY j, i"
_STAMP = "{start} + j * {step} + i / 1048576.0"

STATEMENTS = {
    "tutorial": [
        _USERS,
        f"""INSERT INTO notification (id, name, user_id, timestamp, payload_json) {_EACH_ITEM}
            SELECT j * {{users}} + i, 'task_progress:' || j, i, {_STAMP},
            '{{{{"task": "export", "progress": 40}}}}' {_IN_TURN}""",
    ],
    "ours": [
        _USERS,
        f"""INSERT INTO notify_inbox (recipient_id, cursor, unseen_count, unseen_cursor,
            reset_cursor)
            WITH one(i, j) AS (SELECT id, {{items}} - 1 FROM "user")
            SELECT i, {_STAMP}, 0, 0, 0 FROM one""",
        f"""INSERT INTO notify_notification (recipient_id, name, timestamp, payload, removed)
            {_EACH_ITEM} SELECT i, 'task_progress:' || j, {_STAMP},
            '{{{{"task": "export", "progress": 40}}}}', FALSE {_IN_TURN}""",
    ],
    "django_site": [
        """INSERT INTO auth_user (id, username, first_name, last_name, email, password,
            is_superuser, is_staff, is_active, date_joined)
            WITH RECURSIVE one(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM one WHERE i < {users})
            SELECT i, 'user' || i, '', '', 'user' || i || '@example.com', '!', FALSE, FALSE, TRUE,
            CURRENT_TIMESTAMP FROM one""",
        f"""INSERT INTO notifications_notification (id, level, unread, actor_object_id,
            actor_content_type_id, verb, recipient_id, timestamp, public, deleted, emailed)
            {_EACH_ITEM} SELECT j * {{users}} + i, 'info', j >= {{items}} / 2, i,
            (SELECT min(id) FROM django_content_type), 'has news', i, CURRENT_TIMESTAMP, TRUE,
            FALSE, FALSE {_IN_TURN}""",
    ],
}


@dataclass(frozen=True)
class Dataset:
    """A filled database: where it is, how large, and which of its users poll."""

    app: str
    database: Database
    rows: int
    url: str
    start: int
    keys: list[int]

    def path(self, poll: Poll, key: int) -> str:
        """Return the path that a user polls."""
        if poll.since is None:
            return "/notifications"
        newest = self.start + (ITEMS - 1) * _STEP + key / 1048576.0
        return f"/notifications?since={newest if poll.since == 'newest' else self.start!r}"


def build(app: str, database: Database, rows: int) -> Dataset:
    """Make and fill the database of a contender."""
    name = f"{app}_{rows}"
    url = database.create(name)
    create_schema(app, url)
    users = rows // ITEMS
    # Whole seconds and halves of halves: every database gives the very same doubles.
    start = int(time.time()) - 3600
    numbers = {"users": users, "items": ITEMS, "start": start, "step": _STEP}
    database.execute(name, [statement.format(**numbers) for statement in STATEMENTS[app]])
    database.settle(name)
    keys = random.Random(rows).sample(range(1, users + 1), min(SESSIONS, users))
    return Dataset(app, database, rows, url, start, keys)
