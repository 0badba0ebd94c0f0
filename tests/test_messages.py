"""Sending messages: to whom, in whose transaction, and what the count of the unseen is."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy import select, text

from flask_notify import MailMode, MessageType
from flask_notify.errors import ConfigurationError, InvalidMessage, InvalidPreference, UnknownType, WrittenByHand
from tests.apps import Site


class Greeted(MessageType):
    """One that depends on its recipient."""

    word: str
    mark: str = "!"

    def subject(self, recipient: Any) -> str:
        return f"{self.word} {recipient.name}{self.mark}"


class Replied(MessageType):
    """One of which the newest is kept."""

    collapse = "latest"
    mail_mode = MailMode.DAILY

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return f"{self.sender.name} replied"


class Changed(MessageType):
    """One of which the first is kept."""

    collapse = "first"

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return f"changed by {self.data.get('by', 'nobody')}"


class Alarm(MessageType):
    """One that cannot be masked."""

    critical = True
    mail_mode = "never"

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return "Fire"


class ForStaff(MessageType):
    """One that is not for everybody."""

    @classmethod
    def allowed(cls, recipient: Any) -> bool:
        return bool(recipient.name.startswith("staff"))

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return "For staff"


@pytest.fixture
def people(site: Site) -> Any:
    """Three users in the application context of the test; their types are declared."""
    for kind in (Greeted, Replied, Changed, Alarm, ForStaff):
        site.notify.message_type(kind)
    with site.app.app_context():
        users = [site.User(name=name) for name in ("ann", "bob", "cem")]
        site.db.session.add_all(users)
        site.db.session.commit()
        yield users


def subjects(user: Any) -> list[str]:
    return [message.subject for message in user.messages_received]


def inbox_of(site: Site, user: Any) -> Any:
    return site.db.session.get(site.notify.Inbox, user.id)


def counts_are_right(site: Site) -> bool:
    rows = site.db.session.execute(
        text(
            "SELECT i.unseen_count, (SELECT count(*) FROM notify_message m"
            " WHERE m.recipient_id = i.recipient_id AND m.seen_at IS NULL) FROM notify_inbox i"
        )
    ).all()
    return all(stored == counted for stored, counted in rows)


def test_a_message_is_there_when_the_caller_has_committed(site: Site, people: Any) -> None:
    ann, _, _ = people

    assert site.notify.send("Backup finished", to=ann, body="42 files", url="/backups", data={"files": 42}) == 1
    assert subjects(ann) == []
    assert ann.unread_message_count == 1  # what waits for the commit counts
    site.db.session.commit()

    (message,) = ann.messages_received
    assert (message.type, message.subject, message.body, message.url) == (
        "system",
        "Backup finished",
        "42 files",
        "/backups",
    )
    assert message.get_data() == {"files": 42}
    assert (message.sender, message.author, message.recipient) == (None, None, ann)
    assert not message.seen
    assert message.timestamp == message.created_at
    assert abs((datetime.now(timezone.utc) - message.created_at).total_seconds()) < 60
    assert ann.unread_message_count == ann.new_messages() == 1


def test_a_rollback_leaves_nothing_behind(site: Site, people: Any) -> None:
    ann, bob, _ = people

    site.notify.send("never said", to=[ann, bob])
    site.db.session.rollback()
    with site.db.session.begin_nested() as savepoint:
        site.notify.send("nor this", to=ann)
        savepoint.rollback()
    site.notify.send("but this", to=ann)
    site.db.session.commit()

    assert subjects(ann) == ["but this"]
    assert subjects(bob) == []
    assert counts_are_right(site)


def test_a_poll_tells_the_count(site: Site, people: Any) -> None:
    ann, _, _ = people
    client = site.client(ann.id)
    site.notify.send("one", to=ann)
    site.notify.send("two", to=ann)
    site.db.session.commit()

    told = {item["name"]: item["data"] for item in client.get("/notifications").get_json()}

    assert told["unread_message_count"] == 2


def test_nobody_is_told_twice_and_the_first_mode_wins(site: Site, people: Any) -> None:
    ann, bob, cem = people

    told = site.notify.send("x", to=[None, (ann, "daily"), ann, (bob, MailMode.SILENT), cem, None])
    site.db.session.commit()

    assert told == 2
    assert [message.mail_mode for message in ann.messages_received] == ["daily"]
    assert subjects(bob) == []
    assert [message.mail_mode for message in cem.messages_received] == ["often"]


def test_a_query_of_keys_or_of_users_names_recipients(site: Site, people: Any) -> None:
    ann, bob, cem = people
    User = site.User

    assert site.notify.send(Greeted(word="Hi"), to=select(User.id).where(User.name != "cem")) == 2
    assert site.notify.send("to users", to=select(User).where(User.name == "cem")) == 1
    site.db.session.commit()

    assert (subjects(ann), subjects(bob), subjects(cem)) == (["Hi ann!"], ["Hi bob!"], ["to users"])


def test_the_text_may_be_made_by_a_function(site: Site, people: Any) -> None:
    ann, bob, cem = people

    def text_for(recipient: Any, mode: MailMode) -> tuple[str, str] | None:
        return None if recipient is bob else (f"for {recipient.name}", f"by {mode}")

    assert site.notify.send(text_for, to=[ann, bob, (cem, "weekly")]) == 2
    site.db.session.commit()

    assert [(m.subject, m.body) for m in ann.messages_received] == [("for ann", "by often")]
    assert subjects(bob) == []
    assert [(m.subject, m.body) for m in cem.messages_received] == [("for cem", "by weekly")]


def test_the_doer_is_not_told_unless_they_want_to_be(site: Site, people: Any) -> None:
    ann, bob, cem = people
    cem.set_notify_preferences(notify_myself=True)
    site.db.session.commit()

    with site.notify.acting_as(ann):
        site.notify.send("ann did it", to=people)
    with site.notify.acting_as(cem):
        site.notify.send("cem did it", to=people)
    site.db.session.commit()

    assert subjects(ann) == ["cem did it"]
    assert subjects(bob) == ["cem did it", "ann did it"]
    assert subjects(cem) == ["cem did it", "ann did it"]


def test_a_sender_is_the_doer_unless_another_is(site: Site, people: Any) -> None:
    ann, bob, _ = people

    site.notify.send(Greeted(word="Hi", sender=ann), to=[ann, bob])
    # Somebody works as bob: the one acted as is the doer, and the real user is told.
    with site.notify.acting_as(bob):
        site.notify.send("done as bob", to=[ann, bob], sender=ann)
    site.db.session.commit()

    assert subjects(ann) == ["done as bob"]
    assert subjects(bob) == ["Hi bob!"]
    assert [message.sender for message in bob.messages_received] == [ann]
    assert {message.recipient for message in ann.messages_sent} == {ann, bob}


def test_a_type_declares_its_data_and_checks_it_at_the_call() -> None:
    assert Greeted(word="Hi").data == {"word": "Hi", "mark": "!"}
    with pytest.raises(InvalidMessage, match="takes word, mark; got mark, which lacks word"):
        Greeted(mark="?")
    with pytest.raises(InvalidMessage, match="unknown: colour"):
        Greeted(word="Hi", colour="red")


def test_only_declared_types_are_sent(site: Site, people: Any) -> None:
    class Undeclared(MessageType):
        def subject(self, recipient: Any) -> str:  # noqa: ARG002
            return "x"

    with pytest.raises(
        UnknownType, match="'undeclared'; declared: action, alarm, change, changed, for_staff, greeted, private"
    ):
        site.notify.send(Undeclared(), to=people)
    with pytest.raises(ConfigurationError, match="must be its own"):
        site.notify.message_type(type("Other", (MessageType,), {"name": "greeted", "__module__": "elsewhere"}))


def test_what_cannot_be_stored_is_refused_at_the_call(site: Site, people: Any) -> None:
    ann, _, _ = people

    for options in (
        {"what": ""},
        {"what": "x" * 251},
        {"what": "x", "url": "javascript:alert(1)"},
        {"what": "x", "url": "//elsewhere.example"},
        {"what": "x", "data": {"at": datetime.now(timezone.utc)}},
        {"what": "x", "target": object()},
        {"what": "x", "sender": "ann"},
        {"what": "x", "body": "half \ud800"},
        {"what": Greeted(word="Hi"), "body": "beside it"},
    ):
        with pytest.raises(InvalidMessage):
            site.notify.send(to=ann, **options)
    for wrong in ("ann", 7, [7], [object()], select(site.User.id, site.User.name).subquery()):
        with pytest.raises(InvalidMessage):
            site.notify.send("x", to=wrong)
    site.db.session.commit()

    assert subjects(ann) == []


def test_the_recipients_own_modes_decide(site: Site, people: Any) -> None:
    ann, bob, cem = people
    ann.set_mail_mode("never")
    bob.set_mail_mode("silent", type="greeted")
    cem.set_mail_mode("weekly")
    cem.set_mail_mode("daily", type="greeted")
    site.db.session.commit()

    site.notify.send(Greeted(word="Hi"), to=[(user, "often") for user in people])
    site.notify.send(Alarm(), to=people)
    site.db.session.commit()

    modes = {user.name: [(m.type, m.mail_mode, m.rule) for m in user.messages_received] for user in people}
    assert modes == {
        "ann": [("alarm", "often", "critical"), ("greeted", "never", "own")],
        "bob": [("alarm", "often", "critical")],
        "cem": [("alarm", "often", "critical"), ("greeted", "often", "pair")],
    }


def test_a_critical_message_is_mailed_at_once_and_others_later(site: Site, people: Any) -> None:
    ann, _, _ = people
    now = 1_800_000_000.0
    site.notify.clock = lambda: now

    site.notify.send(Alarm(), to=ann)
    site.notify.send("soon", to=ann)
    site.notify.send("later", to=[(ann, "never")])
    site.db.session.commit()

    due = {m.subject: m.mail_due_at and m.mail_due_at.timestamp() for m in ann.messages_received}
    assert due == {"Fire": now, "soon": now + 300, "later": None}
    assert inbox_of(site, ann).mail_due_at == now


def test_a_type_may_be_for_some_only(site: Site, people: Any) -> None:
    staff = site.User(name="staff-dora")
    site.db.session.add(staff)

    assert site.notify.send(ForStaff(), to=[*people, staff]) == 1
    site.db.session.commit()

    assert subjects(staff) == ["For staff"]


def test_the_first_unseen_of_a_target_is_kept(site: Site, people: Any) -> None:
    ann, bob, cem = people

    for by in ("one", "two"):
        site.notify.send(Changed(target=bob, by=by), to=ann)
    site.db.session.commit()
    site.notify.send(Changed(target=bob, by="three"), to=ann)
    site.notify.send(Changed(target=cem, by="four"), to=ann)
    site.db.session.commit()
    assert subjects(ann) == ["changed by four", "changed by one"]

    ann.mark_all_seen()
    site.notify.send(Changed(target=bob, by="five"), to=ann)
    site.db.session.commit()

    assert subjects(ann) == ["changed by five", "changed by four", "changed by one"]
    assert ann.unread_message_count == 1
    assert counts_are_right(site)


def test_the_latest_unseen_of_a_target_takes_the_place_of_the_others(site: Site, people: Any) -> None:
    ann, bob, cem = people

    site.notify.send(Replied(target=cem, sender=bob), to=ann)
    site.db.session.commit()
    site.notify.send("something else", to=ann)
    site.db.session.commit()
    for _ in range(2):
        site.notify.send(Replied(target=cem, sender=cem), to=ann)
    site.db.session.commit()

    assert [(m.subject, m.count) for m in ann.messages_received] == [("cem replied", 3), ("something else", 1)]
    assert ann.unread_message_count == 2
    assert counts_are_right(site)


def test_a_renewed_message_that_was_never_to_be_mailed_is_once_the_mode_says_so(site: Site, people: Any) -> None:
    ann, bob, cem = people
    ann.set_mail_mode("never")
    site.db.session.commit()
    site.notify.send(Replied(target=cem, sender=bob), to=ann)
    site.db.session.commit()

    ann.set_mail_mode("often")
    site.db.session.commit()
    site.notify.send(Replied(target=cem, sender=bob), to=ann)
    site.db.session.commit()

    (message,) = ann.messages_received
    assert (message.mail_mode, message.count) == ("often", 2)
    assert message.mail_due_at is not None
    assert inbox_of(site, ann).mail_due_at == pytest.approx(message.mail_due_at.timestamp(), abs=1e-5)


def test_without_a_target_nothing_collapses(site: Site, people: Any) -> None:
    ann, _, _ = people

    site.notify.send(Changed(), to=ann)
    site.notify.send(Changed(), to=ann)
    site.db.session.commit()

    assert ann.unread_message_count == 2


def test_messages_are_marked_seen_and_unseen(site: Site, people: Any) -> None:
    ann, bob, _ = people
    for number in range(4):
        site.notify.send(f"m{number}", to=[ann, bob])
    site.db.session.commit()
    m3, m2, m1, m0 = ann.messages_received
    theirs = [message.id for message in bob.messages_received]

    marked = ann.mark_seen(m3, m1.id, *theirs)
    assert ann.unread_message_count == 2  # as it will be
    site.db.session.commit()
    again = ann.mark_seen(m3)
    back = ann.mark_unseen(m1)
    site.db.session.commit()

    assert (marked.changed, again.changed, back.changed) == (2, 0, 1)
    site.db.session.expire_all()
    assert [m.seen for m in (m3, m2, m1, m0)] == [True, False, False, False]
    assert ann.unread_message_count == 3
    assert bob.unread_message_count == 4
    assert ann.last_message_read_time == m3.seen_at
    assert bob.last_message_read_time is None
    assert counts_are_right(site)


def test_all_are_marked_seen_up_to_what_was_shown(site: Site, people: Any) -> None:
    ann, _, _ = people
    site.notify.send("shown", to=ann)
    site.db.session.commit()
    (shown,) = ann.messages_received
    site.notify.send("arrived since", to=ann)
    site.db.session.commit()

    marked = ann.mark_all_seen(until=shown.cursor)
    site.db.session.commit()

    assert marked.changed == 1
    assert [m.subject for m in ann.messages_received if not m.seen] == ["arrived since"]


def test_what_was_seen_owes_no_mail(site: Site, people: Any) -> None:
    ann, _, _ = people
    inbox = inbox_of(site, ann)
    site.notify.send("x", to=ann)
    site.db.session.commit()
    assert inbox.mail_due_at is not None

    ann.mark_all_seen()
    site.db.session.commit()
    assert inbox.mail_due_at is None
    ann.mark_unseen(*ann.messages_received)
    site.db.session.commit()

    assert inbox.mail_due_at is None
    assert inbox.unseen_count == 1


def test_a_change_of_mode_moves_what_is_pending(site: Site, people: Any) -> None:
    ann, _, _ = people
    now = 1_800_000_000.0  # a Friday, 08:00 UTC
    site.notify.clock = lambda: now
    site.notify.send("general", to=ann)
    site.notify.send("by pair", to=[(ann, "daily")])
    site.notify.send(Alarm(), to=ann)
    site.notify.send(Greeted(word="Hi"), to=ann)
    site.db.session.commit()

    def due() -> dict[str, Any]:
        site.db.session.expire_all()
        return {m.subject: m.mail_due_at and m.mail_due_at.timestamp() - now for m in ann.messages_received}

    assert due() == {"general": 300, "by pair": 86_400, "Fire": 0, "Hi ann!": 300}
    ann.set_mail_mode("weekly")
    ann.set_mail_mode("never", type="greeted")
    site.db.session.commit()
    assert due() == {"general": 3 * 86_400, "by pair": 86_400, "Fire": 0, "Hi ann!": None}

    ann.set_notify_preferences(timezone="Asia/Kolkata")  # 08:00 there was 5:30 h ago
    site.db.session.commit()
    assert due() == {"general": 2 * 86_400 + 66_600, "by pair": 66_600, "Fire": 0, "Hi ann!": None}

    ann.set_mail_mode("never")
    site.db.session.commit()
    assert due() == {"general": None, "by pair": None, "Fire": 0, "Hi ann!": None}
    assert inbox_of(site, ann).mail_due_at == now


def test_what_is_due_stays_due_when_something_else_is_set(site: Site, people: Any) -> None:
    ann, _, _ = people
    now = 1_800_000_000.0
    site.notify.clock = lambda: now
    site.notify.send("x", to=[(ann, "daily")])
    site.db.session.commit()
    (message,) = ann.messages_received
    due = message.mail_due_at

    site.notify.clock = lambda: now + 86_401  # a second late
    ann.set_notify_preferences(notify_myself=True, locale="de")
    ann.set_mail_mode("weekly", type="greeted")
    site.db.session.commit()

    site.db.session.expire_all()
    assert message.mail_due_at == due


def test_settings_that_cannot_be_are_refused(people: Any) -> None:
    ann, _, _ = people

    for wrong in ({"timezone": "Mars/Olympus"}, {"locale": 7}, {"notify_myself": "yes"}, {"colour": "red"}):
        with pytest.raises(InvalidPreference):
            ann.set_notify_preferences(**wrong)
    with pytest.raises(InvalidPreference):
        ann.set_mail_mode("hourly")
    with pytest.raises(UnknownType):
        ann.set_mail_mode("daily", type="unheard of")


def test_a_blocked_sender_writes_no_private_messages(site: Site, people: Any) -> None:
    from flask_notify.messages.message_types import Private

    ann, bob, _ = people
    ann.block_sender(bob)
    site.db.session.commit()
    assert ann.has_blocked(bob)

    assert site.notify.send(Private(text="hello", sender=bob), to=ann) == 0
    assert site.notify.send(Greeted(word="Hi", sender=bob), to=ann) == 1
    ann.unblock_sender(bob)
    site.db.session.commit()
    assert site.notify.send(Private(text="hello again", sender=bob), to=ann) == 1
    site.db.session.commit()

    assert [(m.type, m.body) for m in ann.messages_received] == [("private", "hello again"), ("greeted", None)]


def test_messages_are_not_written_past_the_counts(site: Site, people: Any) -> None:
    ann, _, _ = people
    site.db.session.add(site.notify.Message(recipient_id=ann.id, subject="by hand"))
    with pytest.raises(WrittenByHand, match=r"notify\.send"):
        site.db.session.commit()
    site.db.session.rollback()


def test_a_deleted_sender_reads_as_none(site: Site, people: Any) -> None:
    ann, bob, _ = people
    site.notify.send(Greeted(word="Hi", sender=bob), to=ann)
    site.db.session.commit()

    site.db.session.delete(bob)
    site.db.session.commit()
    # SQLite gives the key of a deleted user to the next.
    site.db.session.add(site.User(name="dan"))
    site.db.session.commit()

    assert [message.sender for message in ann.messages_received] == [None]


def test_a_message_to_somebody_who_was_only_just_added_arrives(site: Site, people: Any) -> None:  # noqa: ARG001
    dan = site.User(name="dan")
    site.db.session.add(dan)

    site.notify.send("welcome", to=dan)
    site.db.session.commit()

    assert subjects(dan) == ["welcome"]
    assert dan.unread_message_count == 1


def test_messages_work_with_every_kind_of_key(any_site: Site) -> None:
    site = any_site
    site.notify.message_type(Replied)
    with site.app.app_context():
        ann, bob = site.User(name="ann"), site.User(name="bob")
        site.db.session.add_all([ann, bob])
        site.db.session.commit()
        for _ in range(2):
            site.notify.send(Replied(sender=ann, target=ann), to=[ann, bob])
            site.db.session.commit()
        site.notify.send("x", to=select(site.User.id))
        site.notify.broadcast("maintenance", {"at": "22:00"})
        site.db.session.commit()

        assert [(m.subject, m.sender, m.count) for m in bob.messages_received] == [
            ("x", None, 1),
            ("ann replied", ann, 2),
        ]
        assert subjects(ann) == ["x"]
        assert [n.name for n in bob.notifications] == ["maintenance"]
        assert counts_are_right(site)


@pytest.mark.parametrize("mode, again", [("weekly", True), ("daily", True), ("often", False), ("never", False)])
def test_a_message_that_was_mailed_and_is_renewed_owes_mail_to_the_next_digest_only(
    site: Site, people: Any, mode: str, again: bool
) -> None:
    ann, bob, cem = people
    message = site.notify.models.message
    session = site.db.session
    site.notify.send(Replied(sender=bob, target=cem), to=[(ann, mode)])
    session.commit()
    session.execute(message.update().values(mail_id=7, sent_at=1.0, mail_due_at=None))
    session.commit()

    site.notify.send(Replied(sender=bob, target=cem), to=[(ann, mode)])
    session.commit()

    (row,) = session.execute(select(message.c.mail_due_at, message.c.mail_id, message.c["count"]))
    assert (row[0] is not None, row[1], row[2]) == (again, None if again else 7, 2)
