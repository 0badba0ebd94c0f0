"""``flask notify run``: one process or several, ended in good order or killed."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from flask_notify.leases import holder
from tests.apps import Site
from tests.scheduling.application import Rendered
from tests.scheduling.interrupted import STEPS
from tests.scheduling.process import PATIENCE, Held, Process
from tests.servers import Database
from tests.servers.smtp import SMTPServer
from tests.test_expiry import OLD, put

pytestmark = pytest.mark.slow

BATCH = 1_000
CROWD = 1_500

Run = Callable[..., Process]


def add_crowd(site: Site) -> None:
    """Store more users than fit into one batch; the first of them is the one who can be held up."""
    with site.app.app_context(), site.db.engine.begin() as connection:
        names = ["held", *(f"user {number}" for number in range(1, CROWD))]
        connection.execute(insert(site.User.__table__), [{"name": name} for name in names])


def send_to_all(site: Site, what: Any) -> None:
    with site.app.app_context():
        site.notify.send(what, to=select(site.User.id))
        site.db.session.commit()


def copies(site: Site) -> list[int]:
    """Return how many messages each of those has who has any."""
    message = site.notify.models.message.c
    with site.app.app_context(), site.db.engine.connect() as connection:
        return list(connection.scalars(select(func.count(message.id)).group_by(message.recipient_id)))


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_it_moves_what_was_sent_to_many_sends_mail_and_removes_what_is_old(
    site: Site, run: Run, smtp: SMTPServer
) -> None:
    ann, bob = (site.add_user(name, email=f"{name}@example.org") for name in ("ann", "bob"))
    put(site, ann, 2, seen_at=5.0, created_at=time.time() - OLD)
    scheduler = run(NOTIFY_BASE_URL="https://example.org", MAIL_PORT=smtp.port, MAIL_SERVER="127.0.0.1")
    scheduler.wait_for("leads:")

    send_to_all(site, "Closed on Friday")

    scheduler.wait_for("fan-out: moved 2 recipients")
    scheduler.wait_for("expiry: removed 2 messages")
    wait_until(lambda: len(smtp.to("ann@example.org")) + len(smtp.to("bob@example.org")) == 2)
    assert copies(site) == [1, 1]
    assert scheduler.lines[:5] == [
        "fan-out: every 1 s",
        "relay: every 1 s; by one process at a time",
        "mail: every 5 s",
        "push: every 1 s",
        "expiry: every 3600 s; by one process at a time",
    ]
    assert [site.notify.models is not None, ann != bob] == [True, True]

    scheduler.terminate()

    assert scheduler.wait() == 0
    assert "ends after what is in hand" in scheduler.lines


def test_sigterm_ends_it_after_the_batch_in_hand(site: Site, run: Run, held: Held) -> None:
    add_crowd(site)
    scheduler = run()
    scheduler.wait_for("leads:")
    send_to_all(site, Rendered(directory=str(held.directory)))
    assert held.wait() == scheduler.pid

    scheduler.terminate()
    scheduler.wait_for("ends after")
    held.let_all_pass()  # a batch with users who had no inbox is rendered once more
    held.let_go()

    assert scheduler.wait() == 0
    assert copies(site) == [1] * BATCH
    assert f"fan-out: moved {BATCH} recipients" in scheduler.lines
    with site.app.app_context():
        held_by = holder(site.notify.models)
        assert held_by is not None
        assert held_by.seconds_left < 0  # so that the next need not wait
        assert site.notify.drain() == CROWD - BATCH
    assert copies(site) == [1] * CROWD


@pytest.mark.databases("postgresql")
def test_sigterm_ends_it_after_the_mail_in_hand(site: Site, run: Run, smtp: SMTPServer) -> None:
    people = [site.add_user(name, email=f"{name}@example.org") for name in ("ann", "bob", "cleo")]
    reached, go_on = threading.Event(), threading.Event()

    def hold(_address: str) -> None:
        reached.set()
        go_on.wait(PATIENCE)

    smtp.at_data["*"] = hold
    for key in people:
        with site.app.app_context():
            site.notify.send("Backup finished", to=site.user(key))
            site.db.session.commit()
    scheduler = run(NOTIFY_BASE_URL="https://example.org", MAIL_PORT=smtp.port, MAIL_SERVER="127.0.0.1")
    assert reached.wait(PATIENCE)

    scheduler.terminate()
    scheduler.wait_for("ends after")
    go_on.set()

    assert scheduler.wait() == 0
    assert len(smtp.received) == 1
    mail = site.notify.models.mail.c
    with site.app.app_context(), site.db.engine.connect() as connection:
        assert sorted(connection.scalars(select(mail.state))) == ["pending", "pending", "sent"]


@pytest.mark.databases("sqlite")
def test_a_second_signal_ends_it_at_once(site: Site, run: Run, held: Held) -> None:
    add_crowd(site)
    scheduler = run()
    scheduler.wait_for("leads:")
    send_to_all(site, Rendered(directory=str(held.directory)))
    held.wait()

    scheduler.terminate()
    scheduler.wait_for("ends after")
    scheduler.terminate()

    assert scheduler.wait() == -signal.SIGTERM
    assert copies(site) == []


@pytest.mark.databases("sqlite")
@pytest.mark.usefixtures("site")
def test_sigterm_ends_it_at_whatever_line_it_comes(start: Callable[..., Process]) -> None:
    process = start(sys.executable, "-m", "tests.scheduling.interrupted")

    assert process.wait() == 0
    assert process.lines == [f"ended, told at line {step}" for step in range(1, STEPS + 1)]


def test_another_takes_over_within_seconds_from_one_that_was_killed(site: Site, run: Run, held: Held) -> None:
    add_crowd(site)
    first = run()
    first.wait_for("leads:")
    second = run()
    second.wait_for("mail:", times=2)
    send_to_all(site, Rendered(directory=str(held.directory)))
    at_work = held.wait()
    victim, heir = (first, second) if at_work == first.pid else (second, first)

    held.let_all_pass()
    victim.kill()

    wait_until(lambda: copies(site) == [1] * CROWD)
    if victim is first:
        heir.wait_for("leads:")  # when the lease's five seconds are over
    heir.terminate()
    assert heir.wait() == 0
    assert "leads:" in "\n".join(heir.lines)
    assert copies(site) == [1] * CROWD


@pytest.mark.databases("sqlite")
def test_one_leads_of_two_and_the_other_follows_when_it_ends(site: Site, run: Run) -> None:
    add_crowd(site)
    first = run()
    first.wait_for("leads:")
    second = run()
    second.wait_for("expiry:")

    first.terminate()
    assert first.wait() == 0

    second.wait_for("leads:")
    assert not [line for line in first.lines if "Traceback" in line]


@pytest.mark.databases("postgresql")
def test_it_goes_on_when_the_database_was_away(site: Site, run: Run, database: Database) -> None:
    add_crowd(site)
    scheduler = run()
    scheduler.wait_for("leads:")
    assert database.server is not None
    site.close()

    database.server.kill()
    scheduler.wait_for("failed, and is tried again")
    database.server.start()

    send_to_all(site, "Closed on Friday")
    wait_until(lambda: copies(site) == [1] * CROWD)
    scheduler.terminate()
    assert scheduler.wait() == 0
