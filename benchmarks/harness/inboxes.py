"""The rows of the benchmarks of messages: ten for each user, half of them old and seen.

As they do when many users are told something in turn, a user's rows lie scattered over the
table, the old ones before the newer ones. The statements are the same for SQLite and PostgreSQL.
"""

from __future__ import annotations

import time

from .contenders import create_schema
from .databases import Database

EACH = 10
"""Messages of each user."""

OLD = 500
"""Hours that the older half of the messages has; they are removed after 336."""

_USERS = """
    INSERT INTO "user" (id, username, email, about_me)
    WITH RECURSIVE one(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM one WHERE i < {users})
    SELECT i, 'user' || i, 'user' || i || '@example.com', 'I am number ' || i FROM one
"""
_IN_TURN = """
    WITH RECURSIVE one(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM one WHERE i < {users}),
        item(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM item WHERE j < {each} - 1)
    SELECT {{columns}} FROM item CROSS JOIN one ORDER BY j, i
"""
_STAMP = "{old} + (j / ({each} / 2)) * {hours} * 1800 + j + i / 1048576.0"

STATEMENTS = {
    "ours": [
        _USERS,
        """INSERT INTO notify_inbox (recipient_id, cursor, unseen_count, unseen_cursor)
            SELECT id, {old} + {hours} * 1800 + {each}, {each} - {each} / 2, {old} + {hours} * 1800 + {each}
            FROM "user" ORDER BY id""",
        f"""INSERT INTO notify_message (recipient_id, type, subject, url, cursor, created_at, seen_at,
            mail_mode, rule, count) {_IN_TURN}""".replace(
            "{{columns}}",
            f"""i, 'system', 'Somebody has replied to you', '/posts/' || i, {_STAMP}, {_STAMP},
            CASE WHEN j < {{each}} / 2 THEN {_STAMP} + 60 END, 'never', 'own', 1""",
        ),
    ],
    "tutorial": [
        _USERS,
        f"""INSERT INTO message (sender_id, recipient_id, body, timestamp) {_IN_TURN}""".replace(
            "{{columns}}", "i, i, 'Somebody has replied to you', CURRENT_TIMESTAMP"
        ),
        """INSERT INTO notification (name, user_id, timestamp, payload_json)
            SELECT 'unread_message_count', id, {old}, '{each}' FROM "user" ORDER BY id""",
    ],
    "django_site": [
        """INSERT INTO auth_user (id, username, first_name, last_name, email, password,
            is_superuser, is_staff, is_active, date_joined)
            WITH RECURSIVE one(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM one WHERE i < {users})
            SELECT i, 'user' || i, '', '', 'user' || i || '@example.com', '!', FALSE, FALSE, TRUE,
            CURRENT_TIMESTAMP FROM one""",
        f"""INSERT INTO notifications_notification (level, unread, actor_object_id,
            actor_content_type_id, verb, recipient_id, timestamp, public, deleted, emailed)
            {_IN_TURN}""".replace(
            "{{columns}}",
            """'info', j >= {each} / 2, i, (SELECT min(id) FROM django_content_type), 'has news', i,
            CURRENT_TIMESTAMP, TRUE, FALSE, FALSE""",
        ),
    ],
}


def fill(app: str, database: Database, rows: int) -> str:
    """Make and fill the database of a contender, which bears its name, and return its URL."""
    url = database.create(app)
    create_schema(app, url)
    old = int(time.time()) - OLD * 3600
    numbers = {"users": rows // EACH, "each": EACH, "old": old, "hours": OLD}
    database.execute(app, [statement.format(**numbers) for statement in STATEMENTS[app]])
    database.settle(app)
    return url
