"""What notes that a mail was sent is committed at once, however the connection is set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from sqlalchemy import Connection, event

from flask_notify.durability import stamping
from flask_notify.mailing import digest, outbox
from flask_notify.mailing.outbox import LeasedMail
from flask_notify.mailing.stamps import Stamps
from flask_notify.mailing.transport import FlaskMailTransport
from tests.mail.office import Office
from tests.servers.smtp import SMTPServer


@pytest.fixture
def leased(office: Office) -> Iterator[tuple[Connection, LeasedMail]]:
    """A mail that a worker has leased, and the worker's connection."""
    office.send("Backup finished", office.add("susan"))
    office.now += 300
    with office.site.app.app_context(), outbox.working(office.site.notify.models) as work:
        settings = office.site.app.extensions["notify"].settings
        desk = digest._Desk(office.site.notify.models, settings, FlaskMailTransport(office.site.app, 5))
        digest._prepare_batch(work, desk, office.now, digest.Summary(), 1)
        with work.begin():
            (mail,) = outbox.lease(work, office.site.notify.models, now=office.now, seconds=60)
        yield work, mail


@pytest.mark.parametrize("setting", [stamping, nullcontext])
def test_a_stamp_is_committed_when_it_was_noted(
    office: Office, leased: tuple[Connection, LeasedMail], setting: Callable[[Connection], AbstractContextManager[Any]]
) -> None:
    work, mail = leased

    with setting(work):
        Stamps(office.site.notify.models, work).note_sent(work, mail, now=office.now)

    (seen,), (told,) = office.mails(), office.messages(mail.recipient_id)
    assert (seen.state, seen.sent_at, seen.next_attempt_at, seen.lease_until) == ("sent", office.now, None, None)
    assert (told.mail_id, told.sent_at) == (mail.id, office.now)


def test_whoever_listens_to_statements_hears_of_every_stamp(office: Office, smtp: SMTPServer) -> None:
    heard: list[str] = []
    with office.site.app.app_context():
        event.listen(office.site.db.engine, "before_cursor_execute", lambda *arguments: heard.append(arguments[2]))
    office.send("Backup finished", office.add("susan"), office.add("david"))
    office.now += 300

    office.run()

    assert len(smtp.received) == 2
    assert len([said for said in heard if "UPDATE notify_message SET sent_at" in said]) == 2
