"""How long a transaction waits for what others hold."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import Connection, event

_KEY = "flask_notify.patience"


def limit(connection: Connection, seconds: float) -> None:
    """Let no statement of the current transaction wait for longer than this for somebody else's lock.

    Where that is a setting of the connection and not of the transaction, the connection has its
    own again before anybody else is given it. A shorter wait than this stays.

    :param seconds: MariaDB counts in whole ones.
    """
    dialect = connection.dialect.name
    if dialect == "postgresql":
        before = connection.exec_driver_sql("SELECT setting FROM pg_settings WHERE name = 'lock_timeout'").scalar_one()
        wanted = max(1, math.ceil(seconds * 1000))
        if int(before) == 0 or wanted < int(before):  # 0 waits for ever
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {wanted:d}")
    elif dialect == "sqlite":
        before = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
        _set(connection, "PRAGMA busy_timeout = {:d}", math.ceil(seconds * 1000), int(before))
    else:
        before = connection.exec_driver_sql("SELECT @@innodb_lock_wait_timeout").scalar_one()
        _set(connection, "SET SESSION innodb_lock_wait_timeout = {:d}", max(1, math.ceil(seconds)), int(before))


def _set(connection: Connection, statement: str, wanted: int, before: int) -> None:
    if wanted >= before:
        return
    if not event.contains(connection.engine, "checkin", _restore):
        event.listen(connection.engine, "checkin", _restore)
    connection.info[_KEY] = statement.format(before)
    connection.exec_driver_sql(statement.format(wanted))


def _restore(dbapi_connection: Any, record: Any) -> None:
    statement = record.info.pop(_KEY, None)
    if statement is None or dbapi_connection is None:  # None: it was lost
        return
    try:
        cursor = dbapi_connection.cursor()
        cursor.execute(statement)
        cursor.close()
    except Exception:  # noqa: BLE001  # of any driver; whoever is next gets a new one
        record.invalidate()
