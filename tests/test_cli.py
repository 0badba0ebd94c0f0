"""``flask notify …``: sending, reading, asking why, and whether all is well."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest
from click.testing import Result
from sqlalchemy import insert, text, update

from flask_notify import MessageType
from flask_notify.cli import notify_cli
from flask_notify.database_clock import DatabaseClock
from flask_notify.leases import SCHEDULER
from tests.apps import Site, make_app


class Welcome(MessageType):
    """A type with data."""

    door: int

    def subject(self, recipient: Any) -> str:
        return f"{recipient.name}, take door {self.door}"


class ForStaff(MessageType):
    """A type that is not for everybody."""

    @classmethod
    def allowed(cls, recipient: Any) -> bool:
        return bool(recipient.name == "ann")

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return "For staff"


@pytest.fixture
def site(build: Callable[..., Site]) -> Site:
    """An application with two people and two types."""
    site = build(
        NOTIFY_BASE_URL="https://example.org",
        NOTIFY_MAIL_SENDER="news@example.org",
        attributes={"email": "ann@example.org"},
    )
    site.notify.message_type(Welcome)
    site.notify.message_type(ForStaff)
    for name in ("ann", "bob"):
        site.add_user(name)
    return site


@pytest.fixture
def people(site: Site) -> Iterator[list[Any]]:
    """The two, in the context of the test."""
    with site.app.app_context():
        yield list(site.db.session.query(site.User).order_by(site.User.name))


def call(site: Site, *arguments: str) -> Result:
    return site.app.test_cli_runner().invoke(args=["notify", *arguments])


def ask(site: Site, *arguments: str) -> Any:
    """Run a command that has to work, and return what it answers in JSON."""
    result = call(site, *arguments, "--json")
    assert result.exit_code == 0, (result.output, result.exc_info)
    return json.loads(result.stdout)


def see_a_scheduler(site: Site, seconds_ago: int = 0) -> None:
    lease, now = site.notify.models.lease, DatabaseClock()
    row = {"role": SCHEDULER, "owner": "a test", "until": now, "renewed_at": now - seconds_ago}
    with site.app.app_context():
        site.db.session.execute(insert(lease).values(row))
        site.db.session.commit()


@pytest.mark.parametrize("name", sorted(notify_cli.commands))
def test_every_command_explains_itself(name: str) -> None:
    command = notify_cli.commands[name]

    assert command.help
    assert len(command.help.splitlines()[0]) >= 15
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_a_message_is_sent_by_name_or_by_key_to_all_or_to_some(site: Site, people: list[Any]) -> None:
    ann, bob = people

    by_name = call(site, "send", "Backup finished", "--to", "ann", "--body", "42 files", "--url", "/backups", "--popup")
    to_all = ask(site, "send", "Closed on Friday", "--all")
    by_type = ask(site, "send", "--type", "welcome", "--data", '{"door": 3}', "--where", "name=bob")
    by_key = ask(site, "send", "Hello", "--to", str(bob.id))

    assert by_name.stdout == "Sent to 1 recipient.\n"
    assert (to_all, by_type, by_key) == ({"recipients": 2}, {"recipients": 1}, {"recipients": 1})
    backup = list(ann.messages_received)[-1]
    assert (backup.body, backup.url, backup.get_data()) == ("42 files", "/backups", {"popup": True})
    assert [value.name for value in ann.notifications if value.payload is True] == ["inbox_popup"]
    assert [m.subject for m in bob.messages_received] == ["Hello", "bob, take door 3", "Closed on Friday"]
    assert "inbox_popup" not in [value.name for value in bob.notifications]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    "arguments,complaint",
    [
        (["send", "x"], "Name the recipients by one of --to, --all and --where"),
        (["send", "x", "--to", "nobody"], "no user with the key or name 'nobody'"),
        (["send", "--all"], "Give the message's SUBJECT"),
        (["send", "--all", "--type", "unheard"], "declared: action, change, for_staff, private, system, welcome"),
        (["send", "--all", "--type", "welcome"], "lacks door"),
        (["send", "x", "--all", "--type", "welcome"], "makes its own text"),
        (["send", "x", "--all", "--data", "[1]"], "must be a JSON object"),
        (["send", "x", "--all", "--url", "javascript:x"], "javascript:x"),
        (["send", "x", "--where", "colour=red"], "must be one of id, name"),
        (["send", "x", "--where", "id=seven"], "needs a int there"),
        (["broadcast", "x", "{"], "must be JSON"),
        (["broadcast", " ", "1"], "must not begin or end in space"),
        (["inbox", "nobody"], "no user"),
        (["why", "ann", "99"], "has no message 99"),
    ],
)
def test_what_is_wrong_is_said_without_a_trace(site: Site, arguments: list[str], complaint: str) -> None:
    result = call(site, *arguments)

    assert result.exit_code != 0
    assert complaint in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_everybody_is_given_a_live_value(site: Site, people: list[Any]) -> None:
    assert ask(site, "broadcast", "maintenance", '{"at": "22:00"}', "--expires-in", "60") == {"recipients": 2}

    assert [n.get_data() for user in people for n in user.notifications] == [{"at": "22:00"}] * 2


def test_an_inbox_is_listed_and_stays_unseen(site: Site, people: list[Any]) -> None:
    ann, _ = people
    for subject in ("one", "two"):
        site.notify.send(subject, to=ann)
    site.db.session.commit()
    ann.mark_seen(list(ann.messages_received)[-1])
    site.db.session.commit()

    told = ask(site, "inbox", "ann")
    unseen = call(site, "inbox", "ann", "--unseen").stdout

    assert [(m["subject"], m["seen"]) for m in told["messages"]] == [("two", False), ("one", True)]
    assert told["unseen"] == 1
    assert "two" in unseen
    assert "one" not in unseen
    assert call(site, "inbox", "bob").stdout == "There are no messages.\n0 unseen\n"


def test_what_waits_for_many_is_moved(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_INLINE_RECIPIENTS=1)
    for number in range(5):
        site.add_user(f"user {number}")
    see_a_scheduler(site)

    assert ask(site, "send", "to all", "--all") == {"recipients": 5}
    assert ask(site, "drain") == {"moved": 5}
    assert call(site, "drain").stdout.endswith("Moved 0 recipients.\n")


def test_why_names_the_rule_and_what_became_of_the_mail(site: Site, people: list[Any]) -> None:
    ann, bob = people
    ann.set_mail_mode("daily")
    ann.set_mail_mode("silent", type="private")
    site.notify.send("by default", to=bob)
    site.db.session.commit()
    site.notify.send("in general", to=ann)
    site.notify.send("by pair", to=[(ann, "never")])
    site.db.session.commit()
    ann.mark_seen(list(ann.messages_received)[-1])
    site.db.session.commit()

    told = ask(site, "why", "ann")
    text_ = call(site, "why", "bob").stdout

    assert {(m["subject"], m["mail_mode"], m["rule"]) for m in told["messages"]} == {
        ("by pair", "never", "pair"),
        ("in general", "daily", "own"),
    }
    mails = {m["subject"]: m["mail"] for m in told["messages"]}
    assert mails["by pair"] == "not mailed, by its mode"
    assert mails["in general"].startswith("not mailed: it was seen at ")
    assert {t["type"]: (t["mail_mode"], t["rule"]) for t in told["types"]} == {
        "action": ("daily", "own"),
        "change": ("daily", "own"),
        "for_staff": ("daily", "own"),
        "private": ("silent", "own for type"),
        "system": ("daily", "own"),
        "welcome": ("daily", "own"),
    }
    assert "often, by the rule 'default': nobody has said anything else" in text_
    assert "to be mailed at 20" in text_
    assert "for_staff  silent  not allowed" in text_


@pytest.mark.databases("sqlite")
def test_why_says_who_cannot_be_reached_by_mail(build: Callable[..., Site]) -> None:
    site = build()
    site.add_user("ann")

    assert ask(site, "why", "ann")["no_mail"] == "User has no attribute email"


def test_recount_mends_what_was_done_by_hand(site: Site, people: list[Any]) -> None:
    ann, bob = people
    site.notify.send("x", to=people)
    site.notify.send("y", to=people)
    site.db.session.commit()
    assert ask(site, "recount") == {"inboxes": 2, "mended": 0}
    since = site.db.session.get(site.notify.Inbox, bob.id).cursor  # type: ignore[union-attr]
    site.db.session.rollback()

    site.db.session.execute(text("DELETE FROM notify_message WHERE recipient_id = :key"), {"key": ann.id})
    inbox = site.notify.models.inbox
    site.db.session.execute(
        update(inbox).where(inbox.c.recipient_id == bob.id).values(unseen_count=7, mail_due_at=None)
    )
    site.db.session.commit()
    text_ = call(site, "recount").stdout

    assert text_.endswith("2 of 2 inboxes were wrong, and are set right.\n")
    assert (ann.unread_message_count, bob.unread_message_count) == (0, 2)
    site.db.session.expire_all()
    inboxes = [site.db.session.get(site.notify.Inbox, user.id) for user in people]
    assert [bool(row and row.mail_due_at) for row in inboxes] == [False, True]
    told = site.client(bob.id).get(f"/notifications?since={since!r}").get_json()
    assert [(item["name"], item["data"]) for item in told] == [("unread_message_count", 2)]
    assert ask(site, "recount")["mended"] == 0


def findings(site: Site, code: int) -> dict[str, list[dict[str, str]]]:
    result = call(site, "doctor", "--json")
    assert result.exit_code == code, result.output
    found: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(result.stdout)["findings"]:
        found.setdefault(finding["about"], []).append(finding)
    return found


def test_the_doctor_finds_nothing_where_all_is_well(site: Site) -> None:
    see_a_scheduler(site)

    found = findings(site, 0)

    assert {finding["level"] for about in found.values() for finding in about} <= {"ok", "warning"}
    assert found["tables"][0]["level"] == found["scheduler"][0]["level"] == found["fan-out"][0]["level"] == "ok"
    assert "All is well enough." in call(site, "doctor").stdout


def test_the_doctor_finds_each_trouble_and_says_the_remedy(build: Callable[..., Site]) -> None:
    site = build(
        NOTIFY_INLINE_RECIPIENTS=1,
        TESTING_MAIL=True,
        MAIL_SUPPRESS_SEND=False,
        MAIL_PORT=1,
        NOTIFY_MAIL_TIMEOUT=5,
    )
    keys = [site.add_user(f"user {number}") for number in range(3)]
    see_a_scheduler(site, seconds_ago=2 * 3600 - 10)
    models = site.notify.models
    early = models.clock() - 7200
    with site.app.app_context():
        session = site.db.session
        session.execute(insert(models.fanout).values(kind="message", content="{}", created_at=early, total=3))
        listed = {"fanout_id": 1, "recipient_id": keys[0], "error": "ValueError: no words"}
        session.execute(insert(models.fanout_recipient).values(listed))
        session.execute(update(models.inbox).where(models.inbox.c.recipient_id == keys[0]).values(mail_due_at=early))
        mail = {"recipient_id": keys[1], "message_id": "<1@x>", "created_at": models.clock(), "attempts": 1}
        session.execute(insert(models.mail).values(**mail, state="refused", reason="550 unknown"))
        session.execute(insert(models.mail).values(**mail, state="parked", reason="KeyError in digest.html"))
        session.commit()

    found = findings(site, 1)

    def says(about: str, level: str, what: str, remedy: str) -> bool:
        return any(
            finding["level"] == level and what in finding["what"] and remedy in finding["remedy"]
            for finding in found[about]
        )

    assert says("NOTIFY_BASE_URL", "error", "no mail is sent", "https://example.org")
    assert says("scheduler", "error", "none was seen for 2.0 hours", "flask notify run")
    assert says("fan-out", "warning", "3 recipients wait, for 120 minutes", "flask notify drain")
    assert says("fan-out", "error", "1 recipients of emission 1 are parked: ValueError: no words", "Mend the type")
    assert says("mail", "warning", "1 recipients are due for more than 15 minutes", "scheduler")
    assert says("mail", "warning", "1 mails of the last week are refused", "another address")
    assert says("mail", "error", "1 mails of the last week are parked", "template")
    assert says("mail", "error", "no sender", "NOTIFY_MAIL_SENDER")
    assert says("mail server", "error", "does not answer", "MAIL_SERVER")


def test_the_doctor_finds_missing_and_outdated_tables(build: Callable[..., Site]) -> None:
    site = build()
    with site.app.app_context():
        site.db.session.execute(text("DROP TABLE notify_lease"))
        site.db.session.execute(text("ALTER TABLE notify_message DROP COLUMN rule"))
        site.db.session.commit()

    found = findings(site, 1)

    assert found["notify_lease"][0]["what"] == "the table is missing"
    assert found["notify_message"][0]["what"] == "the table is outdated: it has no rule"
    assert "flask db upgrade" in found["notify_lease"][0]["remedy"]


@pytest.mark.databases("postgresql", "mariadb")
def test_the_doctor_finds_an_isolation_under_which_writers_fail(build: Callable[..., Site]) -> None:
    site = build(SQLALCHEMY_ENGINE_OPTIONS={"isolation_level": "REPEATABLE READ"})

    (finding,) = findings(site, 1)["isolation"]

    assert finding["level"] == "warning"
    assert "READ COMMITTED" in finding["remedy"]


@pytest.mark.databases("sqlite")
def test_the_doctor_finds_a_missing_secret(site: Site) -> None:
    site.app.config["SECRET_KEY"] = None

    assert findings(site, 1)["SECRET_KEY"][0]["level"] == "error"


@pytest.mark.databases("sqlite")
def test_the_doctor_says_that_a_database_does_not_answer() -> None:
    site = make_app("sqlite:////no/such/directory/at.all")

    assert findings(site, 1)["database"][0]["remedy"] == "Look at SQLALCHEMY_DATABASE_URI."


@pytest.mark.databases("sqlite")
def test_missing_tables_are_an_error_that_says_where_to_look(build: Callable[..., Site]) -> None:
    site = build(tables=False)

    result = call(site, "recount")

    assert result.exit_code == 1
    assert "flask notify doctor" in result.output
    assert "Traceback" not in result.output
