"""Whoever moves a cursor tells so, after the commit and never without one."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from tests.apps import Site
from tests.hints.workers import Recorder
from tests.test_layers import modules

Build = Callable[..., Site]


@pytest.fixture
def site(build: Build) -> Site:
    """An application with three users that moves more than two recipients in batches."""
    site = build(NOTIFY_INLINE_RECIPIENTS=2, NOTIFY_KEEP_UNSEEN=False)
    with site.app.app_context():
        site.db.session.add_all(site.User(name=name) for name in ("susan", "john", "david"))
        site.db.session.commit()
    return site


@pytest.fixture
def carrier(site: Site) -> Recorder:
    """What keeps everything that is told."""
    site.app.extensions["notify"].carrier = recorder = Recorder()
    return recorder


def cursors(site: Site) -> dict[Any, float]:
    """Return everybody's cursor."""
    inbox = site.notify.models.inbox.c
    with site.app.app_context(), site.db.engine.connect() as connection:
        return {key: cursor for key, cursor in connection.execute(select(inbox.recipient_id, inbox.cursor))}


def users(site: Site) -> list[Any]:
    """Return the users, in the current application context."""
    return list(site.db.session.scalars(select(site.User).order_by(site.User.name)))


def emit(site: Site) -> None:
    """Give one user a value."""
    users(site)[0].add_notification("a", 1)
    site.db.session.commit()


def send(site: Site) -> None:
    """Send to few."""
    site.notify.send("Hello", to=users(site)[:2])
    site.db.session.commit()


def send_to_many(site: Site) -> None:
    """Send to more than are written at once."""
    site.notify.send("Hello", to=select(site.User.id))
    site.db.session.commit()
    site.notify.drain()


def send_to_many_without_inboxes(site: Site) -> None:
    """Do so where inboxes have to be made."""
    _remove_inboxes(site)
    send_to_many(site)


def broadcast(site: Site) -> None:
    """Give everybody a value."""
    site.notify.broadcast("a", 1)
    site.db.session.commit()
    site.notify.drain()


def broadcast_without_inboxes(site: Site) -> None:
    """Do so where inboxes have to be made."""
    _remove_inboxes(site)
    broadcast(site)


def expire(site: Site) -> None:
    """Remove an old message that was never seen."""
    _put_message(site, created_at=1.0)
    _run(site, "expire")


def recount(site: Site) -> None:
    """Mend a count."""
    _put_message(site, created_at=time.time())
    _run(site, "recount")


def reset_cursors(site: Site) -> None:
    """Let every client have the whole state."""
    _run(site, "reset-cursors")


def _remove_inboxes(site: Site) -> None:
    for table in (site.notify.models.message, site.notify.models.inbox):
        site.db.session.execute(table.delete())
    site.db.session.commit()


def _run(site: Site, command: str) -> None:
    result = site.app.test_cli_runner().invoke(args=["notify", command])
    assert result.exit_code == 0, result.output


def _put_message(site: Site, created_at: float) -> None:
    row = {"recipient_id": users(site)[0].id, "type": "system", "subject": "Hello", "cursor": 1.0}
    more = {"created_at": created_at, "mail_mode": "silent", "rule": "default"}
    site.db.session.execute(insert(site.notify.models.message).values(**row, **more))
    site.db.session.commit()


WRITERS: dict[Callable[[Site], None], tuple[str, int, bool]] = {
    emit: ("emission._write", 1, False),
    send: ("emission._write", 2, False),
    send_to_many: ("messages.fanout._put", 3, True),
    send_to_many_without_inboxes: ("messages.fanout._put", 3, True),
    broadcast: ("messages.fanout._move_value", 3, True),
    broadcast_without_inboxes: ("messages.fanout._move_value", 3, True),
    expire: ("running.old_rows.remove_locked", 1, True),
    recount: ("messages.recounting._mend", 1, True),
    reset_cursors: ("inbox.reset_all", 3, True),
}
"""Each with the function that moves the cursors, how many it moves, and whether their pages spread."""

MOVERS = ("advance", "move_on", "lock")
"""What moves cursors, of the module of the inbox."""


def test_whoever_moves_cursors_tells_which(site: Site, carrier: Recorder) -> None:
    for write, (_, count, spread) in WRITERS.items():
        carrier.told.clear()
        before = cursors(site)

        with site.app.app_context():
            write(site)

        after = cursors(site)
        moved = {key for key, cursor in after.items() if cursor != before.get(key, 0.0)}
        told = {key: cursor for cursors, _ in carrier.told for key, cursor in cursors.items()}
        assert set(told) == moved, write
        assert len(moved) == count, write
        assert {spread for _, spread in carrier.told} == {spread}, write
        # A cursor is told as what it has reached at least, and is more than it was.
        assert all(before.get(key, 0.0) < cursor <= after[key] for key, cursor in told.items()), write


def test_no_function_that_moves_cursors_is_forgotten() -> None:
    found = {
        f"{name}.{function.name}"
        for name, path in modules().items()
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and _moves(name, call.func)
    }

    # Within the module of the inbox, some consist of others.
    assert found - {f"inbox.{mover}" for mover in MOVERS} == {by for by, *_ in WRITERS.values()}


def _moves(module: str, function: ast.expr) -> bool:
    if module == "inbox" and isinstance(function, ast.Name):
        return function.id in MOVERS
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "inbox"
        and function.attr in MOVERS
    )


@pytest.mark.databases("sqlite")
def test_a_rollback_tells_nobody(site: Site, carrier: Recorder) -> None:
    with site.app.app_context():
        users(site)[0].add_notification("a", 1)
        site.db.session.rollback()
        site.db.session.commit()

    assert carrier.told == []


@pytest.mark.databases("sqlite")
def test_a_savepoint_tells_nobody_before_the_commit_and_a_rolled_back_one_never(site: Site, carrier: Recorder) -> None:
    with site.app.app_context():
        susan, john, _ = users(site)
        with site.db.session.begin_nested():
            susan.add_notification("a", 1)
        savepoint = site.db.session.begin_nested()
        john.add_notification("a", 1)
        savepoint.rollback()
        assert carrier.told == []
        key = susan.id
        site.db.session.commit()

    assert [list(told) for told, _ in carrier.told] == [[key]]


@pytest.mark.databases("sqlite")
def test_a_commit_that_fails_tells_nobody(site: Site, carrier: Recorder) -> None:
    with site.app.app_context():
        susan, john, _ = users(site)
        susan.add_notification("a", 1)
        site.db.session.execute(update(site.User).values(last_seen=1.0))
        john.name = susan.name
        with pytest.raises(Exception, match="UNIQUE"):
            site.db.session.commit()
        site.db.session.rollback()

    assert carrier.told == []


@pytest.mark.databases("sqlite")
def test_many_who_hear_at_once_are_to_spread_however_they_were_told(build: Build) -> None:
    site = build(NOTIFY_INLINE_RECIPIENTS=1000)
    with site.app.app_context():
        site.db.session.add_all(site.User(name=str(number)) for number in range(100))
        site.db.session.commit()
        site.app.extensions["notify"].carrier = carrier = Recorder()
        site.notify.send("Hello", to=select(site.User.id))
        site.db.session.commit()

    assert [(len(told), spread) for told, spread in carrier.told] == [(100, True)]


@pytest.mark.databases("sqlite")
def test_a_carrier_that_fails_harms_no_commit(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Recorder):
        def tell(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("It is broken")

    site.app.extensions["notify"].carrier = Broken()
    with site.app.app_context():
        emit(site)

    assert "could not be handed over" in caplog.text
    assert max(cursors(site).values()) > 0
