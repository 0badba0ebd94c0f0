"""A mail tells a recipient in their language what is new, and how to get no more of it (rows C1, C4, B11)."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import flask_babel
import pytest
from flask import request
from jinja2 import ChoiceLoader, DictLoader, pass_context
from jinja2.runtime import Context
from sqlalchemy import update

from flask_notify import MessageType
from flask_notify.errors import ConfigurationError
from flask_notify.language import DOMAIN
from flask_notify.mailing.letter import LONGEST_BODY, Letter, render
from tests.apps import Site
from tests.notes import add_message, add_models, messages_of
from tests.test_language import translate
from tests.test_targets import statements

pytestmark = pytest.mark.databases("sqlite")

BASE_URL = "https://example.org/blog/"


class Replied(MessageType):
    """One that recipients can mask."""

    label = "Replies"

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return "A reply"


class Alarm(MessageType):
    """One that they cannot."""

    critical = True

    def subject(self, recipient: Any) -> str:  # noqa: ARG002
        return "Fire"


@pytest.fixture
def site(build: Callable[..., Site]) -> Site:
    """An application that sends mails."""
    site = build(NOTIFY_BASE_URL=BASE_URL)
    site.notify.message_type(Replied)
    site.notify.message_type(Alarm)
    return site


@pytest.fixture
def ann(site: Site) -> Any:
    """The key of a recipient."""
    return site.add_user("ann")


def letter_for(site: Site, key: Any, more: int = 0) -> Letter:
    """Render a mail with all messages of a user, outside of any request."""
    with site.app.app_context():
        settings = site.app.extensions["notify"].settings
        return render(site.notify.models, settings, site.user(key), messages_of(site, key), more)


def links(letter: Letter) -> list[str]:
    """Return the addresses in the HTML."""
    return re.findall(r'href="([^"]*)"', letter.html)


def test_a_single_message_bears_its_own_subject(site: Site, ann: Any) -> None:
    add_message(site, ann, subject="Backup finished", body="42 files")

    letter = letter_for(site, ann)

    assert letter.subject == "Backup finished"
    assert "42 files" in letter.text
    assert "<h1>Backup finished</h1>" in letter.html


@pytest.mark.parametrize("count, more, subject", [(3, 0, "3 notifications"), (20, 480, "500 notifications")])
def test_several_are_counted_together_with_those_beyond_the_limit(
    site: Site, ann: Any, count: int, more: int, subject: str
) -> None:
    for number in range(count):
        add_message(site, ann, subject=f"Number {number}")

    letter = letter_for(site, ann, more)

    assert letter.subject == subject
    assert letter.text.count("Number ") == count
    assert ("and 480 more" in letter.text) is ("and 480 more" in letter.html) is (more == 480)


def test_a_single_message_of_many_is_no_single_message(site: Site, ann: Any) -> None:
    add_message(site, ann)

    assert letter_for(site, ann, more=1).subject == "2 notifications"


def test_every_link_is_absolute_and_a_message_is_reached_through_its_own_address(site: Site, ann: Any) -> None:
    number = add_message(site, ann, url="/post/1", body='<a href="/blog/rules">Rules</a>', rich=True)

    letter = letter_for(site, ann)

    assert f"https://example.org/blog/messages/{number}" in links(letter)
    assert "https://example.org/blog/rules" in links(letter)
    assert all(link.startswith("https://example.org/blog/") for link in links(letter))
    assert f"https://example.org/blog/messages/{number}\n" in letter.text
    assert "Rules (https://example.org/blog/rules)" in letter.text
    assert "/post/1" not in letter.text + letter.html


def test_a_mail_says_how_to_get_no_more_of_it(site: Site, ann: Any) -> None:
    add_message(site, ann, type="replied")

    letter = letter_for(site, ann)

    assert "https://example.org/blog/preferences" in links(letter)
    assert letter.unsubscribe_url in links(letter)
    assert "Replies" in letter.text
    assert letter.text.count("https://example.org/blog/unsubscribe/") == 2  # from replies, and from all


def test_a_mail_of_several_kinds_is_unsubscribed_from_as_a_whole(site: Site, ann: Any) -> None:
    add_message(site, ann, type="replied")
    add_message(site, ann, type="system")

    letter = letter_for(site, ann)

    assert letter.text.count("/unsubscribe/") == 1
    assert letter.unsubscribe_url
    assert letter.unsubscribe_url in letter.text


def test_what_is_critical_offers_no_link_that_would_not_stop_it(site: Site, ann: Any) -> None:
    add_message(site, ann, type="alarm")

    letter = letter_for(site, ann)

    assert letter.unsubscribe_url is None
    assert "unsubscribe" not in letter.text + letter.html


def test_a_type_that_has_gone_from_the_code_can_be_mailed_and_unsubscribed_from(site: Site, ann: Any) -> None:
    add_message(site, ann, type="long_gone", subject="Told before")

    letter = letter_for(site, ann)

    assert letter.subject == "Told before"
    assert letter.unsubscribe_url


def test_text_is_escaped_in_the_html_and_as_it_is_in_the_text(site: Site, ann: Any) -> None:
    hostile = "<script>alert('1')</script> & \"more\""
    add_message(site, ann, subject=hostile, body=hostile)
    add_message(site, ann, subject=hostile, body="<b>bold</b><script>alert(1)</script>", rich=True)

    letter = letter_for(site, ann)

    assert "<script" not in letter.html
    assert "<b>bold</b>" in letter.html
    assert letter.text.count(hostile) == 3
    assert "&amp;" not in letter.text


def test_a_target_that_is_hidden_or_deleted_does_not_break_a_mail_nor_leak(site: Site, ann: Any) -> None:
    models = add_models(site)
    models["Post"].visible_to = classmethod(lambda _cls, _recipient, _ids: set())
    with site.app.app_context():
        site.db.session.add(models["Post"](id=1))
        site.db.session.commit()
    secret = {"subject": "Secret plan", "body": "Secret words", "url": "/secret", "target_type": "Post"}
    hidden = add_message(site, ann, **secret, target_id="1")
    deleted = add_message(site, ann, subject="Old news", url="/gone", target_type="Post", target_id="2")

    letter = letter_for(site, ann)

    assert "ecret" not in letter.text + letter.html
    assert "This is no longer available." in letter.text
    assert f"/messages/{hidden}" not in letter.text + letter.html
    assert f"/messages/{deleted}" in letter.text


def test_a_long_body_among_several_is_cut_and_alone_it_is_whole(site: Site, ann: Any) -> None:
    body = "word " * LONGEST_BODY
    add_message(site, ann, body=body)
    assert body.strip() in letter_for(site, ann).text

    add_message(site, ann)
    letter = letter_for(site, ann)

    assert len(letter.text) < 2 * LONGEST_BODY
    assert "word…" in letter.text
    assert "word…" in letter.html


def test_what_was_told_more_than_once_says_how_often(site: Site, ann: Any) -> None:
    add_message(site, ann, subject="Replies", count=4)

    letter = letter_for(site, ann)

    assert "Replies (and 3 more)" in letter.text
    assert "and 3 more" in letter.html


def test_a_mail_is_in_the_recipients_language_and_by_their_clock(build: Callable[..., Site], tmp_path: Path) -> None:
    texts: dict[Any, Any] = {
        ("%(num)d notification", "%(num)d notifications"): ("%(num)d Nachricht", "%(num)d Nachrichten"),
        "No more mail of any kind": "Keine Mails mehr",
    }
    translate(tmp_path, DOMAIN, texts)
    site = build(NOTIFY_BASE_URL=BASE_URL, BABEL_TRANSLATION_DIRECTORIES=str(tmp_path))
    flask_babel.Babel(site.app, locale_selector=lambda: request.accept_languages.best)
    ann = site.add_user("ann")
    prefer(site, ann, locale="de", timezone="Asia/Kolkata")
    for _ in range(2):
        add_message(site, ann, created_at=1e9)

    letter = letter_for(site, ann)

    assert letter.subject == "2 Nachrichten"
    assert '<html lang="de" dir="ltr">' in letter.html
    assert "Keine Mails mehr" in letter.text
    assert "09.09.2001, 07:16" in letter.text  # 01:46 in UTC


def test_without_a_time_zone_of_their_own_it_is_the_applications(build: Callable[..., Site]) -> None:
    site = build(NOTIFY_BASE_URL=BASE_URL, NOTIFY_TIMEZONE="Asia/Kolkata")
    ann, bob = site.add_user("ann"), site.add_user("bob")
    prefer(site, bob, timezone="Mars/Phobos")
    for key in (ann, bob):
        add_message(site, key, created_at=1e9)

    assert "9 September 2001, 07:16" in letter_for(site, ann).text
    assert "9 September 2001, 07:16" in letter_for(site, bob).text


def prefer(site: Site, key: Any, **values: Any) -> None:
    """Set what stands in a user's inbox, be it sensible or not."""
    inbox = site.notify.models.inbox
    with site.app.app_context(), site.db.session.begin():
        site.db.session.execute(update(inbox).where(inbox.c.recipient_id == key).values(values))


def test_a_letter_is_one_statement_where_nothing_has_to_be_looked_up(site: Site, ann: Any) -> None:
    for _ in range(3):
        add_message(site, ann)
    with site.app.app_context():
        settings, user, messages = site.app.extensions["notify"].settings, site.user(ann), messages_of(site, ann)
        inbox = site.db.session.get(site.notify.Inbox, ann)

        with statements(site) as seen:
            render(site.notify.models, settings, user, messages)
        with statements(site) as seen_with_tastes:
            render(site.notify.models, settings, user, messages, tastes=inbox)

    assert (len(seen), len(seen_with_tastes)) == (1, 0)


def test_what_an_application_adds_to_its_addresses_is_that_of_each_mail(site: Site, ann: Any) -> None:
    editions = iter(range(100))
    site.app.url_defaults(lambda _endpoint, values: values.setdefault("edition", next(editions)))
    add_message(site, ann, subject="News")

    found = links(letter_for(site, ann)) + links(letter_for(site, ann))

    assert all("?edition=" in link for link in found)
    assert len(set(found)) == len(found)


def test_an_application_replaces_the_templates_by_its_own(site: Site, ann: Any) -> None:
    template = (
        "{{ recipient.name }}|{{ subject }}|{{ base_url }}|{{ more }}|{{ url_for('hello', name='x y', _anchor='z') }}\n"
        "{% for message in messages %}\n"
        "{{ message.subject }} {{ message_url(message) }}\n"
        "{% endfor %}\n"
        "{{ unsubscribe_url }} {{ preferences_url }}"
    )
    site.app.add_url_rule("/hello/<name>", "hello", lambda name: name)
    own = DictLoader({"notify/mail/digest.txt": template})
    site.app.jinja_loader = ChoiceLoader([own, site.app.jinja_loader] if site.app.jinja_loader else [own])
    number = add_message(site, ann, subject="News")

    letter = letter_for(site, ann, more=2)

    assert letter.text.splitlines() == [
        "ann|3 notifications|https://example.org/blog|2|https://example.org/blog/hello/x%20y#z",
        f"News https://example.org/blog/messages/{number}",
        f"{letter.unsubscribe_url} https://example.org/blog/preferences",
    ]


def documented() -> str:
    """Return the page that tells of the templates."""
    return (Path(__file__).parents[1] / "docs" / "howto" / "mail-templates.rst").read_text()


def test_the_template_that_the_documentation_shows_works(build: Callable[..., Site]) -> None:
    shown = re.search(r"code-block:: jinja\n\n(.*?)\n\n(?=\S)", documented(), re.DOTALL)
    assert shown
    own = DictLoader({"notify/mail/digest.txt": textwrap.dedent(shown[1])})
    site = build(NOTIFY_BASE_URL=BASE_URL, attributes={"username": property(lambda user: user.name)})
    site.app.jinja_loader = ChoiceLoader([own])
    ann = site.add_user("ann")
    add_message(site, ann, subject="Backup finished", body="42 files", count=2)

    letter = letter_for(site, ann, more=1)

    assert letter.text.splitlines() == [
        "Hello ann,",
        "",
        "Backup finished (and 1 more)",
        "42 files",
        "https://example.org/blog/messages/1",
        "",
        "and 1 more: https://example.org/blog/messages",
        "",
        "https://example.org/blog/preferences",
        f"No more of this: {letter.unsubscribe_url}",
    ]


def test_every_name_that_a_template_is_given_is_documented(site: Site, ann: Any) -> None:
    given: set[str] = set()

    @pass_context
    def note(context: Context) -> str:
        given.update(set(context.get_all()) - set(site.app.jinja_env.globals))
        return ""

    site.app.jinja_env.globals["note"] = note
    site.app.jinja_loader = ChoiceLoader([DictLoader({"notify/mail/digest.txt": "{{ note() }}"})])
    add_message(site, ann)

    letter_for(site, ann)

    told = set(re.findall(r"``(\w+)(?:\([^`]*\))?``", documented()))
    assert given >= {"messages", "unsubscribe_url"}
    assert given - {"longest_body"} <= told


@pytest.mark.parametrize("trim", [True, False])
def test_the_text_has_no_gaps_whatever_the_application_does_with_white_space(site: Site, ann: Any, trim: bool) -> None:
    site.app.jinja_options = {"trim_blocks": trim, "lstrip_blocks": trim}
    add_message(site, ann, subject="One", body="Body")
    add_message(site, ann, subject="Two")

    text = letter_for(site, ann, more=1).text

    assert "\n\n\n" not in text
    assert text.startswith(
        "One\n9 September 2001, 01:46\n\nBody\n\nhttps://example.org/blog/messages/1\n\n----\n\nTwo\n"
    )
    assert text == text.strip() + "\n"


def test_a_mail_loads_nothing_from_anywhere(site: Site, ann: Any) -> None:
    add_message(
        site, ann, body='<img src="https://example.com/pixel.gif"><a href="https://example.com">x</a>', rich=True
    )

    html = letter_for(site, ann).html

    assert not re.search(r"<(img|link|script|iframe|object|video|audio|source|svg)\b|@import|url\(|\bsrc=", html)


def test_an_application_whose_templates_are_asynchronous_has_mails_too(site: Site, ann: Any) -> None:
    site.app.jinja_env.is_async = True
    add_message(site, ann, subject="Backup finished", body="42 files")

    # In a thread of its own: a browser's tests leave a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        letter = thread.submit(letter_for, site, ann).result()

    assert letter.text.startswith("Backup finished\n")
    assert "42 files" in letter.html


def test_without_a_base_url_no_mail_is_rendered(build: Callable[..., Site]) -> None:
    site = build()
    ann = site.add_user("ann")
    add_message(site, ann)

    with pytest.raises(ConfigurationError, match="NOTIFY_BASE_URL must be an absolute address"):
        letter_for(site, ann)


def test_whatever_a_template_raises_reaches_whoever_asked_for_the_mail(site: Site, ann: Any) -> None:
    site.app.jinja_loader = DictLoader({"notify/mail/digest.txt": "{{ 1 / 0 }}"})
    add_message(site, ann)

    with pytest.raises(ZeroDivisionError):
        letter_for(site, ann)
