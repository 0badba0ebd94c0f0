"""What is due goes out as one mail, to those who have not seen it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import current_app
from sqlalchemy import Column, String

from flask_notify import MessageType
from flask_notify.config import Settings
from flask_notify.mailing import digest
from flask_notify.mailing.transport import FlaskMailTransport
from tests.apps import Site
from tests.mail.office import NOON, Office, make_office, parsed, text_of, told_in
from tests.servers.smtp import SMTPServer, say

SUSAN, DAVID = "susan@example.org", "david@example.org"


def test_what_is_still_unseen_after_the_delay_goes_out_in_one_mail(office: Office, smtp: SMTPServer) -> None:
    susan = office.add("susan")
    office.send("Backup finished", susan)
    office.send("Disk nearly full", susan)

    office.run_at(NOON + 299)
    early = list(smtp.received)
    office.run_at(NOON + 300)
    office.run()

    assert early == []
    (content,) = smtp.to(SUSAN)
    assert parsed(content)["Subject"] == "2 notifications"
    assert told_in(content, "Backup finished", "Disk nearly full") == ["Disk nearly full", "Backup finished"]
    (mail,) = office.mails()
    assert (mail.state, mail.sent_at, mail.attempts, mail.content) == ("sent", office.now, 1, content)
    for message in office.messages(susan):
        assert (message.sent_at, message.mail_id, message.mail_due_at) == (office.now, mail.id, None)
    assert office.due_at(susan) is None


@pytest.mark.databases("sqlite")
def test_a_single_message_bears_its_own_subject_after_the_prefix(
    open_office: Callable[..., Office], smtp: SMTPServer
) -> None:
    office = open_office(NOTIFY_MAIL_SUBJECT_PREFIX="[Microblog] ")
    office.send("Sicherung für heute fertig", office.add("susan"))

    office.run_at(NOON + 300)

    message = parsed(smtp.to(SUSAN)[0])
    assert message["Subject"] == "[Microblog] Sicherung für heute fertig"
    assert message["From"] == "Microblog <news@example.org>"
    assert message["List-Id"] == "<notifications.example.org>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert smtp.received[0].sender == "news@example.org"


@pytest.mark.databases("sqlite")
def test_a_message_that_is_not_due_yet_goes_out_in_its_own_time(office: Office, smtp: SMTPServer) -> None:
    susan = office.add("susan")
    office.send("First", susan)
    office.now += 200
    office.send("Second", susan)

    office.run_at(NOON + 300)
    office.run_at(NOON + 499)
    between = [told_in(content, "First", "Second") for content in smtp.to(SUSAN)]
    office.run_at(NOON + 500)

    assert between == [["First"]]
    assert [told_in(content, "First", "Second") for content in smtp.to(SUSAN)] == [["First"], ["Second"]]


def test_whoever_reads_everything_before_the_hour_gets_no_mail(office: Office, smtp: SMTPServer) -> None:
    susan, david = office.add("susan"), office.add("david")
    office.send("Backup finished", susan, david, mode="daily")
    due = office.due_at(susan)
    assert due is not None

    office.now = due - 1
    office.see_all(susan)
    office.run_at(due)

    assert smtp.to(SUSAN) == []
    assert len(smtp.to(DAVID)) == 1
    assert office.mails(susan) == []


@pytest.mark.databases("sqlite")
def test_a_seen_message_leaves_the_digest(office: Office, smtp: SMTPServer) -> None:
    susan = office.add("susan")
    office.send("First", susan)
    office.see_all(susan)
    office.send("Second", susan)

    office.run_at(NOON + 300)

    assert told_in(smtp.to(SUSAN)[0], "First", "Second") == ["Second"]


def test_a_digest_shows_the_newest_and_counts_the_rest(open_office: Callable[..., Office], smtp: SMTPServer) -> None:
    office = open_office(NOTIFY_DIGEST_LIMIT=3)
    susan = office.add("susan")
    subjects = [f"Message no. {number}" for number in range(10)]
    for subject in subjects:
        office.send(subject, susan)

    office.run_at(NOON + 300)
    office.run_at(NOON + 3000)

    (content,) = smtp.to(SUSAN)
    assert told_in(content, *subjects) == ["Message no. 9", "Message no. 8", "Message no. 7"]
    assert parsed(content)["Subject"] == "10 notifications"
    assert "7 more" in text_of(content)
    assert all(message.mail_due_at is None and message.sent_at for message in office.messages(susan))


@pytest.mark.databases("sqlite")
def test_a_critical_message_is_mailed_at_once(office: Office, smtp: SMTPServer) -> None:
    @office.site.notify.message_type
    class Breached(MessageType):
        critical = True

        def subject(self, recipient: Any) -> str:
            return f"Change your password, {recipient.name}"

    susan = office.add("susan")
    with office.site.app.app_context():
        office.site.notify.send(Breached(), to=office.site.user(susan))
        office.site.db.session.commit()

    office.run()

    assert parsed(smtp.to(SUSAN)[0])["Subject"] == "Change your password, susan"


# Days on both sides of each change of the clocks, and a zone with half an hour.
CHANGES = [
    ("Europe/Berlin", "2027-03-27T12:00", 8),
    ("Europe/Berlin", "2026-10-24T12:00", 8),
    ("America/New_York", "2027-03-13T12:00", 8),
    ("Asia/Kolkata", "2027-03-27T12:00", 8),
    ("Europe/Berlin", "2027-03-27T12:00", 2),  # 02:00 does not exist on 28 March
    ("Europe/Berlin", "2026-10-24T12:00", 2),  # and comes twice on 25 October
]


@pytest.mark.parametrize("zone,begin,hour", CHANGES)
@pytest.mark.databases("sqlite")
def test_a_daily_digest_goes_out_once_a_day_at_the_recipients_own_hour(
    open_office: Callable[..., Office], smtp: SMTPServer, zone: str, begin: str, hour: int
) -> None:
    office = open_office(NOTIFY_DIGEST_TIME=f"{hour:02}:00")
    susan = office.add("susan")
    with office.site.app.app_context():
        office.site.user(susan).set_notify_preferences(timezone=zone)
        office.site.db.session.commit()
    local = datetime.fromisoformat(begin).replace(tzinfo=ZoneInfo(zone))
    office.now = local.timestamp()
    sent = []

    for _ in range(2 * 24):  # a worker comes by every hour, and something happens each time
        office.send("Something happened", susan, mode="daily")
        office.now += 3600
        sent += [datetime.fromtimestamp(office.now, ZoneInfo(zone))] * office.run().outcomes["sent"]

    days = [moment.date() for moment in sent]
    assert days == [local.date() + timedelta(days=1 + number) for number in range(2)]
    skipped = [moment for moment in sent if (moment.hour, moment.minute) != (hour, 0)]
    assert len(skipped) <= (hour == 2)  # the hour that there was not
    assert len(smtp.to(SUSAN)) == 2


def set_mode(office: Office, key: Any, mode: str | None, kind: str | None = None) -> None:
    with office.site.app.app_context():
        office.site.user(key).set_mail_mode(mode, type=kind)
        office.site.db.session.commit()


def test_a_change_of_mode_moves_what_is_pending(office: Office, smtp: SMTPServer) -> None:
    susan = office.add("susan")
    office.send("Backup finished", susan)

    set_mode(office, susan, "daily")
    office.run_at(NOON + 300)
    soon = list(smtp.received)
    due = office.due_at(susan)
    assert due is not None
    office.run_at(due)

    assert soon == []
    assert due > NOON + 300
    assert len(smtp.to(SUSAN)) == 1


@pytest.mark.databases("sqlite")
def test_a_change_to_often_brings_forward_what_waits_for_a_digest(office: Office, smtp: SMTPServer) -> None:
    susan = office.add("susan")
    set_mode(office, susan, "weekly")
    office.send("Backup finished", susan)

    set_mode(office, susan, "often")
    office.run_at(NOON + 300)

    assert len(smtp.to(SUSAN)) == 1


@pytest.mark.databases("sqlite")
def test_a_change_to_never_cancels_what_is_pending(office: Office, smtp: SMTPServer) -> None:
    susan = office.add("susan")
    office.send("Backup finished", susan)

    set_mode(office, susan, "never")
    office.run_at(NOON + 100_000)

    assert smtp.received == []
    assert office.due_at(susan) is None


@pytest.mark.parametrize("how", ["seen", "never", "never for the type"])
def test_a_mail_that_waits_for_another_attempt_is_cancelled_when_nobody_wants_it_any_more(
    office: Office, smtp: SMTPServer, how: str
) -> None:
    susan = office.add("susan")
    office.send("Backup finished", susan)
    smtp.at_rcpt[SUSAN] = say("451 4.3.0 not now")
    office.run_at(NOON + 300)
    smtp.at_rcpt.clear()

    if how == "seen":
        office.see_all(susan)
    else:
        set_mode(office, susan, "never", "system" if how == "never for the type" else None)
    office.run_at(NOON + 100_000)

    assert smtp.received == []
    (mail,) = office.mails()
    assert mail.state == "cancelled"
    assert mail.next_attempt_at is None
    assert "seen all of it" in mail.reason


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "values,reason",
    [
        ({"email": None}, "no address"),
        ({"email": ""}, "no address"),
        ({"email": "susan"}, "must have an @"),
        ({"email": "susan@example.org\nBcc: all@example.org"}, "not valid"),
        ({"email": "susan@exa mple.org"}, "domain of the address is not valid"),
        ({"is_active": False}, "deactivated"),
    ],
)
def test_whoever_cannot_be_mailed_gets_none_and_the_reason_is_on_record(
    office: Office, smtp: SMTPServer, values: dict[str, Any], reason: str
) -> None:
    susan, david = office.add("susan", **values), office.add("david")
    office.send("Backup finished", susan, david)

    summary = office.run_at(NOON + 300), office.run_at(NOON + 3000)

    assert summary == (1, 0)
    assert [mail.address for mail in smtp.received] == [DAVID]
    (mail,) = office.mails(susan)
    assert (mail.state, mail.content, mail.attempts) == ("skipped", None, 0)
    assert reason in mail.reason
    (message,) = office.messages(susan)
    assert (message.mail_id, message.sent_at) == (mail.id, None)


FAILING = (
    "{% if recipient.name == 'susan' %}{{ recipient.email.no_such_thing.at_all }}{% endif %}Dear {{ recipient.name }}"
)


@pytest.mark.databases("sqlite")
def test_a_letter_that_cannot_be_rendered_is_parked_and_the_others_go_out(
    office: Office, smtp: SMTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    susan, david = office.add("susan"), office.add("david")
    office.send("Backup finished", susan, david)
    office.set_templates(txt=FAILING)

    summary = office.run_at(NOON + 300), office.run_at(NOON + 3000)

    assert summary == (1, 0)
    assert [mail.address for mail in smtp.received] == [DAVID]
    (mail,) = office.mails(susan)
    assert mail.state == "parked"
    assert mail.reason == "UndefinedError in notify/mail/digest.txt, line 1"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert f"recipient {susan!r}" in caplog.text


def test_what_was_parked_goes_out_after_the_template_was_mended(office: Office, smtp: SMTPServer) -> None:
    susan = office.add("susan")
    office.send("First", susan)
    office.send("Second", susan)
    first = office.messages(susan)[0].id
    broken = [True]
    office.site.app.jinja_env.globals["is_broken"] = lambda: bool(broken)
    office.set_templates(
        txt="{% for message in messages %}{{ message.subject }}\n{% endfor %}{{ gone.at_all if is_broken() }}"
    )
    office.run_at(NOON + 300)
    broken.clear()
    with office.site.app.app_context():
        office.site.user(susan).mark_seen(first)
        office.site.db.session.commit()

        retried = digest.retry_parked(office.site.notify.models)
    office.run_at(NOON + 600)

    assert retried == 1
    assert [told_in(content, "First", "Second") for content in smtp.to(SUSAN)] == [["Second"]]
    assert [mail.state for mail in office.mails(susan)] == ["cancelled", "sent"]


@pytest.mark.databases("sqlite")
def test_neither_reasons_nor_log_lines_repeat_what_is_personal(
    office: Office, smtp: SMTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    susan, david = office.add("susan"), office.add("david")
    office.send("A very private subject", susan, david, body="and its body")
    office.set_templates(html="{% if recipient.name == 'david' %}{{ fail(recipient.email) }}{% endif %}")
    office.site.app.jinja_env.globals["fail"] = fail
    smtp.at_rcpt[SUSAN] = lambda address: f"550 5.1.1 <{address}>: no such mailbox"

    with caplog.at_level(logging.INFO, "flask_notify"):
        office.run_at(NOON + 300)

    assert {mail.state for mail in office.mails()} == {"refused", "parked"}
    assert len(caplog.records) == 2
    for secret in ("@example.org", "private", "its body"):
        assert secret not in caplog.text
    (parked,) = office.mails(david)
    assert "example.org" not in parked.reason


def fail(what: str) -> None:
    raise ValueError(what)


@pytest.mark.parametrize(
    "missing,problem",
    [("NOTIFY_BASE_URL", "NOTIFY_BASE_URL is not set"), ("NOTIFY_MAIL_SENDER", "have no sender")],
)
@pytest.mark.databases("sqlite")
def test_without_what_every_mail_needs_none_is_rendered_and_none_is_lost(
    open_office: Callable[..., Office], smtp: SMTPServer, missing: str, problem: str
) -> None:
    office = open_office(**{missing: None})
    susan = office.add("susan")
    office.send("Backup finished", susan)
    office.now += 300

    summary = office.run()

    assert summary.problem is not None
    assert problem in summary.problem
    assert smtp.received == []
    assert office.mails() == []
    assert office.due_at(susan) == NOON + 300


@pytest.mark.databases("sqlite")
def test_the_sender_is_flask_mails_where_there_is_no_other(
    open_office: Callable[..., Office], smtp: SMTPServer
) -> None:
    office = open_office(NOTIFY_MAIL_SENDER=None, MAIL_DEFAULT_SENDER=("Microblog", "default@example.org"))
    office.send("Backup finished", office.add("susan"))

    office.run_at(NOON + 300)

    assert parsed(smtp.to(SUSAN)[0])["From"] == "Microblog <default@example.org>"


def rendering(office: Office, meanwhile: Callable[[], None]) -> None:
    """Let something happen once while a letter is rendered."""
    waiting = [meanwhile]
    office.site.app.jinja_env.globals["meanwhile"] = lambda: (waiting.pop()() if waiting else None) or ""
    office.set_templates(txt="{{ meanwhile() }}{% for message in messages %}{{ message.subject }}\n{% endfor %}")


def apart(work: Callable[[], None]) -> Callable[[], None]:
    """Return the work, to be done by another thread with connections of its own."""
    from threading import Thread

    def in_a_thread() -> None:
        thread = Thread(target=work)
        thread.start()
        thread.join()

    return in_a_thread


def test_what_is_seen_while_the_mail_is_rendered_is_not_in_it(office: Office, smtp: SMTPServer) -> None:
    susan = office.add("susan")
    office.send("First", susan)
    office.send("Second", susan)
    first = office.messages(susan)[0].id

    def see_the_first() -> None:
        with office.site.app.app_context():
            office.site.user(susan).mark_seen(first)
            office.site.db.session.commit()

    rendering(office, apart(see_the_first))
    office.run_at(NOON + 300)

    assert [told_in(content, "First", "Second") for content in smtp.to(SUSAN)] == [["Second"]]


def test_when_all_is_seen_while_the_mail_is_rendered_there_is_none(office: Office, smtp: SMTPServer) -> None:
    susan = office.add("susan")
    office.send("First", susan)

    rendering(office, apart(lambda: office.see_all(susan)))
    office.run_at(NOON + 300)

    assert smtp.received == []
    assert office.mails() == []
    assert office.due_at(susan) is None


def test_what_comes_while_the_mail_is_rendered_is_mailed_in_its_own_time(office: Office, smtp: SMTPServer) -> None:
    susan = office.add("susan")
    office.send("First", susan)

    rendering(office, apart(lambda: office.send("Second", susan)))
    office.run_at(NOON + 300)
    once = [told_in(content, "First", "Second") for content in smtp.to(SUSAN)]
    office.run_at(NOON + 600)

    assert once == [["First"]]
    assert [told_in(content, "First", "Second") for content in smtp.to(SUSAN)] == [["First"], ["Second"]]


def test_what_another_worker_has_stored_meanwhile_is_not_mailed_again(office: Office, smtp: SMTPServer) -> None:
    susan = office.add("susan")
    office.send("First", susan)

    def be_late() -> None:
        office.now += 121  # the time for rendering is over, and another worker takes the recipient
        office.run()

    rendering(office, apart(be_late))
    office.run_at(NOON + 300)

    assert len(smtp.to(SUSAN)) == 1
    assert len(office.mails()) == 1


def test_a_message_that_is_renewed_while_the_mail_is_rendered_is_rendered_anew(
    office: Office, smtp: SMTPServer
) -> None:
    @office.site.notify.message_type
    class Replied(MessageType):
        collapse = "latest"
        who: str

        def subject(self, recipient: Any) -> str:
            return f"{self.who} replied to {recipient.name}"

    susan, post = office.add("susan"), office.add("post")

    def reply(who: str) -> None:
        with office.site.app.app_context():
            office.site.notify.send(Replied(who=who, target=office.site.user(post)), to=office.site.user(susan))
            office.site.db.session.commit()

    reply("Ann")
    rendering(office, apart(lambda: reply("Bob")))
    office.run_at(NOON + 300)

    assert [told_in(content, "Ann replied", "Bob replied") for content in smtp.to(SUSAN)] == [["Bob replied"]]


@pytest.mark.databases("sqlite")
def test_mails_about_one_object_are_a_thread(office: Office, smtp: SMTPServer) -> None:
    susan, david = office.add("susan"), office.add("david")
    for moment in (NOON, NOON + 1000):
        office.now = moment
        with office.site.app.app_context():
            post = office.site.user(david)
            office.site.notify.send("Post changed", to=[office.site.user(susan), post], target=post)
            office.site.db.session.commit()
        office.run_at(moment + 300)
    office.send("Something else", susan)
    office.run_at(office.now + 300)

    first, second, other = (parsed(content) for content in smtp.to(SUSAN))
    assert first["References"] == second["References"] == first["In-Reply-To"]
    assert first["Message-ID"] != second["Message-ID"]
    assert other["References"] is None
    assert parsed(smtp.to(DAVID)[0])["References"] != first["References"]


def test_a_preview_tells_what_would_be_sent_and_writes_nothing(office: Office) -> None:
    susan, david = office.add("susan"), office.add("david", email="nowhere")
    office.send("Backup finished", susan, david)
    office.send("Disk nearly full", susan)
    office.now += 300

    with office.site.app.app_context():
        settings = current_app.extensions["notify"].settings
        transport = FlaskMailTransport(office.site.app, 10)
        found = list(digest.preview(office.site.notify.models, settings, transport, now=office.now))

    assert {preview.recipient_id: (preview.messages, preview.subject) for preview in found} == {
        susan: (2, "2 notifications"),
        david: (1, None),
    }
    assert {preview.reason for preview in found} == {None, "an address must have an @"}
    assert office.mails() == []
    assert office.due_at(susan) == NOON + 300
    assert office.run().outcomes == {"stored": 1, "skipped": 1, "sent": 1}


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("key", ["uuid", "string"])
def test_mail_goes_out_whatever_the_keys_of_users_are(
    open_office: Callable[..., Office], smtp: SMTPServer, key: str
) -> None:
    office = open_office(key=key)
    keys = [office.add(f"user{number}") for number in range(30)]
    office.send("Backup finished", *keys)

    office.run_at(NOON + 300)

    assert sorted(mail.address for mail in smtp.received) == sorted(f"user{number}@example.org" for number in range(30))


@pytest.mark.databases("sqlite")
def test_a_session_that_was_in_use_does_not_show_a_worker_the_past(
    open_office: Callable[..., Office], smtp: SMTPServer
) -> None:
    office = open_office(attributes={"nickname": Column(String(20))})
    susan = office.add("susan")
    office.send("Backup finished", susan)
    office.now += 300

    with office.site.app.app_context():
        stale = office.site.user(susan)
        assert stale.email == SUSAN
        office.site.db.session.commit()
        apart(lambda: change_address(office, susan))()
        settings = current_app.extensions["notify"].settings
        digest.run_once(office.site.notify.models, settings, FlaskMailTransport(office.site.app, 10))

    assert [mail.address for mail in smtp.received] == ["new@example.org"]


def change_address(office: Office, key: Any) -> None:
    with office.site.app.app_context():
        office.site.user(key).email = "new@example.org"
        office.site.db.session.commit()


def test_mail_goes_out_from_a_database_in_memory(smtp: SMTPServer) -> None:
    office = make_office("sqlite://", smtp.port)
    office.site.create_tables()
    office.send("Backup finished", office.add("susan"))

    office.run_at(NOON + 300)

    assert len(smtp.to(SUSAN)) == 1
    assert [mail.state for mail in office.mails()] == ["sent"]
    office.site.close()


@pytest.mark.databases("sqlite")
def test_users_without_an_attribute_for_the_address_get_none_and_the_reason_is_on_record(site: Site) -> None:
    office = Office(site, Path())
    office.send("Backup finished", site.add_user("susan"))
    settings = Settings({"NOTIFY_BASE_URL": "https://example.org", "NOTIFY_MAIL_SENDER": "news@example.org"})
    office.now += 300

    with site.app.app_context():
        digest.run_once(site.notify.models, settings, FlaskMailTransport(site.app, 10))

    assert [(mail.state, mail.reason) for mail in office.mails()] == [("skipped", "User has no attribute email")]
