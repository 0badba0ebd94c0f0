"""Looking for what is wrong, or soon will be, and saying what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from sqlalchemy import Connection, exists, func, inspect, select

from ..config import Settings
from ..errors import ConfigurationError
from ..leases import holder
from ..mailing.transport import FlaskMailTransport
from ..models import Models
from ..relaying import waiting
from .broker_doctor import examine_broker
from .finding import Finding
from .stream_doctor import examine_stream

__all__ = ["Finding", "examine"]

_HOUR = 3600
_LATE = 900
"""Seconds after which what waits has waited too long."""


def examine(app: Flask, models: Models, settings: Settings) -> Iterator[Finding]:
    """Yield what there is to say, in an application context. Nothing is changed."""
    yield from _settings(app, settings)
    engine = models.db.engines[models.bind_key]
    try:
        connection = engine.connect()
    except Exception as error:  # noqa: BLE001  # a driver raises what it likes
        yield Finding("error", "database", f"it does not answer: {error}", "Look at SQLALCHEMY_DATABASE_URI.")
    else:
        with connection:
            tables = list(_tables(connection, models))
            yield from tables
            yield from _isolation(connection)
            if all(finding.level != "error" for finding in tables):
                for look in _IN_TABLES:
                    yield from look(connection, models)
                yield from _relay(connection, models, settings)
                yield from _pushes(connection, models, settings)
    yield from examine_broker(app, settings)
    yield from examine_stream(settings)
    yield from _mail_server(app, settings)


def _settings(app: Flask, settings: Settings) -> Iterator[Finding]:
    try:
        Settings(app.config)
    except ConfigurationError as error:
        yield Finding("error", "settings", str(error), "Set it as it is expected, and start again.")
    if not app.secret_key:
        yield Finding("error", "SECRET_KEY", "it is not set: no session, form or link can be signed", "Set SECRET_KEY.")
    if settings.base_url is None:
        yield Finding(
            "error",
            "NOTIFY_BASE_URL",
            "it is not set, so no mail is sent",
            "Set it to the address of your site, as in 'https://example.org'.",
        )
    elif urlsplit(settings.base_url).scheme != "https":
        yield Finding(
            "warning",
            "NOTIFY_BASE_URL",
            f"{settings.base_url} is no https address: mail programs offer no one-click unsubscribe",
            "Serve the site by https, and set its address.",
        )
    else:
        yield Finding("ok", "NOTIFY_BASE_URL", settings.base_url)


def _tables(connection: Connection, models: Models) -> Iterator[Finding]:
    inspector = inspect(connection)
    remedy = (
        'Run `flask db migrate` and `flask db upgrade`, or `flask db upgrade -d "$(flask notify migrations-path)"`.'
    )
    wrong = False
    for table in models.tables:
        if not inspector.has_table(table.name, table.schema):
            wrong = True
            yield Finding("error", table.name, "the table is missing", remedy)
            continue
        present = {column["name"] for column in inspector.get_columns(table.name, table.schema)}
        missing = [column.name for column in table.columns if column.name not in present]
        if missing:
            wrong = True
            yield Finding("error", table.name, f"the table is outdated: it has no {', '.join(missing)}", remedy)
            continue
        indexes = {index["name"] for index in inspector.get_indexes(table.name, table.schema)}
        lacking = sorted({str(index.name) for index in table.indexes} - indexes)
        if lacking:
            yield Finding("warning", table.name, f"the table has no index {', '.join(lacking)}", remedy)
    if not wrong:
        yield Finding("ok", "tables", f"all {len(models.tables)} are there")


def _isolation(connection: Connection) -> Iterator[Finding]:
    dialect = connection.dialect.name
    level = connection.get_isolation_level()
    if dialect == "sqlite":
        yield from _sqlite(connection)
    elif level != "READ COMMITTED":
        yield Finding(
            "warning",
            "isolation",
            f"it is {level}: writers to one recipient at a time get the database's retryable errors",
            "Set SQLALCHEMY_ENGINE_OPTIONS = {'isolation_level': 'READ COMMITTED'}, or retry.",
        )
    else:
        yield Finding("ok", "isolation", level)


def _sqlite(connection: Connection) -> Iterator[Finding]:
    raw: Any = connection.connection.driver_connection
    journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    if journal not in ("wal", "memory"):
        yield Finding(
            "warning",
            "SQLite",
            f"the journal is {journal!r}: readers and the writer wait for each other",
            "Run `PRAGMA journal_mode=WAL` once, before the workers start.",
        )
    legacy = getattr(raw, "isolation_level", None) is not None
    how = "when something is first written (the driver's own way)" if legacy else "as the application says"
    yield Finding("ok", "SQLite", f"journal {journal}; transactions begin {how}")


def _scheduler(_connection: Connection, models: Models) -> Iterator[Finding]:
    seen = holder(models)
    age = None if seen is None else seen.seconds_ago
    remedy = "Run `flask notify run` beside the application, or set NOTIFY_SCHEDULER = True."
    if age is None:
        yield Finding("error", "scheduler", "none was ever seen: no mail goes out, nothing expires", remedy)
    elif age > _HOUR:
        yield Finding("error", "scheduler", f"none was seen for {age / _HOUR:.1f} hours", remedy)
    elif age > 60:
        yield Finding("warning", "scheduler", f"none was seen for {age:.0f} seconds", remedy)
    else:
        yield Finding("ok", "scheduler", f"seen {max(0, age):.0f} seconds ago")


def _fanouts(connection: Connection, models: Models) -> Iterator[Finding]:
    fanout, listed = models.fanout.c, models.fanout_recipient.c
    waiting, oldest = connection.execute(
        select(func.coalesce(func.sum(fanout.total - fanout.moved), 0), func.min(fanout.created_at)).where(
            fanout.finished_at.is_(None)
        )
    ).one()
    late = oldest is not None and models.clock() - oldest > _LATE
    what = f"{waiting} recipients wait" + (f", for {(models.clock() - oldest) / 60:.0f} minutes" if late else "")
    remedy = "Run `flask notify drain`, and see to it that the scheduler runs." if late else ""
    yield Finding("warning" if late else "ok", "fan-out", what, remedy)
    parked = connection.execute(
        select(listed.fanout_id, func.count(), func.min(listed.error))
        .where(listed.error.is_not(None))
        .group_by(listed.fanout_id)
        .limit(20)
    )
    for fanout_id, count, error in parked:
        yield Finding(
            "error",
            "fan-out",
            f"{count} recipients of emission {fanout_id} are parked: {error}",
            "Mend the type's code, set `error` to NULL in notify_fanout_recipient and `finished_at` in notify_fanout, "
            "and run `flask notify drain`; or delete those rows.",
        )


def _relay(connection: Connection, models: Models, settings: Settings) -> Iterator[Finding]:
    messages, since = waiting.backlog(connection, models)
    if settings.relay_queues:
        age = 0.0 if since is None else models.clock() - since
        what = f"{messages} messages wait for the broker" + (f", for {age / 60:.0f} minutes" if age > 60 else "")
        remedy = "See to it that the scheduler runs and the broker answers; `flask notify relay` tells what is wrong."
        yield Finding("warning", "relay", what, remedy) if age > 60 else Finding("ok", "relay", what)
    elif messages:
        yield Finding(
            "warning",
            "relay",
            f"{messages} messages wait for the broker, and NOTIFY_RELAY_QUEUES is off",
            "Set it again, or delete the rows of notify_relay.",
        )


def _pushes(connection: Connection, models: Models, settings: Settings) -> Iterator[Finding]:
    push = models.push.c
    browsers = connection.scalar(select(func.count()).select_from(models.push_subscription)) or 0
    if settings.vapid_private_key is None:
        if browsers:
            what = f"{browsers} browsers have subscribed, and NOTIFY_VAPID_PRIVATE_KEY is not set"
            yield Finding("warning", "push", what, "Set it again, to the key for which they have subscribed.")
        return
    if find_spec("pywebpush") is None:
        yield Finding("error", "push", "pywebpush is not installed", "pip install 'flask-notify[push]'")
    now = models.clock()
    waiting = select(func.count(), func.min(push.cursor)).where(push.next_attempt_at.is_not(None))
    count, oldest = connection.execute(waiting).one()
    late = oldest is not None and now - oldest > _LATE
    reason = select(func.max(push.reason)).where(push.next_attempt_at.is_not(None))
    why = connection.scalar(reason) if late else None
    what = f"{browsers} browsers have subscribed, {count} pushes wait"
    what += f", one for {(now - oldest) / 60:.0f} minutes: {why or 'nobody has tried it'}" if late else ""
    remedy = "See to it that the scheduler runs, and that the push services can be reached from its host."
    yield Finding("warning" if late else "ok", "push", what, remedy if late else "")
    parked, refusal = connection.execute(
        select(func.count(), func.max(push.reason)).where(push.state == "parked")
    ).one()
    if parked:
        yield Finding(
            "error",
            "push",
            f"{parked} pushes were not accepted lately; one because {refusal}",
            "Look at NOTIFY_VAPID_SUBJECT, and whether NOTIFY_VAPID_PRIVATE_KEY is the one for which the browsers have "
            "subscribed.",
        )


def _mails(connection: Connection, models: Models) -> Iterator[Finding]:
    now = models.clock()
    row, mail = models.inbox.c, models.mail.c
    late = connection.scalar(select(func.count()).select_from(models.inbox).where(row.mail_due_at < now - _LATE))
    waiting = connection.scalar(select(func.count()).select_from(models.mail).where(mail.next_attempt_at.is_not(None)))
    remedy = "See to it that the scheduler runs and the mail server answers; `flask notify digest` sends at once."
    level = "warning" if late else "ok"
    what = f"{late or 0} recipients are due for more than 15 minutes, {waiting or 0} mails wait in the outbox"
    yield Finding(level, "mail", what, remedy if late else "")
    states = select(mail.state, func.count(), func.max(mail.reason)).where(
        mail.state.in_(["refused", "parked"]), mail.created_at > now - 7 * 24 * _HOUR
    )
    for state, count, reason in connection.execute(states.group_by(mail.state)):
        yield Finding(
            "error" if state == "parked" else "warning",
            "mail",
            f"{count} mails of the last week are {state}; one because: {reason}",
            "Mend the template or the type." if state == "parked" else "Ask these recipients for another address.",
        )


def _inboxes(connection: Connection, models: Models) -> Iterator[Finding]:
    there = exists().where(models.inbox.c.recipient_id == models.key_column)
    lacking = connection.scalar(select(func.count()).select_from(models.user_table).where(~there))
    if lacking:
        yield Finding(
            "warning",
            "inboxes",
            f"{lacking} users have none; it is made with their first notification, which locks their row",
            "See the documentation on migrations for the statement that makes them.",
        )
    else:
        yield Finding("ok", "inboxes", "every user has one")


_IN_TABLES: tuple[Callable[[Connection, Models], Iterator[Finding]], ...] = (_inboxes, _scheduler, _fanouts, _mails)


def _mail_server(app: Flask, settings: Settings) -> Iterator[Finding]:
    transport = FlaskMailTransport(app, min(settings.mail_timeout, 10))
    if not (settings.mail_sender or transport.default_sender):
        yield Finding(
            "error", "mail", "the mails have no sender", "Set NOTIFY_MAIL_SENDER, or Flask-Mail's MAIL_DEFAULT_SENDER."
        )
    try:
        answers = transport.probe()
    except Exception as error:  # noqa: BLE001  # whatever the network has
        yield Finding(
            "error",
            "mail server",
            f"{app.config.get('MAIL_SERVER', '127.0.0.1')} does not answer: {type(error).__name__}: {error}",
            "Look at MAIL_SERVER, MAIL_PORT, MAIL_USE_TLS, MAIL_USERNAME and MAIL_PASSWORD, and whether it runs.",
        )
    else:
        yield Finding(
            "ok" if answers else "warning", "mail server", answers or "mail is suppressed (MAIL_SUPPRESS_SEND)"
        )
