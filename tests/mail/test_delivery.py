"""Mails are handed over once each, whatever the server says, and whoever else is at work."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, text, update

from flask_notify import signals
from flask_notify.durability import stamping
from flask_notify.mailing import delivery, outbox
from tests.mail.office import NOON, Hasty, Office
from tests.servers import Database, free_port
from tests.servers.smtp import DRIP, HANG, SMTPServer, say

SUSAN, DAVID, ANNA, PETER = (f"{name}@example.org" for name in ("susan", "david", "anna", "peter"))


def four(office: Office) -> dict[str, Any]:
    """Send a message to four users, and let it be due; return their keys by address."""
    keys = {f"{name}@example.org": office.add(name) for name in ("susan", "david", "anna", "peter")}
    office.send("Backup finished", *keys.values())
    office.now += 300
    return keys


def states(office: Office) -> dict[str, str]:
    return {mail.address: mail.state for mail in office.mails()}


@pytest.mark.parametrize("misbehaviour", [HANG, DRIP])
def test_one_refused_for_good_one_for_now_and_one_that_hangs_leave_the_others_served(
    open_office: Callable[..., Office], smtp: SMTPServer, misbehaviour: str
) -> None:
    office = open_office()
    keys = four(office)
    smtp.at_rcpt |= {DAVID: say("550 5.1.1 no such mailbox"), ANNA: say("451 4.2.1 try again")}
    smtp.at_data[PETER] = say(misbehaviour)

    summary = office.run(transport=Hasty(office.site.app, {PETER: 0.3}))

    assert summary.outcomes == {"stored": 4, "sent": 1, "refused": 1, "later": 2}
    assert [mail.address for mail in smtp.received] == [SUSAN]
    assert states(office) == {SUSAN: "sent", DAVID: "refused", ANNA: "pending", PETER: "pending"}
    (refused,), (later,), (cut,) = (office.mails(keys[address]) for address in (DAVID, ANNA, PETER))
    assert refused.reason == "550 5.1.1 no such mailbox"
    assert later.reason == "451 4.2.1 try again"
    assert "SMTPServerDisconnected" in cut.reason
    for mail in (later, cut):
        assert office.now + 60 <= mail.next_attempt_at <= office.now + 90
        assert mail.lease_until is None

    smtp.at_rcpt.clear()
    smtp.at_data.clear()
    office.run_at(office.now + 59)
    too_early = len(smtp.received)
    office.run_at(office.now + 31)

    assert too_early == 1
    assert sorted(mail.address for mail in smtp.received) == [ANNA, PETER, SUSAN]
    assert smtp.to(ANNA) == [later.content]  # the same bytes, under the same Message-ID
    assert states(office) == {SUSAN: "sent", DAVID: "refused", ANNA: "sent", PETER: "sent"}


@pytest.mark.databases("sqlite")
def test_the_pauses_between_attempts_grow_and_end_with_giving_up(
    open_office: Callable[..., Office], smtp: SMTPServer
) -> None:
    office = open_office(NOTIFY_MAIL_ATTEMPTS=4)
    susan = office.add("susan")
    office.send("Backup finished", susan)
    smtp.at_rcpt[SUSAN] = say("451 4.2.1 try again")
    office.now += 300
    pauses = []

    for _ in range(3):
        office.run()
        (mail,) = office.mails()
        pauses.append(mail.next_attempt_at - office.now)
        office.now = mail.next_attempt_at
    office.run()
    (mail,) = office.mails()
    office.run_at(office.now + 100_000)

    assert [60 * 2**number <= pause <= 90 * 2**number for number, pause in enumerate(pauses)] == [True] * 3
    assert (mail.state, mail.attempts, mail.next_attempt_at) == ("refused", 4, None)
    assert mail.reason == "given up after 4 attempts: 451 4.2.1 try again"
    assert office.mails() == [mail]


def test_no_pause_is_longer_than_six_hours() -> None:
    pauses = [outbox.pause_after(attempts) for attempts in range(1, 100)]

    assert min(pauses) >= 60
    assert max(pauses) == 6 * 3600


@pytest.mark.databases("sqlite")
def test_while_the_server_is_away_nothing_is_lost_and_no_attempt_counts(
    open_office: Callable[..., Office], start_smtp: Callable[..., SMTPServer]
) -> None:
    office = open_office(MAIL_PORT=free_port(), NOTIFY_MAIL_ATTEMPTS=2)
    four(office)

    for _ in range(5):
        summary = office.run()
        office.now += 100

    assert summary.problem is not None
    assert "ConnectionRefusedError" in summary.problem
    assert set(states(office).values()) == {"pending"}
    assert {mail.attempts for mail in office.mails()} == {0}
    server = start_smtp()
    office.site.app.config["MAIL_PORT"] = server.port
    assert office.run().outcomes == {"sent": 4}
    assert len(server.received) == 4


@pytest.mark.databases("sqlite")
def test_a_server_that_goes_away_in_the_middle_leaves_the_rest_for_later(office: Office, smtp: SMTPServer) -> None:
    four(office)
    stopping = threading.Thread(target=smtp.stop)
    smtp.at_taken["*"] = lambda _: stopping.start() if len(smtp.received) == 2 else None
    office.run()
    first = states(office)
    smtp.at_taken.clear()
    stopping.join()
    smtp.start()
    office.run_at(office.now + 100)

    assert "pending" in first.values()
    assert {mail.lease_until for mail in office.mails()} == {None}
    assert set(states(office).values()) == {"sent"}
    for address, state in first.items():
        copies = smtp.to(address)
        assert len(copies) == 1 or (state == "pending" and len(set(copies)) == 1)


@contextmanager
def listening(*wanted: Any) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    heard: list[tuple[str, dict[str, Any]]] = []
    receivers = []
    for signal in wanted:

        def hear(_app: Any, name: str = signal.name, **about: Any) -> None:
            heard.append((name, about))

        receivers.append(hear)
        signal.connect(hear)
    yield heard


@pytest.mark.databases("sqlite")
def test_an_application_hears_of_each_mail(office: Office, smtp: SMTPServer) -> None:
    susan, david = office.add("susan"), office.add("david")
    office.send("Backup finished", susan, david)
    smtp.at_rcpt[DAVID] = say("550 5.1.1 no such mailbox")

    with listening(signals.mail_sent, signals.mail_failed) as heard:
        office.run_at(NOON + 300)

    ids = {mail.recipient_id: mail.id for mail in office.mails()}
    about = {"mail_id": ids[david], "recipient_id": david, "state": "refused", "reason": "550 5.1.1 no such mailbox"}
    assert sorted(heard, key=str) == sorted(
        [("mail-sent", {"mail_id": ids[susan], "recipient_id": susan}), ("mail-failed", about)], key=str
    )


@pytest.mark.databases("sqlite")
def test_a_receiver_that_raises_does_not_repeat_a_mail(
    office: Office, smtp: SMTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_app: Any, **_about: Any) -> None:
        raise RuntimeError("a receiver of the application's")

    four(office)
    with signals.mail_sent.connected_to(fail), caplog.at_level(logging.CRITICAL):
        office.run()
    office.run_at(office.now + 1000)

    assert len(smtp.received) == 4
    assert set(states(office).values()) == {"sent"}


@pytest.mark.databases("sqlite")
def test_a_worker_that_is_told_to_stop_ends_after_the_mail_at_hand(office: Office, smtp: SMTPServer) -> None:
    four(office)

    office.run(stop=lambda: len(smtp.received) >= 2)

    assert len(smtp.received) == 2
    assert sorted(states(office).values()) == ["pending", "pending", "sent", "sent"]
    assert {(mail.lease_until, mail.attempts) for mail in office.mails() if mail.state == "pending"} == {(None, 0)}
    assert office.run().outcomes == {"sent": 2}


def test_a_mail_that_is_leased_is_nobody_elses(office: Office, smtp: SMTPServer) -> None:
    four(office)
    others: list[int] = []

    def meanwhile(_address: str) -> None:
        # Another worker comes by while each mail is under way.
        thread = threading.Thread(target=lambda: others.append(office.run().outcomes["sent"]))
        thread.start()
        thread.join()

    smtp.at_taken["*"] = meanwhile
    office.run()

    assert others == [0] * 4
    assert len(smtp.received) == 4


def test_no_mail_is_begun_when_half_of_the_lease_is_over(open_office: Callable[..., Office], smtp: SMTPServer) -> None:
    office = open_office(NOTIFY_MAIL_TIMEOUT=0.9, NOTIFY_MAIL_LEASE=2)
    four(office)
    smtp.at_data[SUSAN] = say(HANG)
    smtp.delay = 0.6  # after these, a mail that hangs would outlast the lease

    office.run(transport=Hasty(office.site.app, {SUSAN: 0.9}))

    # What was not begun was given back, and taken again with a lease of its own.
    mails = {mail.address: mail for mail in office.mails()}
    assert sorted(mail.address for mail in smtp.received) == [ANNA, DAVID, PETER]
    assert all(len(smtp.to(address)) == 1 for address in (ANNA, DAVID, PETER))
    assert mails[SUSAN].state == "pending"
    assert {mail.attempts for mail in mails.values()} == {1}


def test_the_mail_of_a_worker_that_died_is_sent_when_its_lease_has_run_out(office: Office, smtp: SMTPServer) -> None:
    four(office)
    models = office.site.notify.models
    office.run(stop=lambda: bool(office.mails()))  # stored, and not sent
    with office.site.app.app_context(), outbox.working(models) as work, work.begin():
        dead = outbox.lease(work, models, now=office.now, seconds=300)

    before = office.run().outcomes["sent"]
    with office.site.app.app_context(), outbox.working(models) as work, work.begin():
        work.execute(update(models.mail).values(lease_until=models.mail.c.lease_until - 301))
    after = office.run().outcomes["sent"]

    assert (len(dead), before, after) == (4, 0, 4)
    assert {mail.content for mail in dead} == {mail.content for mail in smtp.received}


def test_what_a_worker_says_after_its_lease_ran_out_does_not_undo_anothers_work(
    office: Office, smtp: SMTPServer
) -> None:
    office.send("Backup finished", office.add("susan"))
    office.now += 300
    office.run(stop=lambda: bool(office.mails()))
    models = office.site.notify.models
    with office.site.app.app_context(), outbox.working(models) as work:
        with work.begin():
            (slow,) = outbox.lease(work, models, now=office.now, seconds=-1)
        office.run()
        with work.begin():
            outbox.note_later(work, models, slow, "late", at=office.now)
            outbox.note_final(work, models, slow, "refused", "late")
            outbox.release(work, models, [slow])

    (mail,) = office.mails()
    assert (mail.state, mail.reason, mail.attempts) == ("sent", None, 2)
    assert office.run().outcomes == {}
    assert len(smtp.received) == 1


@pytest.mark.databases("postgresql", "mariadb")
def test_a_mail_during_which_the_database_broke_off_is_stamped_and_not_repeated(
    office: Office, smtp: SMTPServer, database: Database
) -> None:
    waiting = [database]
    smtp.at_taken["*"] = lambda _: end_connections(waiting.pop()) if waiting else None
    four(office)

    office.run()
    office.run()

    assert len(smtp.received) == 4
    assert set(states(office).values()) == {"sent"}


def end_connections(database: Database) -> None:
    """Let the database end all connections, as it does when it is restarted."""
    engine = create_engine(database.url)
    with engine.connect() as connection:
        if database.name == "postgresql":
            others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}"))
        else:
            others = "FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
            for number in connection.scalars(text(f"SELECT id {others}")).all():
                connection.execute(text(f"KILL {number}"))
    engine.dispose()


class OwnTransport:
    """A transport of an application's own, which knows nobody called David."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    @contextmanager
    def connection(self) -> Iterator[OwnTransport]:
        yield self

    def send(self, sender: str, address: str, content: bytes) -> None:
        if address == DAVID:
            raise KeyError(address)
        assert sender == "news@example.org"
        assert content
        self.sent.append(address)


@pytest.mark.databases("sqlite")
def test_an_application_can_hand_mails_over_in_its_own_way(office: Office) -> None:
    four(office)
    own = OwnTransport()

    summary = office.run(transport=own)

    assert own.sent == [SUSAN, ANNA, PETER]
    assert summary.outcomes == {"stored": 4, "sent": 3, "later": 1}
    assert states(office)[DAVID] == "pending"


def test_what_was_sent_is_stamped_before_the_next_mail_goes_out(office: Office, smtp: SMTPServer) -> None:
    four(office)
    known: list[list[tuple[int, str]]] = []

    def look(_address: str) -> None:
        known.append([(len(smtp.received), state) for state in states(office).values() if state != "pending"])

    smtp.at_rcpt["*"] = smtp.at_data["*"] = look

    office.run()

    # Asked at its RCPT and at its content, each of the four found all before it stamped.
    assert [[state for _, state in stamped] for stamped in known] == [
        ["sent"] * sent for sent in range(4) for _ in range(2)
    ]


def test_a_mail_that_was_announced_and_is_not_wanted_any_more_is_not_sent(
    office: Office, smtp: SMTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = four(office)
    monkeypatch.setattr(delivery, "_FRESH_SECONDS", 0.0)  # it looks before each mail
    first: list[str] = []

    def see(address: str) -> None:
        if not first:
            first.append(address)
            for other, key in keys.items():
                if other not in (address, PETER):
                    office.see_all(key)

    smtp.at_data["*"] = see

    summary = office.run()

    assert {mail.address for mail in smtp.received} == {first[0], PETER}
    assert summary.outcomes == {"stored": 4, "sent": len(smtp.received), "cancelled": 4 - len(smtp.received)}


@pytest.mark.databases("sqlite-wal", "sqlite", "postgresql")
def test_only_stamps_do_not_wait_for_the_disk(office: Office, database: Database) -> None:
    ask = "SHOW synchronous_commit" if database.name == "postgresql" else "PRAGMA synchronous"
    with office.site.app.app_context(), outbox.working(office.site.notify.models) as work:

        def waits() -> Any:
            with work.begin():
                return work.exec_driver_sql(ask).scalar()

        usual = waits()
        with stamping(work):
            meanwhile = waits()
        journal = None if database.name == "postgresql" else work.exec_driver_sql("PRAGMA journal_mode").scalar()
        work.rollback()
        afterwards = waits()

    assert meanwhile == ("off" if journal is None else 1 if journal == "wal" else 2)
    assert afterwards == usual == ("on" if journal is None else 2)


@pytest.mark.databases("postgresql")
def test_a_mail_is_on_the_disk_before_it_is_sent(office: Office, smtp: SMTPServer) -> None:
    four(office)
    begun: list[str] = []
    committed: list[tuple[str, str]] = []

    def remember(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        begun.append(statement)

    def look(connection: Connection) -> None:
        done = " ".join(begun)
        what = "lease" if "notify_mail.attempts +" in done else "store" if "INSERT INTO notify_mail" in done else ""
        committed.append((what, str(connection.exec_driver_sql("SHOW synchronous_commit").scalar())))
        begun.clear()

    with office.site.app.app_context():
        event.listen(office.site.db.engine, "before_cursor_execute", remember)
        event.listen(office.site.db.engine, "commit", look)
    office.run()

    # The one that waits waits for all that was written before.
    assert [commit for commit in committed if commit[0]] == [("store", "off"), ("lease", "on")]
    assert len(smtp.received) == 4
