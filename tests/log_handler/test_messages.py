"""``send_notification``: a template with its arguments, put together for each recipient (row G2)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from flask import url_for
from flask_babel import Babel, lazy_gettext
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from flask_notify import MailMode, NotifyHandler
from flask_notify.errors import InvalidMessage, UnknownType
from flask_notify.logs.log_messages import LogMessage
from tests.apps import Site

pytestmark = pytest.mark.databases("sqlite")

TEMPLATE = "%(task)s: %(points)s points"
GERMAN = {
    TEMPLATE: "%(points)s Punkte für %(task)s",
    "Judged %(task)s": "Beurteilt von %(judge)s",
    "100%% of %(task)s": "%(task)s: 100 %%",
}


@pytest.fixture
def messages(session: Session, site: Site) -> Callable[[], list[Any]]:
    """Commit, and return all messages, oldest first."""
    Message: Any = site.notify.Message
    if "judged" not in site.notify.types_of_log():
        site.notify.on_log("judged", label="Judgements")(lambda record: None)  # noqa: ARG005

    def stored() -> list[Any]:
        session.commit()
        return list(session.scalars(select(Message).order_by(Message.id)))

    return stored


@pytest.fixture
def send(site: Site, susan: Any, messages: Any) -> Callable[..., Any]:
    """Send a notification of the type "judged" to susan, and return her message."""

    def send_one(*arguments: Any, **options: Any) -> Any:
        assert site.notify.send_notification(site.user(susan), "judged", *arguments, **options) == 1
        return messages()[-1]

    return send_one


def test_the_template_is_stored_as_it_is_with_its_arguments(send: Any) -> None:
    message = send(TEMPLATE, {"task": "Sums", "points": 40})

    assert message.type == "judged"
    assert message.subject == "Sums: 40 points"
    assert message.data == {
        "message": TEMPLATE,
        "arguments": {"task": "Sums", "points": 40},
        "address": None,
        "details": None,
        "popup": False,
    }


def test_it_leads_to_its_address_and_says_its_details(send: Any) -> None:
    message = send("Judged", address="https://example.org/1?a=b", details="All tests passed", popup=True)

    assert (message.url, message.body, message.rich) == ("https://example.org/1?a=b", "All tests passed", False)
    assert message.data["popup"] is True


def test_these_may_stand_among_the_arguments_as_oioioi_has_it(send: Any) -> None:
    arguments = {"task": "Sums", "address": "/submissions/7", "details": "In time", "popup": 1}
    message = send("Judged %(task)s", arguments)

    assert (message.subject, message.url, message.body) == ("Judged Sums", "/submissions/7", "In time")
    assert message.data["arguments"] == {"task": "Sums"}
    assert message.data["popup"] is True
    assert len(arguments) == 4  # they are the caller's


def test_the_classmethod_of_the_handler_takes_oioiois_arguments(
    site: Site, susan: Any, messages: Callable[[], list[Any]]
) -> None:
    NotifyHandler.send_notification(
        user=site.user(susan),
        notification_type="judged",
        notification_message="Judged %(task)s",
        notification_message_arguments={"task": "Sums", "address": "http://example.org/"},
    )

    (message,) = messages()
    assert (message.subject, message.url) == ("Judged Sums", "http://example.org/")


def test_nothing_is_committed(site: Site, susan: Any, session: Session, messages: Callable[[], list[Any]]) -> None:
    site.notify.send_notification(site.user(susan), "judged", "Judged")
    session.rollback()

    assert messages() == []


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "//example.org", "example.org", "/\\example.org", "ftp://example.org/", ""]
)
def test_an_address_that_is_none_is_refused(send: Any, address: str) -> None:
    with pytest.raises(InvalidMessage, match="url must be"):
        send("Judged", address=address)


def test_arguments_and_details_are_text_and_never_html(site: Site, susan: Any, send: Any) -> None:
    evil = Markup("<script>alert(1)</script>")
    message = send("Judged %(task)s", {"task": evil}, details=Markup("<b>well</b>"))

    assert message.subject == "Judged <script>alert(1)</script>"
    assert (message.body, message.rich) == ("<b>well</b>", False)
    page = site.client(susan).get("/messages").text
    assert "<script>alert" not in page
    assert "<b>well" not in page
    assert "&lt;b&gt;well&lt;/b&gt;" in page


def test_a_template_that_is_markup_makes_no_html_either(send: Any) -> None:
    message = send(Markup("<i>%(task)s</i>"), {"task": "a & b"})

    assert message.subject == "<i>a & b</i>"


def test_what_an_argument_says_is_not_read_as_a_template(send: Any) -> None:
    message = send(TEMPLATE, {"task": "%(points)s %(secret)s %s %%", "points": 1})

    assert message.subject == "%(points)s %(secret)s %s %%: 1 points"


def test_objects_are_stored_as_their_text(send: Any) -> None:
    message = send("%(path)s %(n)d %(none)s", {"path": Path("a/b"), "n": 7, "none": None})

    assert message.subject == "a/b 7 None"
    assert message.data["arguments"] == {"path": "a/b", "n": 7, "none": None}


@pytest.mark.parametrize(
    "template, text",
    [("100% right", "100% right"), ("100%% of %(task)s", "100% of Sums"), ("5 % of %(task)s %", "5 % of Sums %")],
)
def test_a_percent_sign_stays_one(send: Any, template: str, text: str) -> None:
    assert send(template, {"task": "Sums"}).subject == text


def test_an_argument_that_is_missing_is_named(send: Any) -> None:
    with pytest.raises(InvalidMessage, match="needs points, got task"):
        send(TEMPLATE, {"task": "Sums"})
    with pytest.raises(InvalidMessage, match="needs points, task, got no arguments"):
        send(TEMPLATE)


@pytest.mark.parametrize("message", ["", "  ", None, 7, lazy_gettext("Judged")])
def test_a_message_that_is_no_template_is_refused(send: Any, message: Any) -> None:
    with pytest.raises(InvalidMessage, match="template that is not translated yet"):
        send(message)


@pytest.mark.parametrize("arguments", ["text", ["task"], {7: "Sums"}])
def test_arguments_that_are_no_dict_are_refused(send: Any, arguments: Any) -> None:
    with pytest.raises(InvalidMessage, match="dict with str keys"):
        send("Judged", arguments)


def test_a_type_that_was_not_registered_is_refused(site: Site, susan: Any, session: Session) -> None:
    assert session.is_active
    with pytest.raises(UnknownType, match=r"got 'jugded'.*@notify.on_log\('jugded'\)"):
        site.notify.send_notification(site.user(susan), "jugded", "Judged")


def test_a_long_text_is_shortened_and_stored_whole(send: Any) -> None:
    message = send("%(task)s", {"task": "x" * 400})

    assert message.subject == "x" * 249 + "…"
    assert message.data["arguments"]["task"] == "x" * 400


@pytest.fixture
def translated(build: Callable[..., Site], tmp_path: Path) -> Site:
    """An application that speaks German, and in which two recipients are many."""
    catalog = Catalog(locale="de")
    for text, translation in GERMAN.items():
        catalog.add(text, translation)
    path = tmp_path / "de" / "LC_MESSAGES" / "messages.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, catalog)
    site = build(BABEL_TRANSLATION_DIRECTORIES=str(tmp_path), NOTIFY_INLINE_RECIPIENTS=2)
    Babel(site.app)
    site.notify.on_log("judged")(lambda record: None)  # noqa: ARG005
    return site


def readers(site: Site, count: int) -> list[Any]:
    """Add users of whom every second one reads German."""
    users = [site.User(name=f"user {number}") for number in range(count)]
    site.db.session.add_all(users)
    site.db.session.flush()
    for number, user in enumerate(users):
        user.set_notify_preferences(locale="de" if number % 2 else "en")
    site.db.session.commit()
    return users


def subjects(site: Site) -> list[str]:
    Message: Any = site.notify.Message
    return list(site.db.session.scalars(select(Message.subject).order_by(Message.recipient_id)))


@pytest.mark.parametrize(
    "template, english, german",
    [
        (TEMPLATE, "Sums: 40 points", "40 Punkte für Sums"),
        ("100%% of %(task)s", "100% of Sums", "Sums: 100 %"),
        # A translation that names what there is not is passed over.
        ("Judged %(task)s", "Judged Sums", "Judged Sums"),
        ("Nobody has translated it", "Nobody has translated it", "Nobody has translated it"),
    ],
)
def test_each_recipient_reads_it_in_their_language(translated: Site, template: str, english: str, german: str) -> None:
    with translated.app.app_context():
        users = readers(translated, 2)
        translated.notify.send_notification(users, "judged", template, {"task": "Sums", "points": 40})
        translated.db.session.commit()

        assert subjects(translated) == [english, german]


def test_many_recipients_read_it_in_their_languages_too(translated: Site) -> None:
    with translated.app.app_context():
        users = readers(translated, 4)
        translated.notify.send_notification(users, "judged", TEMPLATE, {"task": "Sums", "points": 40}, address="/1")
        translated.db.session.commit()  # there is no scheduler, so that they are moved now

        assert subjects(translated) == ["Sums: 40 points", "40 Punkte für Sums"] * 2


def test_a_record_is_told_in_the_recipients_language_and_not_in_the_doers(translated: Site) -> None:
    log = logging.getLogger("tests.log_handler.languages")
    log.setLevel(logging.INFO)
    handler = NotifyHandler(app=translated.app)
    log.addHandler(handler)
    translated.notify.on_log("done")(
        lambda record: translated.notify.send_notification(record.users, "done", TEMPLATE, {"task": 1, "points": 2})
    )
    try:
        with translated.app.app_context():
            log.info("", extra={"notification": "done", "users": readers(translated, 2)})

            assert subjects(translated) == ["1: 2 points", "2 Punkte für 1"]
    finally:
        log.removeHandler(handler)


def test_recipients_choose_how_they_are_told_of_each_type(
    site: Site, susan: Any, send: Any, messages: Callable[[], list[Any]]
) -> None:
    site.notify.on_log("published", label="Publications", mail_mode="daily")(lambda record: None)  # noqa: ARG005
    site.user(susan).set_mail_mode("silent", type="judged")
    messages()
    user = site.user(susan)

    assert site.notify.send_notification(user, "judged", "Judged") == 0
    site.notify.send_notification(user, "published", "Published")
    (message,) = messages()

    assert (message.type, message.mail_mode) == ("published", "daily")
    page = site.client(susan).get("/preferences").text
    assert "Judgements" in page
    assert "Publications" in page
    assert callable(send)


def test_a_type_of_ones_own_may_say_more_than_the_decorator(
    site: Site, susan: Any, messages: Callable[[], list[Any]]
) -> None:
    @site.notify.message_type
    class Crashed(LogMessage):
        critical = True
        mail_mode = MailMode.NEVER

    site.notify.on_log("crashed")(lambda record: None)  # noqa: ARG005
    site.user(susan).set_mail_mode("silent")
    site.notify.send_notification(site.user(susan), "crashed", "It is %(what)s", {"what": "on fire"})

    (message,) = messages()
    assert (message.subject, message.rule) == ("It is on fire", "critical")


def test_nobody_is_no_recipient(site: Site, messages: Callable[[], list[Any]]) -> None:
    assert site.notify.send_notification(None, "judged", "Judged") == 0
    assert messages() == []


def test_the_function_can_make_addresses_outside_a_request(
    site: Site, log: logging.Logger, susan: Any, messages: Callable[[], list[Any]]
) -> None:
    @site.notify.on_log("linked")
    def tell(_record: logging.LogRecord) -> None:
        site.notify.send_notification(site.user(susan), "linked", "Look", address=url_for("notify.poll", since=1))

    log.info("", extra={"notification": "linked"})

    assert [message.url for message in messages()] == ["/notifications?since=1"]
